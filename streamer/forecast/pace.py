"""Times of samples in, the typical seconds between two of a series out: the median of its newest gaps.

A median, so that an outage, a clock that jumps or a first sample dated 1970 does not move it; of an even number the
smaller one of the middle, as an odd first gap is a long one.
"""

import numpy as np

from streamer.compiled import compiled
from streamer.config import Stream
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, TickBatch

KEPT = 31
"""Gaps of which the median is taken: fifteen odd ones in a row do not move it, sixteen of a new pace are followed."""
LEAST = 2e-6
"""Seconds: a shorter gap is none, but that of samples that a clock set back dated one just after the other."""
FINEST = 1e6
"""Steps in a second that an interval is rounded to, as times are."""


class Pace(Rows):
    """For streams without an interval: gaps [N, 31] in seconds, gap i in place i mod 31; their median [N], 0 for none;
    count [N] of gaps so far; time [N] of the newest sample, NaN before the first."""

    name = "pace"
    gaps: Floats
    median: Floats
    count: Ints
    time: Floats

    def __init__(self, config: Stream) -> None:
        self.interval = config.interval
        super().__init__(gaps=Column((KEPT,)), median=Column(), count=Column(dtype=np.int64), time=Column(start=np.nan))

    def fit(self) -> list[int | str]:
        return [KEPT, "median"]

    def take_in(self, batch: TickBatch) -> None:
        """The samples of one tick."""
        take_in_all(self.gaps, self.median, self.count, self.time, batch.rows, batch.time)

    def intervals(self, rows: Ints) -> Floats:
        """Seconds between two samples of each of these series, [b]; 0 where that is not known yet."""
        if self.interval is not None:
            return np.full(len(rows), self.interval)
        seconds: Floats = np.rint(self.median[rows] * FINEST) / FINEST
        return seconds


@compiled
def take_in_all(gaps: Floats, median: Floats, count: Ints, newest: Floats, rows: Ints, time: Floats) -> None:
    """The times [b] of one sample of each row."""
    for i in range(len(rows)):
        row = rows[i]
        gap = time[i] - newest[row]
        if gap > LEAST:
            slot, known = count[row] % KEPT, min(count[row] + 1, KEPT)
            before, gaps[row, slot] = gaps[row, slot], gap
            count[row] += 1
            if count[row] <= KEPT or side(gap, median[row]) != side(before, median[row]):
                median[row] = np.sort(gaps[row, :known])[(known - 1) // 2]
        newest[row] = time[i]


@compiled
def side(gap: float, median: float) -> int:
    """Where a gap lies beside a median, which stays where it is when one gives way to another on the same side."""
    return int(gap > median) - int(gap < median)
