"""New networks in, the same with the states that the journal's newest samples lead to out."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streamer.forecast.network import NetworkForecaster
from streamer.forecast.scale import Scale
from streamer.ingest.grid import Grid, Series, segments
from streamer.models.frozen import LARGEST
from streamer.records import Floats, Ints, TickBatch
from streamer.store.journal import Journal
from streamer.store.outcomes import NetworkRow
from streamer.stream.state import StreamState
from streamer.train.weights import network_of

WARM_WINDOWS = 4
"""States are warmed on this many times m ticks, well past what a trained network remembers."""

T = TypeVar("T")
Run = tuple[Floats, NDArray[np.bool_]]
"""Ticks of one series: values [T, d], NaN where missing, and where it starts anew [T]."""


def forecaster_of(row: NetworkRow, created: float, stream: StreamState) -> NetworkForecaster:
    """A forecaster with these weights and scales, all states zero, with room for the stream's series.

    `created`: when its training outcome was. Series that no training has seen follow their own first samples.
    """
    sizes = stream.config.sizes
    scale = Scale(sizes.d, stream.config.first_training)
    made = NetworkForecaster(network_of(row.kind, sizes, row.weights), scale, row.version, created)
    made.grow(stream.room)
    row_of = {series.ident: series.row for series in stream.series}
    scale.fix({row_of[ident]: scale for ident, scale in row.scales.items() if ident in row_of})
    return made


async def in_reader_thread(journal: Journal, work: Callable[[Journal, threading.Event], T]) -> T:
    """Do work in a thread, on a connection of its own that only reads; cancelling this sets the event."""
    halt = threading.Event()

    def run() -> T:
        reader = Journal.read(journal.path.parent)
        try:
            return work(reader, halt)
        finally:
            reader.close()

    try:
        return await asyncio.to_thread(run)
    finally:
        halt.set()


def warm_newest(
    networks: Sequence[NetworkForecaster], series: Sequence[Series], upto: Mapping[int, int], stream: StreamState,
    journal: Journal, halt: threading.Event,
) -> dict[int, int]:  # fmt: skip
    """Run the newest ticks of each series, up to that in `upto`, through the networks: series id -> first tick of them.

    A series is taken from its last long gap on, and from a sample on where ticks between them are filled.
    """
    firsts: dict[int, int] = {}
    count = WARM_WINDOWS * stream.config.sizes.m
    for tile in tiles(series):
        runs: dict[int, Run] = {}
        for one in tile:
            ticks, values = journal.newest(one.ident, count, upto[one.ident])
            if len(ticks):
                firsts[one.ident], tail = newest_stretch(ticks, values, stream.grid, upto[one.ident], count)
                runs[one.row] = joined([tail])
        step_all(networks, runs, halt)
    return firsts


def newest_stretch(ticks: Ints, values: Floats, grid: Grid, upto: int, count: int) -> tuple[int, Floats]:
    """The first tick and the values [T, d] of the newest stretch without a long gap in these samples of a series.

    Where ticks are filled it ends at the tick `upto` and begins at a sample, the first of the newest `count` ticks.
    """
    if not grid.fill:
        *_, tail = segments(ticks, values, grid.max_gap)
        return int(ticks[-1]) - len(tail) + 1, tail
    begin = min(int(np.searchsorted(ticks, upto - count, "right")), len(ticks) - 1)
    *_, tail = segments(ticks[begin:], values[begin:], grid.max_gap, fill=True, until=upto)
    return upto - len(tail) + 1, tail


def warm_between(
    networks: Sequence[NetworkForecaster], series: Sequence[Series], spans: Mapping[int, tuple[int, int]],
    stream: StreamState, journal: Journal, halt: threading.Event,
) -> None:  # fmt: skip
    """Run the ticks first … last of each series, by id, through the networks."""
    grid = stream.grid
    for tile in tiles([one for one in series if one.ident in spans]):
        runs: dict[int, Run] = {}
        for one in tile:
            first, last = spans[one.ident]
            ticks, values = journal.newest(one.ident, last - first + 1, last)
            inside = ticks >= first
            if inside.any():
                known = ticks[inside], values[inside]
                runs[one.row] = joined(list(segments(*known, grid.max_gap, fill=grid.fill, until=last)))
        step_all(networks, runs, halt)


def tiles(series: Sequence[Series]) -> list[Sequence[Series]]:
    """As many at a time as a network steps at once."""
    return [series[begin : begin + LARGEST] for begin in range(0, len(series), LARGEST)]


def joined(parts: Sequence[Floats]) -> Run:
    """Segments of a series one after another, each a new start."""
    fresh = np.concatenate([np.arange(len(part)) == 0 for part in parts])
    return np.concatenate(parts), fresh


def step_all(networks: Sequence[NetworkForecaster], runs: Mapping[int, Run], halt: threading.Event) -> None:
    """One tile of series by row, tick by tick, their newest ticks side by side."""
    for back in range(max((len(x) for x, _ in runs.values()), default=0), 0, -1):
        if halt.is_set():
            return
        rows = [row for row, (x, _) in runs.items() if len(x) >= back]
        x = np.stack([runs[row][0][-back] for row in rows])
        fresh = np.array([runs[row][1][-back] for row in rows])
        none = np.full(len(rows), np.nan)
        batch = TickBatch(np.array(rows, np.int64), x, np.full(len(rows), -1), none, fresh, none)
        for network in networks:
            network.step(batch)
