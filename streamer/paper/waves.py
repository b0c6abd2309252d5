"""The paper's data (section 5.1): both waves for every seed, and windows to train and to test on.

Axes: R rows (one per seed), N windows, T samples. A row holds both signals end to end, 2 · points samples; positions
count along the row. Values are not scaled, as in the paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from streamer.tools.replay.signals import WAVES, Signal

Noise = Literal["gaussian", "uniform"]

VALIDATION = 0.2
PERIOD = 1_000
"""Samples after which the noiseless waves repeat: T = 1 divides s = 10, and s/δt = 1,000."""
FRESH = 1_000_000
"""Added to the seed of the noise for test data."""
LONGEST = 80
"""Largest m: forecasts start only after this many samples, so that every m is tested on the same truths."""


@dataclass(frozen=True, slots=True)
class Waves:
    """Data x [R, 2·T], and for each signal of a row the positions of first truths: `origins` [R, 2, N]."""

    x: Tensor
    origins: Tensor

    @property
    def points(self) -> int:
        """T, samples of one signal."""
        return self.x.shape[1] // 2


def waves(seeds: Sequence[int], fresh: bool, windows: int, points: int, noise: Noise, device: torch.device) -> Waves:
    """The data of these seeds, with `windows` random origins on each signal; `fresh` draws the noise of the tests.

    Every origin has more than LONGEST samples before it, and LONGEST or more after it. Test data have the same phases
    as training data and other noise: the signals are periodic, so there are no other phases.
    """
    streams, origins = [], []
    for seed in seeds:
        number = 10 * seed + (FRESH if fresh else 0)
        streams.append(np.concatenate([Signal(w, noise=noise).noisy(points, number + i) for i, w in enumerate(WAVES)]))
        rng = np.random.default_rng(number + len(WAVES))
        drawn = rng.integers(LONGEST + 1, points - LONGEST, (len(WAVES), windows))
        origins.append(drawn + points * np.arange(len(WAVES))[:, None])
    x = torch.from_numpy(np.stack(streams).astype(np.float32)).to(device)
    return Waves(x, torch.from_numpy(np.stack(origins)).to(device))


def gather(x: Tensor, origins: Tensor, first: int, last: int) -> Tensor:
    """The samples first … last - 1 after each origin: x [R, 2·T], origins [R, N] -> [R, last - first, N]."""
    at = origins[:, None, :] + torch.arange(first, last, device=x.device)[:, None]
    return x.gather(1, at.flatten(1)).view(at.shape)
