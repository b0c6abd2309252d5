"""NARX: a network on delayed outputs and known inputs (Narendra and Parthasarathy 1990; Lin et al. 1996)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from streamer.study.rivals.contract import Rival

NEURONS = 50


class Narx(Rival):
    """x̄_{t+1} = P·tanh(W·[x_t … x_{t-m+1}, u_{t+1}] + b); forecasts are fed back as if they were samples.

    `parallel`: it learns so as well. Otherwise, in series-parallel form, it learns from true samples at every step.
    """

    def __init__(self, m: int, c: int, parallel: bool) -> None:
        super().__init__()
        self.parallel = parallel
        self.W, self.P = nn.Linear(m + c, NEURONS), nn.Linear(NEURONS, 1)

    def next(self, x: Tensor, u: Tensor) -> Tensor:
        """The next value from a window x [.., m] and what is known of its tick, u [.., c]: [.., 1]."""
        return self.P(torch.tanh(self.W(torch.cat([x, u], -1))))  # type: ignore[no-any-return]

    def forecast(self, x: Tensor, h: int, u: Tensor) -> Tensor:
        m = x.shape[1]
        for i in range(h):
            x = torch.cat([x, self.next(x[:, i:], u[:, m + i])], 1)
        return x[:, m:]

    def loss(self, x: Tensor, y: Tensor, u: Tensor) -> Tensor:
        if self.parallel:
            return super().loss(x, y, u)
        m, h = x.shape[1], y.shape[1]
        windows = torch.cat([x, y], 1)[:, :-1].unfold(1, m, 1)
        return fn.mse_loss(self.next(windows, u[:, m : m + h])[..., 0], y)
