"""Time-delay networks, focused and distributed (Waibel et al. 1989; Haykin, Neural Networks, chapter 13)."""

import torch
from torch import Tensor, nn

from streamer.study.rivals.contract import Direct

NEURONS = 50
CHANNELS = 16
"""Neurons of each layer of the distributed network, whose second layer sees their past as well."""


class Focused(Direct):
    """Delays at the input alone: x̄ = P·tanh(W·[x_t … x_{t-m+1}] + b)."""

    def __init__(self, m: int, h: int) -> None:
        super().__init__()
        self.W, self.P = nn.Linear(m, NEURONS), nn.Linear(NEURONS, h)

    def forecast(self, x: Tensor, h: int, u: Tensor) -> Tensor:
        return self.P(torch.tanh(self.W(x)))[:, :h]  # type: ignore[no-any-return]


class Distributed(Direct):
    """Delays at both layers: a_t = tanh(Σ_i V_i·x_{t-i} + b), x̄ = P·tanh(Σ_j W_j·a_{t-j} + c); together m samples."""

    def __init__(self, m: int, h: int) -> None:
        super().__init__()
        first = m // 2
        self.V, self.W = nn.Conv1d(1, CHANNELS, first), nn.Conv1d(CHANNELS, CHANNELS, m + 1 - first)
        self.P = nn.Linear(CHANNELS, h)

    def forecast(self, x: Tensor, h: int, u: Tensor) -> Tensor:
        a = torch.tanh(self.V(x[:, None]))
        return self.P(torch.tanh(self.W(a))[:, :, 0])[:, :h]  # type: ignore[no-any-return]
