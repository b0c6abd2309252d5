"""The soft window as a forecaster: a recurrent network that looks along the past while it forecasts."""

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from streamer.models.cells import CELLS
from streamer.study.rivals.contract import Rival
from streamer.study.soft_window import SoftWindow

NEURONS = 50
PATCH = 5
"""Neighbouring samples that an element of the past holds."""


class Sliding(Rival):
    """An LSTM reads the window with w = 0; then s' = F([x̄, w], s), w from the soft window, x̄ = P([h, w]).

    An element of what the window slides over is PATCH neighbouring samples.
    """

    def __init__(self) -> None:
        super().__init__()
        self.F = CELLS["lstm"](1 + PATCH, NEURONS)
        self.window, self.P = SoftWindow(NEURONS), nn.Linear(NEURONS + PATCH, 1)

    def forecast(self, x: Tensor, h: int, u: Tensor) -> Tensor:
        past = x.unfold(1, PATCH, 1)
        w, kappa = x.new_zeros(len(x), PATCH), self.window.begin(len(x))
        s = self.F.run(torch.cat([x[..., None], w[:, None].expand(-1, x.shape[1], -1)], 2), self.state(len(x)))
        said: list[Tensor] = []
        for _ in range(h):
            if said:
                s = self.F(torch.cat([said[-1], w], 1), s)
            seen = self.F.visible(s)
            w, kappa, _ = self.window(seen, kappa, past)
            said.append(self.P(torch.cat([seen, w], 1)))
        return torch.cat(said, 1)

    def loss(self, x: Tensor, y: Tensor, u: Tensor) -> Tensor:
        """Over all leads: where the window goes after BLOCK steps shows there alone."""
        return fn.mse_loss(self.forecast(x, y.shape[1], u), y)

    def state(self, b: int) -> Tensor:
        """The state before the window, [b, S]."""
        return torch.zeros(b, self.F.state_size)
