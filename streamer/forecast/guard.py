"""Values in, the same without what is far outside out, until it has come often enough to be believed.

One wild reading must not spoil means, least squares and usual values for days. So values further than BEYOND running
deviations from a running level are clipped, to CLIPPED deviations, or taken for missing (`believed`). They are believed
when they stay: the BELIEVED-th in a row on one side up to ten times BEYOND, each further one up to ten times more. Then
the level is where they are. Persistence, scores and the journal have values as they came.
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
WARM = 20
"""Values before which none is clipped."""


class State(NamedTuple):
    """level, deviation, slow [N, d]: running means of x and, over LONG and SLOW ticks, of |x - level|; seen [N] values;
    beyond [N, d] in a row, negative below; clipped [N] values so far."""

    level: Floats
    deviation: Floats
    slow: Floats
    seen: Ints
    beyond: NDArray[np.int16]
    clipped: Ints


class Guard(Rows):
    """The level and the deviation of all series."""

    name = "guard"
    deviation: Floats
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
        )

    def fit(self) -> list[int]:
        return [self.d]

    def far(self, batch: TickBatch, origin: Floats) -> NDArray[np.bool_]:
        """From which calm values an origin [b, d] of differences is too far away, [b, d]; none that are missing."""
        found: NDArray[np.bool_] = np.abs(batch.x - origin) > FAR * self.deviation[batch.rows]
        return found

    def calm(self, batch: TickBatch) -> TickBatch:
        """The same ticks, their values clipped; the level follows them."""
        x = batch.x.copy()
        calm_all(State(**self.arrays()), batch.rows, x)
        return replace(batch, x=x)


def believed(batch: TickBatch, calm: TickBatch) -> TickBatch:
    """The same ticks, NaN where a value was clipped."""
    return replace(batch, x=np.where(batch.x == calm.x, batch.x, np.nan))


@compiled
def calm_all(s: State, rows: Ints, x: Floats) -> None:
    """Clip values x [b, d] in place."""
    for i in range(len(rows)):
        row = rows[i]
        if np.isnan(x[i, 0]):
            continue
        s.seen[row] += 1
        if s.seen[row] == 1:
            s.level[row] = x[i]
        any_clipped = False
        for c in range(x.shape[1]):
            level, deviation = s.level[row, c], s.deviation[row, c]
            off, limit = x[i, c] - level, BEYOND * max(deviation, s.slow[row, c] / 10)
            if s.seen[row] > WARM and abs(off) > limit:
                side = 1 if off > 0 else -1
                before = s.beyond[row, c]
                in_row = min(abs(before) + 1, LONGEST) if before * side > 0 else 1
                reach = BEYOND * max(deviation, s.slow[row, c]) * 10.0 ** (in_row - BELIEVED + 1)
                if in_row >= BELIEVED and (abs(off) <= reach or limit == 0):
                    s.level[row, c], s.beyond[row, c] = x[i, c], 0
                    s.deviation[row, c] = max(deviation, abs(off) / BEYOND)
                    continue
                s.beyond[row, c] = side * in_row
                x[i, c] = level + side * limit * (CLIPPED / BEYOND)
                any_clipped = True
            else:
                s.beyond[row, c] = 0
            size = min(abs(off), limit) if s.seen[row] > WARM else abs(off)
            s.level[row, c] = level + (x[i, c] - level) / min(s.seen[row], LONG)
            s.deviation[row, c] = deviation + (size - deviation) / min(s.seen[row], LONG)
            s.slow[row, c] += (size - s.slow[row, c]) / min(s.seen[row], SLOW)
        if any_clipped:
            s.clipped[row] += 1
