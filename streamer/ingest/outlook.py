"""What messages say of covariates in, what is known of them at the ticks of a series out, as of each of these ticks.

A message holds from the tick on that a series stood at when it came: the ticks after that one see it, those before
never do, however often they are run through again (resume, training).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.config import Stream
from streamer.config.covariate import Covariate
from streamer.part import Column, Rows
from streamer.records import Floats, Ints

F32 = NDArray[np.float32]
NEVER = -(2**62)
"""The tick of a message that has not come."""


class Told(NamedTuple):
    """What a message says to one series.

    column: of its covariate. tick: that the series stood at. anchor: the time of its tick 0 then. points: [n, 2] times
    and values, in the order of time.
    """

    column: int
    tick: int
    anchor: float
    points: Floats


class State(NamedTuple):
    """The arrays of an `Outlook`."""

    values: F32
    came: Ints
    base: Ints


class Outlook(Rows):
    """What is known of the C covariates of all series.

    values [N, C, S]: at the tick `base` [N] that a series stands at, and at the S - 1 after it, that of tick t in place
    t mod S; NaN where nothing is known. Of one that is observed the newest value is in place 0. S is the horizon and
    the largest age of any covariate. came [N, C]: the tick that the newest message came at. anchor [N]: the time of
    tick 0 by the newest message, NaN before one. until: the newest message that the journal has.
    missing [C]: forecasts since the start for which nothing was known of a covariate.
    """

    name = "covariates"
    values: F32
    came: Ints
    base: Ints
    anchor: Floats

    def __init__(
        self, covariates: Sequence[Covariate], interval: float | None, horizon: int, *, aggregated: bool = False
    ) -> None:
        """aggregated: a tick is the stretch of time that ends at its time."""
        assert interval is not None
        self.shift = 1.0 if aggregated else 0.5
        self.interval, self.horizon = interval, horizon
        self.age: Ints = np.array([one.ticks(interval, horizon) for one in covariates], np.int64)
        self.steps = np.array([one.between == "step" for one in covariates])
        self.observed = np.array([one.kind == "observed" for one in covariates])
        self.until = 0
        self.missing = np.zeros(len(covariates), np.int64)
        self.ahead = self.horizon + int(self.age.max()) + 1
        names = tuple(one.name for one in covariates)
        super().__init__(
            values=Column((len(names), self.ahead), np.float32, np.nan, axis=1, names=names),
            came=Column((len(names),), np.int64, NEVER, axis=1, names=names),
            base=Column(dtype=np.int64),
            anchor=Column(start=np.nan),
        )

    def fit(self) -> list[Any]:
        return [self.ahead, self.interval, self.shift, self.observed.tolist(), self.steps.tolist()]

    @property
    def state(self) -> State:
        return State(self.values, self.came, self.base)

    def take_in(self, row: int, told: Told) -> None:
        """A message that came while the series of this row stood at its tick; ticks that have other dates since the one
        before are unknown but for what this one says."""
        if abs(told.anchor - self.anchor[row]) > self.interval / 2:
            self.values[row, ~self.observed] = np.nan
        self.anchor[row] = told.anchor
        ticks = np.floor((told.points[:, 0] - told.anchor) / self.interval + self.shift)
        kept = np.abs(ticks) < 2.0**53
        known, c = told.points[kept, 1].astype(np.float32), told.column
        note(self.state, row, c, told.tick, ticks[kept].astype(np.int64), known, self.steps[c], self.observed)

    def noted(self, until: int) -> None:
        """The journal has the messages up to this one, which this outlook has taken in, or will before it is asked."""
        self.until = max(self.until, until)

    def at(self, rows: Ints, ticks: Ints) -> F32:
        """What is known at these ticks of these rows, not before any asked for earlier: [b, C, 1 + h]."""
        return look(self.state, rows, ticks, self.age, self.observed, self.horizon + 1)

    def count(self, u: F32) -> None:
        """Forecasts are made with this outlook."""
        self.missing += np.isnan(u).all(2).sum(0)


def outlook_of(config: Stream) -> Outlook | None:
    """That of a stream without series; None where it has no covariates."""
    if not config.covariates:
        return None
    aggregated = config.aggregation is not None
    return Outlook(config.covariates, config.interval, config.sizes.horizon, aggregated=aggregated)


def recalled(outlook: Outlook, told: Sequence[Told], ticks: Ints) -> F32:
    """What was known at these ticks [T] of one series, by all that it was told: [T, C, 1 + h].

    The outlook is a new one.
    """
    row, at = np.zeros(1, np.int64), 0
    outlook.grow(1)
    found = np.empty((len(ticks), len(outlook.age), outlook.horizon + 1), np.float32)
    for i, tick in enumerate(ticks.tolist()):
        while at < len(told) and told[at].tick < tick:
            outlook.take_in(0, told[at])
            at += 1
        found[i] = outlook.at(row, ticks[i : i + 1])[0]
    return found


@compiled
def move_on(s: State, row: int, tick: int, observed: NDArray[np.bool_]) -> None:
    """The series of a row stands at this tick: of what is past nothing is kept."""
    size = s.values.shape[2]
    for c in range(s.values.shape[1]):
        if not observed[c]:
            for t in range(s.base[row], min(tick, s.base[row] + size)):
                s.values[row, c, t % size] = np.nan
    s.base[row] = max(s.base[row], tick)


@compiled
def note(s: State, row: int, c: int, tick: int, at: Ints, known: F32, step: bool, observed: NDArray[np.bool_]) -> None:
    """Values `known` [n] of a covariate at the ticks `at` [n], in their order.

    Ticks between two of them are on the straight line, or have the value before. The last of steps lasts as long as the
    one before it.
    """
    move_on(s, row, tick, observed)
    s.came[row, c] = tick
    size, base, n = s.values.shape[2], s.base[row], len(at)
    if observed[c] and n:
        s.values[row, c, 0] = known[n - 1]
        return
    for i in range(n):
        last = i == n - 1
        end = at[i] + 1 if last else at[i + 1]
        if last and step and n > 1:
            end = at[i] + max(1, at[i] - at[i - 1])
        for t in range(max(at[i], base), min(end, base + size)):
            value = known[i]
            if not step and not last:
                share = np.float32(t - at[i]) / np.float32(end - at[i])
                value = known[i] * (np.float32(1) - share) + known[i + 1] * share
            s.values[row, c, t % size] = value


@compiled
def look(s: State, rows: Ints, ticks: Ints, age: Ints, observed: NDArray[np.bool_], count: int) -> F32:
    """What is known at these ticks and at those after them, `count` in all: [b, C, count]."""
    size, covariates = s.values.shape[2], s.values.shape[1]
    found = np.full((len(rows), covariates, count), np.nan, np.float32)
    for i in range(len(rows)):
        row, tick = rows[i], ticks[i]
        move_on(s, row, tick, observed)
        for c in range(covariates):
            if tick - s.came[row, c] > age[c]:
                continue
            if observed[c]:
                found[i, c, 0] = s.values[row, c, 0]
                continue
            for j in range(count):
                found[i, c, j] = s.values[row, c, (tick + j) % size]
    return found
