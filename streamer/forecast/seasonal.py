"""The usual and the last value of each slot of the day and the week: the forecasters "as usual" and "as yesterday"."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.config import Stream
from streamer.forecast.calendar import Calendar
from streamer.forecast.pace import Pace
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, TickBatch

ALPHA_DAY, ALPHA_LONG = 0.07, 0.3
"""The least share of a slot's usual value that a new value replaces: in a cycle up to a day, and in a longer one."""


class Seasons(Rows):
    """The usual and the last value of each slot of each cycle, of all series.

    For cycle i: usual_i [N, slots, d] and last_i [N, slots, d], as differences from `origin` [N, d], NaN where a slot
    has seen nothing; seen_i [N, slots] counts values, up to 255. time [N] is that of the newest sample.
    """

    name = "seasons"
    origin: Floats
    time: Floats

    def __init__(self, config: Stream, pace: Pace) -> None:
        self.calendar, self.pace, self.interval, d = Calendar(config), pace, config.interval, config.sizes.d
        self.ahead = np.arange(1, config.sizes.horizon + 1)
        self.asked: tuple[TickBatch | None, list[Ints]] = None, []
        columns: dict[str, Column] = {}
        for i, cycle in enumerate(self.calendar.cycles):
            values = Column((cycle.slots, d), np.float32, np.nan)
            columns |= {f"usual_{i}": values, f"last_{i}": values, f"seen_{i}": Column((cycle.slots,), np.uint8)}
        super().__init__(origin=Column((d,), start=np.nan), time=Column(), **columns)

    def fit(self) -> list[Any]:
        return [*self.calendar.fit(), self.origin.shape[1]]

    def usual(self, i: int) -> NDArray[np.float32]:
        """The usual values of cycle i, [N, slots, d], less the origin."""
        found: NDArray[np.float32] = getattr(self, f"usual_{i}")
        return found

    def last(self, i: int) -> NDArray[np.float32]:
        """The last values of cycle i, [N, slots, d], less the origin."""
        found: NDArray[np.float32] = getattr(self, f"last_{i}")
        return found

    def now(self, batch: TickBatch) -> list[Ints]:
        """For each cycle the slot of these ticks, [b]; a missing tick is one interval after the newest sample."""
        time = batch.time
        if self.interval is not None:
            missed = np.isnan(time)
            if missed.any():
                time = np.where(missed, self.time[batch.rows] + self.interval, time)
        return self.calendar.slots(batch.tick, time)

    def coming(self, batch: TickBatch) -> list[Ints]:
        """For each cycle the slots of the k·p ticks after these samples, [b, h]; several forecasters ask in turn."""
        if self.asked[0] is batch:
            return self.asked[1]
        time = batch.time[:, None] + self.ahead * self.pace.intervals(batch.rows)[:, None]
        self.asked = batch, self.calendar.slots(batch.tick[:, None] + self.ahead, time)
        return self.asked[1]

    def take_in(self, batch: TickBatch) -> None:
        """One tick of each row; a missing one only moves the time on. A value that is NaN leaves its slot as it was."""
        slots = self.now(batch)
        missing = np.isnan(batch.time)
        if missing.any():
            if self.interval is not None:
                self.time[batch.rows[missing]] += self.interval
            batch, slots = batch[~missing], [slot[~missing] for slot in slots]
        rows = batch.rows
        origin = self.origin[rows]
        self.origin[rows] = np.where(np.isnan(origin), batch.x, origin)
        self.time[rows] = batch.time
        x = (batch.x - self.origin[rows]).astype(np.float32)
        for i, (cycle, slot) in enumerate(zip(self.calendar.cycles, slots, strict=True)):
            usual, seen = self.usual(i), getattr(self, f"seen_{i}")
            alpha = ALPHA_LONG if cycle.period > 86_400 else ALPHA_DAY
            count, before, last = seen[rows, slot], usual[rows, slot], self.last(i)
            share = np.maximum(alpha, 1 / (count + 1.0)).astype(np.float32)[:, None]
            follows = np.where(np.isnan(before), x, before + share * (x - before))
            usual[rows, slot] = np.where(np.isnan(x), before, follows)
            last[rows, slot] = np.where(np.isnan(x), last[rows, slot], x)
            seen[rows, slot] = np.minimum(count, 254) + 1

    def move_origin(self, rows: Ints, origin: Floats) -> None:
        """Keep differences of these rows from another origin [b, d]."""
        by = origin - self.origin[rows]
        for i in range(len(self.calendar.cycles)):
            self.usual(i)[rows] -= by[:, None]
            self.last(i)[rows] -= by[:, None]
        self.origin[rows] = origin


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
        table = self.seasons.last(self.cycle) if self.is_last else self.seasons.usual(self.cycle)
        return look_up(table, self.seasons.origin, batch.rows, slots)


@compiled
def look_up(table: NDArray[np.float32], origin: Floats, rows: Ints, slots: Ints) -> Floats:
    """The values [b, h, d] of slots [b, h] of these rows in a table [N, slots, d] of differences from origin [N, d]."""
    (b, h), d = slots.shape, table.shape[2]
    out = np.empty((b, h, d))
    for i in range(b):
        for j in range(h):
            for c in range(d):
                out[i, j, c] = origin[rows[i], c] + table[rows[i], slots[i, j], c]
    return out
