"""Errors of the published mixture one tick ahead in, series whose errors have become larger out.

A one-sided Page-Hinkley test per series (Page, Continuous inspection schemes, Biometrika 41, 1954): the sum of what
errors are above their mean since the newest training, less TOLERATED of it, never below 0. Beyond LIMIT the series has
drifted, and stays so until the next training. Errors are sizes, in units of that mean, and count up to WILD of it.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from streamer.compiled import compiled
from streamer.config import Stream
from streamer.part import Arrays, Column, Rows
from streamer.records import Floats, Ints, TickBatch

WARM = 100
"""Errors of which the mean is taken before any is compared with it."""
TOLERATED = 0.5
"""Share of the mean by which errors may be larger for ever."""
WILD = 5.0
"""Times the mean that one error may count for: a glitch is no drift."""
LIMIT = 300.0
"""Means. Errors that become three times as large reach it in some 400 ticks (streamer/train/README.md)."""


class State(NamedTuple):
    """seen [N] errors since the newest training; mean [N, d] of their sizes; excess [N], the sum that is tested."""

    seen: Ints
    mean: Floats
    excess: Floats


class Drift(Rows):
    """The test of every series of a stream. `series`: how many have drifted."""

    name = "error-drift"
    seen: Ints
    mean: Floats
    excess: Floats

    def __init__(self, config: Stream) -> None:
        self.d, self.series = config.sizes.d, 0
        super().__init__(seen=Column(dtype=np.int64), mean=Column((self.d,)), excess=Column())

    def fit(self) -> list[int]:
        return [self.d]

    def restore(self, labels: Mapping[str, list[str]], saved: Arrays) -> None:
        super().restore(labels, saved)
        self.series = int((self.excess > LIMIT).sum())

    def take_in(self, batch: TickBatch, predicted: Floats) -> None:
        """The truths of one tick of each row, and what had been predicted for the newest tick of every row, [N, d]."""
        self.series += examine_all(State(**self.arrays()), batch.rows, batch.x, predicted)

    def begin_anew(self) -> None:
        """A training has come to an outcome: what errors usually are is to be seen again."""
        self.series = 0
        for array in self.arrays().values():
            array[:] = 0


@compiled
def examine_all(s: State, rows: Ints, x: Floats, predicted: Floats) -> int:
    """Truths x [b, d]: how many of these rows have drifted now."""
    drifted, d = 0, x.shape[1]
    for i in range(len(rows)):
        row, size = rows[i], 0.0
        if s.excess[row] > LIMIT or np.isnan((predicted[row] - x[i]).sum()):
            continue
        s.seen[row] += 1
        for c in range(d):
            error, mean = abs(predicted[row, c] - x[i, c]), s.mean[row, c]
            if s.seen[row] > WARM and mean > 0:
                error = min(error, WILD * mean)
                size += error / mean / d
            s.mean[row, c] = mean + (error - mean) / s.seen[row]
        if s.seen[row] > WARM:
            s.excess[row] = max(0.0, s.excess[row] + size - 1 - TOLERATED)
            drifted += s.excess[row] > LIMIT
    return drifted
