"""Values in the units of a series in, values of mean 0 and standard deviation 1 out, and back."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streamer.part import Column, Rows
from streamer.records import Floats, Ints

LIMIT = 20.0
"""Standard deviations at which a scaled value is cut, so that one wild sample cannot fill a state for long."""

CONSTANT = 1e-13
"""Largest standard deviation, relative to the mean, that is taken for rounding and not for movement."""


def spread(variance: Floats, mean: Floats) -> Floats:
    """Standard deviations, with 1 for a constant series so that it can be divided by."""
    sd = np.sqrt(variance)
    return np.where(sd > CONSTANT * np.abs(mean), sd, 1.0)


class Scale(Rows):
    """Mean [N, d] of each series, its sum of squared deviations `m2` [N, d], and the `count` [N] of samples in them.

    A series that was trained on has those of its training window until the next swap. One that appeared later follows
    Welford's recurrence (Technometrics 4, 1962) for its first `follow` samples, then holds.
    """

    name = "scale"
    count: Floats
    mean: Floats
    m2: Floats

    def __init__(self, d: int, follow: int) -> None:
        self.follow = follow
        super().__init__(count=Column(), mean=Column((d,)), m2=Column((d,)))

    def fit(self) -> list[int]:
        return [self.follow, self.mean.shape[1]]

    def fix(self, scales: Mapping[int, tuple[Floats, Floats]]) -> None:
        """Row -> (mean [d], standard deviation [d]) of series that were trained on; they hold from now on."""
        for row, (mean, sd) in scales.items():
            self.count[row] = self.follow
            self.mean[row] = mean
            self.m2[row] = np.square(sd) * self.follow

    def renew(self, rows: Ints) -> None:
        """Those that hold go on to do so."""
        super().renew(rows[self.count[rows] < self.follow])

    def learn(self, rows: Ints, x: Floats) -> None:
        """Take in samples x [b, d], one per row, for the series that do not hold yet."""
        open_ = (self.count[rows] < self.follow) & ~np.isnan(x[:, 0])
        if open_.any():
            rows, x = rows[open_], x[open_]
            self.count[rows] += 1
            delta = x - self.mean[rows]
            self.mean[rows] += delta / self.count[rows, None]
            self.m2[rows] += delta * (x - self.mean[rows])

    def sd(self, rows: Ints) -> Floats:
        """Standard deviations [b, d]."""
        return spread(self.m2[rows] / np.maximum(self.count[rows, None], 1), self.mean[rows])

    def to_scaled(self, rows: Ints, x: Floats) -> NDArray[np.float32]:
        """[b, d] in units of the series -> scaled."""
        z = (x - self.mean[rows]) / self.sd(rows)
        return z.clip(-LIMIT, LIMIT).astype(np.float32)

    def to_units(self, rows: Ints, z: NDArray[np.float32]) -> Floats:
        """[b, h, d] scaled -> units of the series."""
        return self.mean[rows, None] + self.sd(rows)[:, None] * z
