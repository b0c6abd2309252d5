"""The usual and the last value of each slot of the day and the week: the forecasters "as usual" and "as yesterday"."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.config import Stream
from streamer.config.cycles import DAY
from streamer.forecast.calendar import Calendar
from streamer.forecast.guard import Guard
from streamer.forecast.pace import Pace
from streamer.forecast.slots import NONE, Slots, look_up, take_in_all
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, TickBatch

ALPHA_DAY, ALPHA_LONG = 0.07, 0.3
"""The least share of a slot's usual value that a new value replaces: in a cycle up to a day, and in a longer one."""


class Seasons(Rows):
    """The usual and the last value of each slot of each cycle, of all series.

    usual, last: [N, Σ slots, d], codes of slots.py, the slots of one cycle after those of another. origin, unit: [N, d]
    of the codes. seen: [N, slots] counts values in the slots of the shortest cycle. time [N] is that of the newest
    sample.
    """

    name = "seasons"
    usual: NDArray[np.int16]
    last: NDArray[np.int16]
    origin: Floats
    unit: Floats
    seen: NDArray[np.int16]
    time: Floats

    def __init__(self, config: Stream, pace: Pace, guard: Guard) -> None:
        self.calendar, self.pace, self.guard, d = Calendar(config), pace, guard, config.sizes.d
        self.interval = config.interval
        self.ahead = np.arange(1, config.sizes.horizon + 1)
        self.asked: tuple[TickBatch | None, list[Ints]] = None, []
        slots = [cycle.slots for cycle in self.calendar.cycles]
        codes = Column((sum(slots), d), np.int16, NONE)
        super().__init__(
            usual=codes,
            last=codes,
            origin=Column((d,), start=np.nan),
            unit=Column((d,)),
            seen=Column((min(slots, default=0),), np.int16),
            time=Column(),
        )

    def fit(self) -> list[Any]:
        return [*self.calendar.fit(), self.origin.shape[1], "codes"]

    @property
    def state(self) -> Slots:
        return Slots(self.usual, self.last, self.origin, self.unit, self.seen)

    def slots(self, tick: Ints, time: Floats) -> list[Ints]:
        """For each cycle the slot of these ticks and times, among the slots of all cycles."""
        found, begins = self.calendar.slots(tick, time), 0
        for i, cycle in enumerate(self.calendar.cycles):
            found[i] = found[i] + begins
            begins += cycle.slots
        return found

    def now(self, batch: TickBatch) -> Ints:
        """The slots of these ticks, [b, cycles]; a missing tick is one interval after the newest sample."""
        time = batch.time
        if self.interval is not None:
            missed = np.isnan(time)
            if missed.any():
                time = np.where(missed, self.time[batch.rows] + self.interval, time)
        slots = self.slots(batch.tick, time)
        return np.stack(slots, 1) if slots else np.zeros((len(batch.rows), 0), np.int64)

    def coming(self, batch: TickBatch) -> list[Ints]:
        """For each cycle the slots of the k·p ticks after these samples, [b, h]; several forecasters ask in turn."""
        if self.asked[0] is batch:
            return self.asked[1]
        time = batch.time[:, None] + self.ahead * self.pace.intervals(batch.rows)[:, None]
        self.asked = batch, self.slots(batch.tick[:, None] + self.ahead, time)
        return self.asked[1]

    def usual_at(self, rows: Ints, slots: Ints) -> Floats:
        """The usual values of slots [b, n] of these rows, [b, n, d]; NaN where a slot has seen nothing."""
        return look_up(self.usual, self.origin, self.unit, rows, slots)

    def last_at(self, rows: Ints, slots: Ints) -> Floats:
        """The last values, likewise."""
        return look_up(self.last, self.origin, self.unit, rows, slots)

    def take_in(self, batch: TickBatch) -> None:
        """One tick of each row; a missing one only moves the time on. A value that is NaN leaves its slot as it was."""
        slots = self.now(batch)
        missing = np.isnan(batch.time)
        if missing.any():
            if self.interval is not None:
                self.time[batch.rows[missing]] += self.interval
            batch, slots = batch[~missing], slots[~missing]
        self.time[batch.rows] = batch.time
        cycles = self.calendar.cycles
        alphas = np.array([ALPHA_LONG if cycle.period > DAY else ALPHA_DAY for cycle in cycles])
        counts = np.array([cycle.slots for cycle in cycles], np.int64)
        reach = self.guard.reach(batch.rows)
        take_in_all(self.state, batch.rows, batch.x, batch.tick, slots, alphas, counts, reach)

    def move(self, rows: Ints, by: Floats) -> None:
        """All values of these rows are higher by so much, [b, d]."""
        self.origin[rows] += by


class Seasonal(Rows):
    """The value of the same slot one cycle before (`last`), or that it usually has; the state is in `Seasons`."""

    version = 0

    def __init__(self, name: str, seasons: Seasons, cycle: int, *, last: bool) -> None:
        self.name, self.seasons, self.cycle, self.is_last = name, seasons, cycle, last
        super().__init__()

    def fit(self) -> None:
        return None

    def step(self, batch: TickBatch) -> None:
        """The seasons are stepped for all that read them."""

    def forecast(self, batch: TickBatch) -> Floats:
        slots = self.seasons.coming(batch)[self.cycle]
        return (self.seasons.last_at if self.is_last else self.seasons.usual_at)(batch.rows, slots)
