"""Values in, the same without what is far outside out, until it has come often enough to be believed.

One wild reading must not spoil means, least squares and usual values for days. So values further than BEYOND running
deviations from a running level are clipped, to CLIPPED deviations, or taken for missing (`believed`). They are believed
when they stay: the BELIEVED-th in a row on one side up to ten times BEYOND, each further one up to ten times more. Then
the level is where they are. Persistence, scores and the journal have values as they came.

A series that has jumped there is *away*: what was learned of it is moved along by the jump, as it tells how the series
moves and not where. Back at the old level all is moved back at once, and a device that was off for a night leaves no
trace. A series that has jumped TRIPS times lately does so by nature, and is learned from as it comes; so is one that
has not been through a day yet. A counter, which has only climbed for LONG changes, has jumped when it falls below its
level.

Where a series is, its first START values tell, the more the surer. What is far outside is clipped from the third on. If
one turns out to be far outside that was given as it came, what has learned from it begins anew.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.config.cycles import DAY
from streamer.forecast.levels import BEYOND, LONG, START, TRIPS, Jumps, Now, State, calm_all, calm_series
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, TickBatch

NONE: Ints = np.zeros(0, np.int64)
FAR = 1024.0
"""Running deviations from the origin of differences beyond which single precision would lose digits of a change."""


class Calm(NamedTuple):
    """What the guard makes of a batch: the same ticks, their values clipped; which rows begin anew with them, [b], as a
    value before was wild or all were the same; and by how much what was learned of each row moves, [b, d]."""

    ticks: TickBatch
    anew: NDArray[np.bool_]
    moved: Floats


class Guard(Rows):
    """The level and the deviation of all series."""

    name = "guard"
    level: Floats
    deviation: Floats
    slow: Floats
    seen: Ints
    clipped: Ints
    away: Floats
    settling: NDArray[np.uint8]

    def __init__(self, d: int, interval: float | None, limits: tuple[float, float] = (-np.inf, np.inf)) -> None:
        """interval: seconds between two ticks, None if not known; limits: of forecasts."""
        self.d, self.limits = d, limits
        day = DAY / interval if interval else LONG
        self.known = int(np.ceil(min(day, LONG)))
        by_element = Column((self.d,))
        super().__init__(
            level=by_element,
            deviation=by_element,
            slow=by_element,
            seen=Column(dtype=np.int64),
            beyond=Column((self.d,), np.int16),
            clipped=Column(dtype=np.int64),
            newest=by_element,
            newest_at=Column((self.d,), np.int64),
            rises=Column((self.d,), np.uint8),
            away=by_element,
            home=Column((self.d, 2)),
            trips=Column((self.d,), np.float32),
            settling=Column((self.d,), np.uint8),
            first=Column((START, self.d)),
            given=Column((START, self.d)),
        )

    def fit(self) -> list[int]:
        return [self.d, START, TRIPS]

    @property
    def state(self) -> tuple[State, Jumps]:
        arrays = self.arrays()
        state, jumps = ({name: arrays[name] for name in kind._fields} for kind in (State, Jumps))
        return State(**state), Jumps(**jumps)

    def calm(self, batch: TickBatch, leads: Ints = NONE, issued: Floats | None = None) -> Calm:
        """Take in these ticks: the level follows the values.

        issued [b, L, d] had been published for them at these leads: what a series jumps from.
        """
        x, moved = batch.x.copy(), np.zeros(batch.x.shape)
        said = np.zeros((len(x), 0, self.d)) if issued is None else issued
        now = Now(batch.rows, x, batch.tick, leads, said, moved)
        anew = calm_all(*self.state, now, self.known)
        return Calm(replace(batch, x=x), anew, moved)

    def settled(self, batch: TickBatch) -> TickBatch:
        """The same ticks, NaN where a series that is away may soon be back."""
        return replace(batch, x=np.where(self.settling[batch.rows] > 0, np.nan, batch.x))

    def bounds(self, rows: Ints) -> tuple[Floats, Floats]:
        """Least and largest values [b, d] that a forecast of these series can have, within those of the configuration;
        until START values, these."""
        level, reach = self.level[rows], BEYOND * np.maximum(self.deviation[rows], self.slow[rows])
        reach[self.guessing(rows)] = np.inf
        return np.clip(level - reach, *self.limits), np.clip(level + reach, *self.limits)

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


def as_learned(x: Floats, interval: float | None) -> Floats:
    """Values [T, d] of one series as what learns from them has them after the last: clipped where far outside, and
    those before a jump moved along with it. NaN stays.

    Where the series is, its first LONG values tell from the first one on.
    """
    guard = Guard(x.shape[1], interval)
    guard.grow(1)
    for learned in (x[:LONG].copy(), x.copy()):
        moved = np.zeros(x.shape)
        calm_series(*guard.state, learned, moved, guard.known)
    found: Floats = learned + (moved.sum(0) - moved.cumsum(0))
    return found


def believed(batch: TickBatch, calm: Calm) -> TickBatch:
    """The same ticks, NaN where a value was clipped."""
    return replace(batch, x=np.where(batch.x == calm.ticks.x, batch.x, np.nan))


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
