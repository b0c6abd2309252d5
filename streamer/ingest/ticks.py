"""Samples on their ticks in, tick batches out; between them ticks are missing, or have the last value (`fill: last`).

Which ticks are filled follows from the samples of a series alone: all between two of them, up to `max_gap` after each.
How soon depends on the stream's clock, the time of its newest sample: a tick of a quiet series is over once the clock
is a whole interval past it.
"""

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

import numpy as np

from streamer.ingest.grid import Grid, Series
from streamer.ingest.outlook import Outlook, Told
from streamer.records import TickBatch

LARGEST = 512
"""Rows of the largest tick batch: a long silence may end for all series of a stream in one message."""

MOST_BRIDGED = 500
"""Missing ticks of one series, bridged before its samples of one batch, after which its next gaps there are not."""

Cells = tuple[object, ...]
"""One tick, as a row of a tick batch."""


class Sample(NamedTuple):
    """A sample at a tick of a row, after so many missing ticks."""

    row: int
    values: tuple[float, ...]
    tick: int
    time: float
    fresh: bool
    arrived: float
    bridged: int

    def ticks(self) -> Iterator[Cells]:
        """The missing ticks, then its own."""
        missing = (np.nan,) * len(self.values)
        for tick in range(self.tick - self.bridged, self.tick):
            yield self.row, missing, tick, np.nan, False, self.arrived
        yield self[:6]


class Filled(NamedTuple):
    """Ticks of a row that have the last value: their numbers, and the anchor and interval of their grid."""

    row: int
    numbers: range
    missing: tuple[float, ...]
    anchor: float
    interval: float

    def ticks(self) -> Iterator[Cells]:
        """The panel knows their value; no message brought them, so they have no arrival."""
        for tick in self.numbers:
            yield self.row, self.missing, tick, self.anchor + tick * self.interval, False, np.nan


class Telling(NamedTuple):
    """What a row is told of a covariate once its ticks before are stepped."""

    row: int
    outlook: Outlook
    told: Told

    def ticks(self) -> Iterator[Cells]:
        """None; it is taken in when its turn comes."""
        self.outlook.take_in(self.row, self.told)
        yield from ()


Waiting = Sample | Filled | Telling


class TickBatcher:
    """Accepted samples of one stream, and ticks filled between them, in tick batches of at most one tick per series.

    One message can lead to `max_gap` ticks of every series, so ticks wait as `Sample` and `Filled`, by row, and are
    told one by one when their batch is made. quiet: the series of a stream whose ticks are filled. bridged: missing
    ticks before the samples that wait, by row: those of one series are stepped one after the other, and others wait.
    outlook: what is known of covariates, None for a stream without any.
    """

    def __init__(self, d: int, grid: Grid, outlook: Outlook | None = None) -> None:
        self.missing, self.grid, self.quiet, self.outlook = (np.nan,) * d, grid, Quiet(grid), outlook
        self.waiting: dict[int, list[Waiting]] = {}
        self.bridged: dict[int, int] = {}

    def crowded(self, row: int, gap: int) -> bool:
        """Whether as many missing ticks more would be too many of this row at once."""
        return gap > 0 and self.bridged.get(row, 0) + gap > max(MOST_BRIDGED, self.grid.max_gap)

    def add(self, series: Series, values: tuple[float, ...], advance: int, arrived: float) -> int:
        """One sample that lies `advance` ticks after the one before it: how many missing ticks it is after."""
        fresh = series.tick == 0 or advance > self.grid.longest
        bridged = 0 if fresh else max(0, advance - 1)
        if bridged:
            self.bridged[series.row] = self.bridged.get(series.row, 0) + bridged
        self.put(Sample(series.row, values, series.tick, series.time, fresh, arrived, bridged))
        return bridged

    def fill(self, series: Series, count: int) -> None:
        """So many ticks more with the last value."""
        assert self.grid.interval is not None
        numbers = range(series.tick + 1, series.tick + 1 + count)
        series.fill(count)
        self.put(Filled(series.row, numbers, self.missing, series.anchor, self.grid.interval))

    def tell(self, row: int, told: Told) -> None:
        """What the ticks of this row that are still to come know of a covariate."""
        assert self.outlook is not None
        self.put(Telling(row, self.outlook, told))

    def put(self, ticks: Waiting) -> None:
        """Ticks after those that wait of this row."""
        self.waiting.setdefault(ticks.row, []).append(ticks)

    def take(self) -> Iterator[TickBatch]:
        """The ticks that wait, in tick batches, each made when it is asked for."""
        waiting, self.waiting, self.bridged = self.waiting, {}, {}
        return map(self.with_outlook, unrolled(waiting)) if self.outlook else unrolled(waiting)

    def with_outlook(self, batch: TickBatch) -> TickBatch:
        """The same with what is known of covariates, as far as there are any."""
        return replace(batch, u=self.outlook.at(batch.rows, batch.tick)) if self.outlook else batch


def unrolled(waiting: dict[int, list[Waiting]]) -> Iterator[TickBatch]:
    """What waits of each row, a tick of all of them after the other."""
    going = {row: chain.from_iterable(one.ticks() for one in some) for row, some in waiting.items()}
    while going:
        rows = [*going]
        for at in range(0, len(rows), LARGEST):
            ticks = []
            for row in rows[at : at + LARGEST]:
                if (tick := next(going[row], None)) is None:
                    del going[row]
                else:
                    ticks.append(tick)
            if ticks:
                yield batched(ticks)


def batched(ticks: Iterable[Cells]) -> TickBatch:
    """One tick each of some series."""
    kinds = (np.int64, np.float64, np.int64, np.float64, np.bool_, np.float64)
    columns = zip(zip(*ticks, strict=True), kinds, strict=True)
    return TickBatch(*(np.array(column, kind) for column, kind in columns))


class Quiet:
    """The series of a stream by when their next tick is over, an entry for each that may be filled.

    An entry may be too early, since samples have come since: it is then put back. So the order in which ticks are
    filled does not depend on what came before a resume.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid, self.clock = grid, -math.inf
        self.queue: list[tuple[float, int, Series]] = []
        self.queued: set[int] = set()

    def restart(self, sampled: Iterable[Series]) -> None:
        """A series was set back: the clock is the newest time of all of these, as after a resume."""
        self.queue, self.queued, self.clock = [], set(), -math.inf
        if self.grid.fill:
            for series in sampled:
                self.clock = max(self.clock, series.time)
                self.expect(series)

    def expect(self, series: Series) -> None:
        """This series has a sample, or is filled up to the tick that it stands at."""
        if series.row not in self.queued and series.filled < self.grid.max_gap:
            self.queued.add(series.row)
            heapq.heappush(self.queue, (self.grid.over(series), series.row, series))

    def overdue(self, time: float) -> Iterator[tuple[Series, int]]:
        """There is a sample of this time: the series whose next tick is over, and how many are to be filled by then."""
        self.clock = max(self.clock, time)
        while self.queue and self.queue[0][0] <= self.clock:
            at, row, series = heapq.heappop(self.queue)
            self.queued.remove(row)
            if at == self.grid.over(series):
                yield series, self.grid.overdue(series, self.clock)  # and whoever asked has filled them
            self.expect(series)
