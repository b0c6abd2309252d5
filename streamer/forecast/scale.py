"""Values in the units of a series in, values in units that a network sees it in out, and back."""

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.part import Column, Rows
from streamer.records import Floats, Ints

LIMIT = 20.0
"""Standard deviations at which a scaled value is cut, so that one wild sample cannot fill a state for long."""

CONSTANT = 1e-13
"""Largest standard deviation, relative to the mean, that is taken for rounding and not for movement."""


TICKS, SLOW = 500, 5_000
"""Ticks over which running units are means, and over which the slow deviation is one."""
LEAST = 0.01
"""Least deviation, as a share of the slow one."""


def spread(variance: Floats, mean: Floats) -> Floats:
    """Standard deviations, with 1 for a constant series so that it can be divided by."""
    sd = np.sqrt(variance)
    return np.where(sd > CONSTANT * np.abs(mean), sd, 1.0)


class Units(Rows):
    """What a network sees a series in: z = (x - mean) / deviation, [N, d] each."""

    name = "scale"
    mean: Floats

    @abstractmethod
    def fix(self, scales: Mapping[int, tuple[Floats, Floats]]) -> None:
        """Row -> (mean [d], standard deviation [d]) of series that were trained on."""

    @abstractmethod
    def learn(self, rows: Ints, x: Floats) -> None:
        """Take in samples x [b, d], one per row, NaN where there is none."""

    def move(self, rows: Ints, by: Floats) -> None:
        """These series have jumped by so much, [b, d]; a network sees them as if they had not."""
        self.mean[rows] += by

    @abstractmethod
    def sd(self, rows: Ints) -> Floats:
        """Standard deviations [b, d]."""

    def to_scaled(self, rows: Ints, x: Floats) -> NDArray[np.float32]:
        """[b, d] in units of the series -> scaled."""
        z = (x - self.mean[rows]) / self.sd(rows)
        return z.clip(-LIMIT, LIMIT).astype(np.float32)

    def to_units(self, rows: Ints, z: NDArray[np.float32]) -> Floats:
        """[b, h, d] scaled -> units of the series."""
        return self.mean[rows, None] + self.sd(rows)[:, None] * z


class Running(Units):
    """A running mean and deviation, over `TICKS`; a forecast is in those of the tick that it was made at.

    count [N] samples seen, up to `SLOW`; variance and slow [N, d]: mean squares of what differs from the mean, over
    `TICKS` and over `SLOW` ticks.
    """

    count: Floats
    variance: Floats
    slow: Floats

    def __init__(self, d: int) -> None:
        super().__init__(count=Column(), mean=Column((d,)), variance=Column((d,)), slow=Column((d,)))

    def fit(self) -> list[int]:
        return [TICKS, SLOW, self.mean.shape[1]]

    def fix(self, scales: Mapping[int, tuple[Floats, Floats]]) -> None:
        """Nothing: they run on."""

    def learn(self, rows: Ints, x: Floats) -> None:
        follow_all(self.count, self.mean, self.variance, self.slow, rows, x)

    def sd(self, rows: Ints) -> Floats:
        return deviation(self.mean[rows], self.variance[rows], self.slow[rows])


def deviation(mean: Floats, variance: Floats, slow: Floats) -> Floats:
    """At least a share `LEAST` of the slow one: after a flat stretch the next change is not a thousand."""
    return spread(np.maximum(variance, LEAST**2 * slow), mean)


@compiled
def follow_all(count: Floats, mean: Floats, variance: Floats, slow: Floats, rows: Ints, x: Floats) -> None:
    """Take in samples x [b, d], one of each row."""
    for i in range(len(rows)):
        row = rows[i]
        if np.isnan(x[i, 0]):
            continue
        count[row] = min(count[row] + 1.0, SLOW)
        share, slowly = max(1 / TICKS, 1 / count[row]), 1 / count[row]
        for c in range(x.shape[1]):
            step = x[i, c] - mean[row, c]
            mean[row, c] += share * step
            variance[row, c] = (1 - share) * (variance[row, c] + share * step * step)
            slow[row, c] = (1 - slowly) * (slow[row, c] + slowly * step * step)


def running_units(x: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation [T, d] after each tick of one series x [T, d], NaN where there is no sample."""
    mean, variance, slow = trail(x)
    return mean, deviation(mean, variance, slow)


@compiled
def trail(x: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, variance and slow variance after each tick."""
    count, rows = np.zeros(1), np.zeros(1, np.int64)
    now = np.zeros((3, 1, x.shape[1]))
    out = np.empty((3, *x.shape))
    for t in range(len(x)):
        follow_all(count, now[0], now[1], now[2], rows, x[t : t + 1])
        out[:, t] = now[:, 0]
    return out[0], out[1], out[2]


class Scale(Units):
    """Mean [N, d] of each series, its sum of squared deviations `m2` [N, d], and the `count` [N] of samples in them.

    A series that was trained on has those of its training window until the next swap. One that appeared later follows
    Welford's recurrence (Technometrics 4, 1962) for its first `follow` samples, then holds.
    """

    count: Floats
    m2: Floats

    def __init__(self, d: int, follow: int) -> None:
        self.follow = follow
        super().__init__(count=Column(), mean=Column((d,)), m2=Column((d,)))

    def fit(self) -> list[int]:
        return [self.follow, self.mean.shape[1]]

    def fix(self, scales: Mapping[int, tuple[Floats, Floats]]) -> None:
        """As in `Units`; these hold from now on."""
        for row, (mean, sd) in scales.items():
            self.count[row] = self.follow
            self.mean[row] = mean
            self.m2[row] = np.square(sd) * self.follow

    def renew(self, rows: Ints) -> None:
        """Those that hold go on to do so."""
        super().renew(rows[self.count[rows] < self.follow])

    def learn(self, rows: Ints, x: Floats) -> None:
        """As in `Units`, for the series that do not hold yet."""
        open_ = (self.count[rows] < self.follow) & ~np.isnan(x[:, 0])
        if open_.any():
            rows, x = rows[open_], x[open_]
            self.count[rows] += 1
            delta = x - self.mean[rows]
            self.mean[rows] += delta / self.count[rows, None]
            self.m2[rows] += delta * (x - self.mean[rows])

    def sd(self, rows: Ints) -> Floats:
        return spread(self.m2[rows] / np.maximum(self.count[rows, None], 1), self.mean[rows])
