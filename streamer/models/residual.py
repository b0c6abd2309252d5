"""The memoryless network in the daemon's form: it predicts changes, and knows the calendar of what it predicts."""

import torch
from torch import Tensor, nn

from streamer.models.cells import cell_of
from streamer.models.contract import Network
from streamer.records import Sizes

FIRST = 0.1
"""Initial weights of the predictor, as a share of torch's: an untrained network says that little changes."""


class Residual(Network):
    """`s_t = F([x_t; u_{t+1}], s_{t-1})`, `x̄_{t+1} = x_t + P(s_t)`; stored is x_t with s_t, x_t first.

    u_{t+1} are the known inputs of the tick that is predicted. The closed loop is that of eq. (14).
    """

    kind = "memoryless"

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.F = cell_of(sizes, sizes.d + sizes.c, sizes.n)
        self.P = nn.Linear(self.F.n, sizes.d)
        self.state_size = sizes.d + self.F.state_size
        with torch.no_grad():
            self.P.weight.mul_(FIRST)
            self.P.bias.zero_()

    def step(self, x: Tensor, s: Tensor, u: Tensor | None = None) -> Tensor:
        return torch.cat([x, self.F(self.input(x, u), s[:, self.sizes.d :])], 1)

    def run(self, x: Tensor, s: Tensor, u: Tensor | None = None) -> Tensor:
        return torch.cat([x[:, -1], self.F.run(self.input(x, u), s[:, self.sizes.d :])], 1)

    def forecast(self, s: Tensor, h: int, u: Tensor | None = None) -> Tensor:
        d = self.sizes.d
        known = s.new_zeros(h - 1, len(s), 0) if u is None else u.transpose(0, 1)
        return self.F.climb(self.P, s[:, d:], s[:, :d], known).transpose(0, 1)

    @staticmethod
    def input(x: Tensor, u: Tensor | None) -> Tensor:
        """What F takes in: values and known inputs."""
        return x if u is None else torch.cat([x, u], -1)
