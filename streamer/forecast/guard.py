"""Values in, the same without what is far outside out, until it has come often enough to be believed.

One wild reading must not spoil means, least squares and usual values for days. So values further than BEYOND running
deviations from a running level are clipped, to CLIPPED deviations, or taken for missing (`believed`). They are believed
when they stay: the BELIEVED-th in a row on one side up to ten times BEYOND, each further one up to ten times more. Then
the level is where they are. Persistence, scores and the journal have values as they came.

Where a series is, its first START values tell, the more the surer. What is far outside is clipped from the third on. If
one turns out to be far outside that was given as it came, what has learned from it begins anew.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.config import Stream
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, TickBatch

BEYOND, CLIPPED = 10.0, 3.0
"""Running deviations from the level: beyond which values are not believed at once, and to which they are clipped."""
BELIEVED = 3
LONG, SLOW = 200, 10_000
"""Ticks over which level and deviation, and the slow deviation, are means, once there were as many. The slow one still
knows the size of a change after a long standstill."""
LONGEST = 400
"""Values in a row that are counted: from there on, all are believed."""
FAR = 1024.0
"""Running deviations from the origin of differences beyond which single precision would lose digits of a change."""
START = 7
"""Values whose median is the first level: up to three of them may be wild."""
FEWEST = 3
"""Values from which on one can be far outside: up to START, BEYOND counts 10^0.5 times as much for each one less."""


class State(NamedTuple):
    """level, deviation, slow [N, d]: running means of x and, over LONG and SLOW ticks, of |x - level|; seen [N] values;
    beyond [N, d] in a row, negative below; clipped [N] values so far. first [N, START, d]: the first values, and later
    the distances of those that differ from a constant. given [N, START, d]: the first values after clipping, NaN where
    the series has begun anew since."""

    level: Floats
    deviation: Floats
    slow: Floats
    seen: Ints
    beyond: NDArray[np.int16]
    clipped: Ints
    first: Floats
    given: Floats


class Guard(Rows):
    """The level and the deviation of all series."""

    name = "guard"
    level: Floats
    deviation: Floats
    slow: Floats
    seen: Ints
    clipped: Ints

    def __init__(self, config: Stream) -> None:
        self.d = config.sizes.d
        by_element = Column((self.d,))
        super().__init__(
            level=by_element,
            deviation=by_element,
            slow=by_element,
            seen=Column(dtype=np.int64),
            beyond=Column((self.d,), np.int16),
            clipped=Column(dtype=np.int64),
            first=Column((START, self.d)),
            given=Column((START, self.d)),
        )

    def fit(self) -> list[int]:
        return [self.d, START]

    def calm(self, batch: TickBatch) -> tuple[TickBatch, Ints]:
        """The same ticks, their values clipped; and the rows that begin anew with them: a value before was wild, or all
        were the same. The level follows the values.
        """
        x = batch.x.copy()
        anew = calm_all(State(**self.arrays()), batch.rows, x)
        return replace(batch, x=x), batch.rows[anew]

    def bounds(self, rows: Ints) -> tuple[Floats, Floats]:
        """Least and largest values [b, d] that a forecast of these series can have; until START values, any."""
        level, reach = self.level[rows], BEYOND * np.maximum(self.deviation[rows], self.slow[rows])
        reach[self.guessing(rows)] = np.inf
        return level - reach, level + reach

    def bound(self, rows: Ints, mean: Floats) -> None:
        """Put forecasts mean [b, models, h, d] within the bounds; NaN stays."""
        bound_all(mean, *self.bounds(rows))

    def guessing(self, rows: Ints) -> NDArray[np.bool_]:
        """Whether these series have had too few values to know which of them were wild."""
        return self.seen[rows] < START

    def far(self, batch: TickBatch, origin: Floats) -> NDArray[np.bool_]:
        """From which calm values an origin [b, d] of differences is too far away, [b, d]; none that are missing."""
        found: NDArray[np.bool_] = np.abs(batch.x - origin) > self.reach(batch.rows)
        return found

    def reach(self, rows: Ints) -> Floats:
        """How far from a calm value of these series is far, [b, d]."""
        reach: Floats = FAR * self.deviation[rows]
        return reach


def believed(batch: TickBatch, calm: TickBatch) -> TickBatch:
    """The same ticks, NaN where a value was clipped."""
    return replace(batch, x=np.where(batch.x == calm.x, batch.x, np.nan))


@compiled
def bound_all(mean: Floats, low: Floats, high: Floats) -> None:
    """Forecasts mean [b, models, h, d] of at least low and at most high [b, d], in place."""
    for i in range(mean.shape[0]):
        for m in range(mean.shape[1]):
            for c in range(mean.shape[3]):
                least, most = low[i, c], high[i, c]
                for j in range(mean.shape[2]):
                    x = mean[i, m, j, c]
                    mean[i, m, j, c] = least if x < least else most if x > most else x


@compiled
def calm_all(s: State, rows: Ints, x: Floats) -> NDArray[np.bool_]:
    """Clip values x [b, d] in place; which of these series begin anew, [b]."""
    anew = np.zeros(len(rows), np.bool_)
    for i in range(len(rows)):
        row = rows[i]
        if np.isnan(x[i, 0]):
            continue
        s.seen[row] += 1
        constant, clipped, seen = s.slow[row].max() == 0, False, s.seen[row]
        for c in range(x.shape[1]):
            came = x[i, c]
            if seen <= START:
                x[i, c], wild = begin(s, row, c, came)
                anew[i] |= wild
            if seen >= START:
                if s.slow[row, c] == 0:
                    anew[i] |= moves(s, row, c, came) and constant
                x[i, c] = calmed(s, row, c, came)
            clipped |= came != x[i, c]
        if anew[i]:
            s.given[row, : seen - 1] = np.nan
        s.clipped[row] += clipped
    return anew


@compiled
def begin(s: State, row: int, c: int, x: float) -> tuple[float, bool]:
    """One of the first values, clipped if it is far outside, and whether one is that was given before.

    Level and deviation are medians of all values so far.
    """
    newest = s.seen[row] - 1
    s.first[row, newest, c] = s.given[row, newest, c] = x
    values = s.first[row, : newest + 1, c].copy()
    level = np.median(values)
    deviation = np.median(np.abs(values - level))
    s.level[row, c], s.deviation[row, c], s.slow[row, c] = level, deviation, deviation
    if newest + 1 < START and (newest + 1 < FEWEST or deviation == 0):
        return x, False
    limit, wild = BEYOND * 10 ** ((START - 1 - newest) / 2) * deviation, False
    for j in range(newest):
        wild |= abs(s.given[row, j, c] - level) > limit
    if abs(x - level) > limit:
        x = s.given[row, newest, c] = level + np.sign(x - level) * deviation * CLIPPED
    return x, wild


@compiled
def moves(s: State, row: int, c: int, x: float) -> bool:
    """Whether a constant ends: the BELIEVED-th value that differs from it gives its median distance as deviation."""
    off, count = abs(x - s.level[row, c]), s.beyond[row, c]
    if off == 0:
        return False
    s.first[row, count, c], s.beyond[row, c] = off, count + 1
    if count + 1 < BELIEVED:
        return False
    deviation = np.median(s.first[row, :BELIEVED, c].copy())
    s.deviation[row, c], s.slow[row, c], s.beyond[row, c] = deviation, deviation, 0
    return True


@compiled
def calmed(s: State, row: int, c: int, x: float) -> float:
    """A value, clipped if it is far outside and not believed; level and deviations follow it."""
    level: float = s.level[row, c]
    deviation: float = s.deviation[row, c]
    off, limit = x - level, BEYOND * max(deviation, s.slow[row, c] / 10)
    if limit == 0:
        return level
    if abs(off) > limit:
        side, before = 1 if off > 0 else -1, s.beyond[row, c]
        in_row = min(abs(before) + 1, LONGEST) if before * side > 0 else 1
        reach = BEYOND * max(deviation, s.slow[row, c]) * 10.0 ** (in_row - BELIEVED + 1)
        if in_row >= BELIEVED and abs(off) <= reach:
            s.level[row, c], s.beyond[row, c] = x, 0
            s.deviation[row, c] = max(deviation, abs(off) / BEYOND)
            return x
        s.beyond[row, c] = side * in_row
        x = level + side * limit * (CLIPPED / BEYOND)
    else:
        s.beyond[row, c] = 0
    size, seen = min(abs(off), limit), s.seen[row]
    s.level[row, c] = level + (x - level) / min(seen, LONG)
    s.deviation[row, c] = deviation + (size - deviation) / min(seen, LONG)
    s.slow[row, c] += (size - s.slow[row, c]) / min(seen, SLOW)
    return x
