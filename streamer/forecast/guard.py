"""Values in, the same without what is far outside out, until it has come often enough to be believed.

One wild reading must not spoil means, least squares and usual values for days. So what learns from values gets them
clipped at BEYOND running deviations from a running level. A value beyond that is believed when it stays: from the
BELIEVED-th in a row on one side, the level is where it is. Persistence, scores and the journal have values as they
came.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.config import Stream
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, TickBatch

BEYOND = 10.0
"""Running deviations from the level at which values are clipped."""
BELIEVED = 3
LONG = 200
"""Ticks over which level and deviation are means, once there were as many."""
WARM = 20
"""Values before which none is clipped."""


class State(NamedTuple):
    """level, deviation [N, d]: running means of x and of |x - level|; seen [N] values; beyond [N, d] in a row, negative
    below; clipped [N] values so far."""

    level: Floats
    deviation: Floats
    seen: Ints
    beyond: NDArray[np.int16]
    clipped: Ints


class Guard(Rows):
    """The level and the deviation of all series."""

    name = "guard"
    clipped: Ints

    def __init__(self, config: Stream) -> None:
        self.d = config.sizes.d
        by_element = Column((self.d,))
        super().__init__(
            level=by_element,
            deviation=by_element,
            seen=Column(dtype=np.int64),
            beyond=Column((self.d,), np.int16),
            clipped=Column(dtype=np.int64),
        )

    def fit(self) -> list[int]:
        return [self.d]

    def calm(self, batch: TickBatch) -> TickBatch:
        """The same ticks, their values clipped; the level follows them."""
        x = batch.x.copy()
        calm_all(State(**self.arrays()), batch.rows, x)
        return TickBatch(batch.rows, x, batch.tick, batch.time, batch.fresh, batch.arrived)


@compiled
def calm_all(s: State, rows: Ints, x: Floats) -> None:
    """Clip values x [b, d] in place."""
    for i in range(len(rows)):
        row = rows[i]
        if np.isnan(x[i, 0]):
            continue
        s.seen[row] += 1
        any_clipped = False
        for c in range(x.shape[1]):
            level, deviation = s.level[row, c], s.deviation[row, c]
            off, limit = x[i, c] - level, BEYOND * deviation
            if s.seen[row] > WARM and deviation > 0 and abs(off) > limit:
                side = 1 if off > 0 else -1
                before = s.beyond[row, c]
                s.beyond[row, c] = before + side if before * side > 0 else side
                if abs(s.beyond[row, c]) < BELIEVED:
                    x[i, c] = level + side * limit
                    any_clipped = True
                else:
                    s.level[row, c], s.beyond[row, c] = x[i, c], 0
                    continue
            else:
                s.beyond[row, c] = 0
            share = 1 / min(s.seen[row], LONG)
            s.level[row, c] = level + share * (x[i, c] - level)
            s.deviation[row, c] = deviation + share * (abs(x[i, c] - level) - deviation)
        if any_clipped:
            s.clipped[row] += 1
