"""Times of samples in, the typical seconds between two of a series out: the median of its newest gaps.

A median, so that an outage, a clock that jumps or a first sample dated 1970 does not move it.
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
    """For streams without an interval: gaps [N, 31] in seconds, gap i in place i mod 31; count [N] of gaps so far; time
    [N] of the newest sample, NaN before the first."""

    name = "pace"
    gaps: Floats
    count: Ints
    time: Floats

    def __init__(self, config: Stream) -> None:
        self.interval = config.interval
        super().__init__(gaps=Column((KEPT,)), count=Column(dtype=np.int64), time=Column(start=np.nan))

    def fit(self) -> list[int]:
        return [KEPT]

    def take_in(self, batch: TickBatch) -> None:
        """The samples of one tick."""
        take_in_all(self.gaps, self.count, self.time, batch.rows, batch.time)

    def intervals(self, rows: Ints) -> Floats:
        """Seconds between two samples of each of these series, [b]; 0 where that is not known yet."""
        if self.interval is not None:
            return np.full(len(rows), self.interval)
        return medians(self.gaps, self.count, rows)


@compiled
def take_in_all(gaps: Floats, count: Ints, newest: Floats, rows: Ints, time: Floats) -> None:
    """The times [b] of one sample of each row."""
    for i in range(len(rows)):
        row = rows[i]
        gap = time[i] - newest[row]
        if gap > LEAST:
            gaps[row, count[row] % KEPT] = gap
            count[row] += 1
        newest[row] = time[i]


@compiled
def medians(gaps: Floats, count: Ints, rows: Ints) -> Floats:
    """The median gap of each row, of an even number the smaller one of the middle: an odd first gap is a long one."""
    out = np.zeros(len(rows))
    for i in range(len(rows)):
        known = min(count[rows[i]], KEPT)
        if known:
            middle = np.sort(gaps[rows[i], :known])[(known - 1) // 2]
            out[i] = np.rint(middle * FINEST) / FINEST
    return out
