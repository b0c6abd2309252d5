"""Samples on their ticks in, tick batches out; between them ticks are missing, or have the last value (`fill: last`).

Which ticks are filled follows from the samples of a series alone: all between two of them, up to `max_gap` after each.
How soon depends on the stream's clock, the time of its newest sample: a tick of a quiet series is over once the clock
is a whole interval past it.
"""

import heapq
import math
from collections.abc import Iterator

import numpy as np

from streamer.ingest.grid import Grid, Series
from streamer.records import TickBatch


class TickBatcher:
    """Accepted samples of one stream, and ticks filled between them, in tick batches of at most one tick per series.

    quiet: the series of a stream whose ticks are filled.
    """

    def __init__(self, d: int, grid: Grid) -> None:
        self.missing, self.grid, self.quiet = (np.nan,) * d, grid, Quiet(grid)
        self.batches: list[list[tuple[object, ...]]] = []
        self.depths: dict[int, int] = {}

    def add(self, series: Series, values: tuple[float, ...], advance: int, arrived: float) -> int:
        """One sample that lies `advance` ticks after the one before it: how many missing ticks it is after."""
        row, tick = series.row, series.tick
        fresh, bridged = tick == 0 or advance > self.grid.longest, 0
        if advance > 1 and not fresh:
            bridged = advance - 1
            for back in range(bridged, 0, -1):
                self.put(row, (row, self.missing, tick - back, np.nan, False, arrived))
        self.put(row, (row, values, tick, series.time, fresh, arrived))
        return bridged

    def fill(self, series: Series) -> None:
        """One tick more with the last value, which the panel knows; no message brought it, so it has no arrival."""
        series.fill()
        self.put(series.row, (series.row, self.missing, series.tick, self.grid.time(series), False, np.nan))

    def put(self, row: int, cells: tuple[object, ...]) -> None:
        """One tick, in the first tick batch after those that have ticks of this series."""
        depth = self.depths.get(row, 0)
        self.depths[row] = depth + 1
        if depth == len(self.batches):
            self.batches.append([])
        self.batches[depth].append(cells)

    def take(self) -> list[TickBatch]:
        """The tick batches gathered since the last call."""
        kinds = (np.int64, np.float64, np.int64, np.float64, np.bool_, np.float64)
        taken = []
        for ticks in self.batches:
            columns = zip(zip(*ticks, strict=True), kinds, strict=True)
            taken.append(TickBatch(*(np.array(column, kind) for column, kind in columns)))
        self.batches, self.depths = [], {}
        return taken


class Quiet:
    """The series of a stream by when their next tick is over, an entry for each that may be filled.

    An entry may be too early, since samples have come since: it is then put back. So the order in which ticks are
    filled does not depend on what came before a resume.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid, self.clock = grid, -math.inf
        self.queue: list[tuple[float, int, Series]] = []
        self.queued: set[int] = set()

    def expect(self, series: Series) -> None:
        """This series has a sample, or is filled up to the tick that it stands at."""
        if series.row not in self.queued and series.filled < self.grid.max_gap:
            self.queued.add(series.row)
            heapq.heappush(self.queue, (self.grid.over(series), series.row, series))

    def overdue(self, time: float) -> Iterator[Series]:
        """There is a sample of this time: the series whose next tick is over, once for each tick to fill by then."""
        self.clock = max(self.clock, time)
        while self.queue and self.queue[0][0] <= self.clock:
            at, row, series = heapq.heappop(self.queue)
            self.queued.remove(row)
            if at == self.grid.over(series):
                yield series  # and whoever asked has filled its next tick
            self.expect(series)
