"""Readings of a stream in, samples out: one for each tick (`aggregate`), or what a counter counted (`difference`).

A tick is a stretch of `interval` seconds since 1970; its sample has the time of its end. It closes when a later reading
of its series comes, or by the clock, `grace` seconds after it should have ended. What is kept of a series is a fold
over its readings: the journal has those since the whole was written down, so that a start goes on within the tick.
"""

import heapq
from bisect import insort
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from streamer.config import Stream
from streamer.errors import Rejected
from streamer.ingest.aggregate import fold_of, outcome
from streamer.ingest.clock import Clocks
from streamer.ingest.counter import Counter
from streamer.ingest.grid import CLOCK_STEP
from streamer.ingest.measure import measure, unmeasured
from streamer.ingest.ongoing import Ongoing, Values

Key = tuple[str, str]
"""Source and part of a series."""
FEW = 4096
"""Readings after which the whole is written down, at the earliest."""
UNKNOWN = -1.0
"""When the clock closes a tick that was open at a start: to be found once the clock is known."""
NOTHING: list["Made"] = []


class Made(NamedTuple):
    """A sample of a series, or why there is none; back: a clock was set back before it."""

    time: float
    values: Values | Rejected
    back: bool = False


class Gather:
    """All series of a stream, by source and part.

    since: readings that came since the whole was last written down; begun: it was, since the start. overdue: series by
    when the clock closes their tick. fit: what a start must be of to go on from what was written down.
    """

    def __init__(self, config: Stream) -> None:
        name, self.interval, self.grace = config.aggregation, config.interval, config.grace
        self.name, self.fold = name or "last", fold_of(name or "last")
        self.max_gap, self.most = config.max_gap, config.max_series
        self.fills = self.name in ("sum", "count") and config.difference is None
        self.counter = config.difference and Counter(
            config.difference, self.interval if name else None, config.max_gap + 1
        )
        self.finish = measure(config) if config.counted else unmeasured
        self.ongoing: dict[Key, Ongoing] = {}
        self.overdue: list[tuple[float, Key]] = []
        self.clocks = Clocks()
        self.since, self.begun = 0, False
        self.fit = orjson.dumps(
            [config.payload.field, config.sizes.d, config.interval, name, config.difference is not None]
        ).decode()

    def take(self, key: Key, time: float, values: Values, arrived: float | None, dated: bool = True) -> list[Made]:
        """One reading, dated where it has a time of its own: the samples that it leads to, most often none.

        arrived: None for one that was taken before. Raises Rejected: late, duplicate, series_limit.
        """
        if (state := self.ongoing.get(key)) is None:
            state = self.open(key)
        interval = self.interval
        if interval is None:
            made = self.single(key, state, time, values, arrived, dated)
        elif time // interval != state.window or not state.count:
            made = self.turn(key, state, time, values, arrived, dated)
        else:
            made, later = NOTHING, time > state.newest
            if dated and later:
                state.times.append(time)
            elif dated:
                self.check(state, time)
            state.values = self.fold(state, values, time)
            if later:
                state.newest = time
            elif time < state.oldest:
                state.oldest = time
            state.count += 1
        self.since += 1
        if self.clocks.late:
            self.clocks.agree(key)
        return made

    def open(self, key: Key) -> Ongoing:
        """A series whose first reading is here. Raises Rejected (series_limit)."""
        if len(self.ongoing) >= self.most:
            raise Rejected("series_limit", f"streams[].max_series is {self.most}; raise it, or narrow the topics")
        state = self.ongoing[key] = Ongoing()
        return state

    def check(self, state: Ongoing, time: float) -> None:
        """Raises Rejected where a late reading of the open tick has come before, or may have."""
        if time in state.times:
            raise Rejected("duplicate", "a reading of this time is in the tick already")
        if len(state.times) == state.times.maxlen:
            if time < state.times[0]:
                raise Rejected("late", f"older than the newest {len(state.times)} readings of its tick")
            state.times.popleft()
        insort(state.times, time)

    def turn(
        self, key: Key, state: Ongoing, time: float, values: Values, arrived: float | None, dated: bool
    ) -> list[Made]:
        """A reading that is not of the open tick: that one closes and its own opens. Raises Rejected: late."""
        assert self.interval is not None
        window = int(time // self.interval)
        if window == state.window:
            raise Rejected("late", "its tick is closed")
        back = window < state.window
        if back:
            self.late(key, time, arrived, "its tick is closed")
        made = [*self.closed(state), *self.between(state, window)]
        state.window, state.count, state.values, state.back = window, 1, values, back
        state.newest = state.oldest = time
        state.times.clear()
        if dated:
            state.times.append(time)
        if arrived is not None:
            state.due = arrived + (window + 1) * self.interval - time + self.grace
            heapq.heappush(self.overdue, (state.due, key))
        return made

    def single(
        self, key: Key, state: Ongoing, time: float, values: Values, arrived: float | None, dated: bool
    ) -> list[Made]:
        """A reading that is a tick of its own, as there is no interval. Raises Rejected: late, duplicate."""
        back = False
        if not dated:
            time = max(time, state.newest + CLOCK_STEP)
        elif time == state.newest:
            raise Rejected("duplicate", "its time is that of the newest reading")
        elif time < state.newest:
            self.late(key, time, arrived, "before the newest reading")
            back = True
        state.newest = time
        return [self.finished(state, time, values, time, back)]

    def late(self, key: Key, time: float, arrived: float | None, detail: str) -> None:
        """Raises Rejected for a late reading, unless so many came that their times count from now on."""
        if arrived is not None and not self.clocks.disagree(key, time, arrived):
            raise Rejected("late", detail)

    def closed(self, state: Ongoing) -> Iterator[Made]:
        """The sample of the open tick, which is open no longer."""
        if state.count:
            assert self.interval is not None
            values, state.count = outcome(self.name, state), 0
            yield self.finished(state, (state.window + 1) * self.interval, values, state.window, state.back)

    def between(self, state: Ongoing, window: int) -> Iterator[Made]:
        """Ticks without a reading count and sum up to 0, unless there are more than can be bridged."""
        if self.fills and 0 <= state.window < window - 1 <= state.window + self.max_gap:
            assert self.interval is not None
            for empty in range(state.window + 1, window):
                yield self.finished(state, (empty + 1) * self.interval, (0.0,) * len(state.values), empty, False)

    def finished(self, state: Ongoing, time: float, values: Values, at: float, back: bool) -> Made:
        """The sample of a tick, of a counter what it has counted."""
        try:
            counted = self.counter.count(state, values, at) if self.counter else values
            return Made(time, self.finish(counted), back)
        except Rejected as why:
            return Made(time, why)

    def close(self, key: Key) -> list[Made]:
        """The clock closes the tick of a series."""
        self.since += 1
        state = self.ongoing.get(key)
        return [*self.closed(state)] if state else []

    def due(self, now: float) -> Iterator[Key]:
        """The series whose tick the clock closes now; whoever asked closes it."""
        while self.overdue and self.overdue[0][0] <= now:
            due, key = heapq.heappop(self.overdue)
            state = self.ongoing.get(key)
            if state is None or not state.count or state.due != due:
                continue
            if due == UNKNOWN:
                assert self.interval is not None
                state.due = max((state.window + 1) * self.interval, now) + self.grace
                heapq.heappush(self.overdue, (state.due, key))
            else:
                yield key

    @property
    def grown(self) -> bool:
        """Whether it is time to write down the whole."""
        return not self.begun or self.since > FEW + 4 * len(self.ongoing)

    def whole(self) -> bytes:
        """All that is known, to be written down; readings after it are `since` from now on."""
        self.since, self.begun = 0, True
        return orjson.dumps([[*key, state.saved()] for key, state in self.ongoing.items()])

    def restore(self, whole: bytes | None, since: Iterable[bytes]) -> None:
        """Go on from the whole and the readings since then, which go through the same code as live."""
        for source, part, saved in orjson.loads(whole) if whole else ():
            self.ongoing[source, part] = Ongoing.restored(saved)
        for some in since:
            for record in orjson.loads(some):
                self.repeat(record)
        for key, state in self.ongoing.items():
            if state.count:
                state.due = UNKNOWN
                heapq.heappush(self.overdue, (UNKNOWN, key))

    def repeat(self, record: list[Any]) -> None:
        """A reading that was taken before, a tick that the clock closed, or a series that was forgotten: what came
        of it is in the journal."""
        source, part, time, values, dated = record
        if values is None:
            self.ongoing.pop((source, part), None)
        elif time is None:
            self.close((source, part))
        else:
            self.take((source, part), time, tuple(values), None, dated)
