"""The limit of any forecast: the posterior mean over the 2 · 1,000 phases, given the m observed samples.

The noiseless waves repeat exactly every 1,000 samples (T = 1 divides s = 10), so a window is one of 2 · 1,000 known
windows plus noise. The mean of their continuations, weighted by likelihood, has the least mean squared error of all
predictors from m samples. A state carried for ever can know the phase; then only the noise of the truth remains.
"""

import numpy as np
import torch
from torch import Tensor

from streamer.paper.waves import PERIOD, Noise, Waves, gather
from streamer.tools.replay.signals import WAVES, Signal

ROWS = 500
"""Windows that are weighted at a time."""
SLACK = 1e-5
"""Tolerance at the bounds of uniform noise: samples are rounded, so noise may seem to exceed them by this much."""


def futures(m: int, h: int) -> tuple[Tensor, Tensor]:
    """Every possible noiseless window and its continuation: [2·1000, m], [2·1000, h]."""
    both = []
    for wave in WAVES:
        period = Signal(wave).clean(0, PERIOD).astype(np.float32)
        both.append(torch.from_numpy(period)[(torch.arange(PERIOD)[:, None] + torch.arange(m + h)) % PERIOD])
    whole = torch.cat(both)
    return whole[:, :m], whole[:, m:]


def posterior_mean(observed: Tensor, h: int, noise: Noise, a: float) -> Tensor:
    """The expected next h values after the observed windows [N, m]: [N, h]."""
    known, ahead = (part.to(observed.device) for part in futures(observed.shape[1], h))
    out = []
    for rows in torch.split(observed, ROWS):
        if noise == "gaussian":
            squares = rows.square().sum(1, keepdim=True) - 2 * rows @ known.T + known.square().sum(1)
            weight = torch.softmax(-squares / (2 * a**2), 1)
        else:
            far = torch.stack([(row - known).abs().amax(1) for row in rows])
            possible = far <= a + SLACK
            weight = possible / possible.sum(1, keepdim=True).clamp(min=1)
        out.append(weight @ ahead)
    return torch.cat(out)


def limit_forecasts(tests: Waves, m: int, h: int, noise: Noise, a: float = Signal().a) -> Tensor:
    """The posterior mean at every origin of the test data: [R, 2, h, N]."""
    rows, signals, windows = tests.origins.shape
    observed = gather(tests.x, tests.origins.flatten(1), -m, 0).transpose(1, 2).reshape(-1, m)
    return posterior_mean(observed, h, noise, a).view(rows, signals, windows, h).transpose(2, 3)


def clean_forecasts(tests: Waves, h: int) -> Tensor:
    """The noiseless values at every origin, [R, 2, h, N]: the best forecast of a state carried for ever."""
    period = torch.stack([torch.from_numpy(Signal(wave).clean(0, PERIOD).astype(np.float32)) for wave in WAVES])
    phase = tests.origins[:, :, None, :] % tests.points + torch.arange(h)[:, None].to(tests.origins.device)
    signals = torch.arange(len(WAVES))[:, None, None]
    return period[signals, phase.cpu() % PERIOD].to(tests.x.device)
