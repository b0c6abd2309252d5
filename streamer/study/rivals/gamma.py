"""The focused gamma memory: a delay line whose depth and resolution are learned (de Vries and Principe 1992)."""

import torch
from torch import Tensor, nn

from streamer.study.rivals.contract import Direct

STAGES, NEURONS = 16, 50
MU = 0.3
"""μ at the start: the memory is STAGES/μ samples deep."""


class Gamma(Direct):
    """g_0(t) = x_t, g_j(t) = (1 - μ)·g_j(t-1) + μ·g_{j-1}(t-1), j = 1 … STAGES, from zero; x̄ = P·tanh(W·g + b).

    Memoryless as the paper means it: its state is the STAGES + 1 numbers g. Each stage has a μ of its own.
    """

    def __init__(self, h: int) -> None:
        super().__init__()
        self.mu = nn.Parameter(torch.full((STAGES,), MU).logit())
        self.W, self.P = nn.Linear(STAGES + 1, NEURONS), nn.Linear(NEURONS, h)

    def memory(self, x: Tensor) -> Tensor:
        """g after a window, [b, STAGES + 1]."""
        mu = torch.sigmoid(self.mu)
        g = torch.cat([x[:, :1], x.new_zeros(len(x), STAGES)], 1)
        for at in x[:, 1:].unbind(1):
            g = torch.cat([at[:, None], torch.lerp(g[:, 1:], g[:, :-1], mu)], 1)
        return g

    def forecast(self, x: Tensor, h: int, u: Tensor) -> Tensor:
        return self.P(torch.tanh(self.W(self.memory(x))))[:, :h]  # type: ignore[no-any-return]
