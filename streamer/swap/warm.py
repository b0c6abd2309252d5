"""New networks in, the same with the states that the journal's newest samples lead to out."""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streamer.config import Stream
from streamer.errors import StateError
from streamer.forecast.network import NetworkForecaster
from streamer.ingest.grid import Grid, Series, Stretch, stretches
from streamer.ingest.outlook import Told, outlook_of, recalled
from streamer.models.frozen import LARGEST
from streamer.records import Floats, Ints, Kind, TickBatch
from streamer.store.covariates import by_series
from streamer.store.journal import Journal
from streamer.store.outcomes import NetworkRow
from streamer.stream.state import StreamState
from streamer.train.weights import network_of

log = logging.getLogger("streamer.store")

WARM_WINDOWS = 4
"""States are warmed on this many times m ticks, well past what a trained network remembers."""

T = TypeVar("T")
Run = tuple[Stretch, NDArray[np.bool_], NDArray[np.float32] | None]
"""Ticks of one series, where it starts anew [T], and what was known of covariates there [T, C, 1 + h]."""


def forecaster_of(row: NetworkRow, created: float, stream: StreamState) -> NetworkForecaster:
    """A forecaster with these weights and scales, all states zero, with room for the stream's series.

    `created`: when its training outcome was. Series that no training has seen follow their own first samples. Raises
    StateError where weights or scales do not fit.
    """
    sizes = stream.config.sizes
    if any(len(one) != sizes.d for scale in row.scales.values() for one in scale):
        raise StateError(f"scales: not of {sizes.d} elements")
    made = NetworkForecaster.of(network_of(row.kind, sizes, row.weights), stream.config, row.version, created)
    made.grow(stream.room)
    row_of = {series.ident: series.row for series in stream.series}
    made.scale.fix({row_of[ident]: scale for ident, scale in row.scales.items() if ident in row_of})
    return made


def readable(row: NetworkRow, created: float, stream: StreamState) -> dict[Kind, NetworkForecaster]:
    """The forecaster of a network from the journal, by its kind; nothing, which is logged, where it is damaged."""
    try:
        return {row.kind: forecaster_of(row, created, stream)}
    except StateError as damaged:
        fields = stream.name, row.kind, row.version, damaged
        log.error("network stream=%s kind=%s version=%d is damaged and left out: %.200s", *fields)
        return {}


async def in_reader_thread(journal: Journal, work: Callable[[Journal, threading.Event], T]) -> T:
    """Do work in a thread, on a connection of its own that only reads; cancelling this sets the event."""
    halt = threading.Event()

    def run() -> T:
        reader = Journal.read(journal.path.parent, journal.damage)
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
        found: dict[Series, list[Stretch]] = {}
        for one in tile:
            ticks, times, values = journal.dated(one.ident, count, upto[one.ident])
            if len(ticks):
                found[one] = [newest_stretch(ticks, times, values, stream.grid, upto[one.ident], count)]
                firsts[one.ident] = int(found[one][0].ticks[0])
        step_all(networks, runs_of(found, stream, journal), halt)
    return firsts


def newest_stretch(ticks: Ints, times: Floats, values: Floats, grid: Grid, upto: int, count: int) -> Stretch:
    """The newest stretch without a long gap in these samples of a series.

    Where ticks are filled it ends at the tick `upto` and begins at a sample, the first of the newest `count` ticks.
    """
    begin = min(int(np.searchsorted(ticks, upto - count, "right")), len(ticks) - 1) if grid.fill else 0
    *_, tail = stretches(ticks[begin:], times[begin:], values[begin:], grid, until=upto if grid.fill else None)
    return tail


def warm_between(
    networks: Sequence[NetworkForecaster], series: Sequence[Series], spans: Mapping[int, tuple[int, int]],
    stream: StreamState, journal: Journal, halt: threading.Event,
) -> None:  # fmt: skip
    """Run the ticks first … last of each series, by id, through the networks."""
    for tile in tiles([one for one in series if one.ident in spans]):
        found: dict[Series, list[Stretch]] = {}
        for one in tile:
            first, last = spans[one.ident]
            ticks, times, values = journal.dated(one.ident, last - first + 1, last)
            inside = ticks >= first
            if inside.any():
                found[one] = [*stretches(ticks[inside], times[inside], values[inside], stream.grid, until=last)]
        step_all(networks, runs_of(found, stream, journal), halt)


def tiles(series: Sequence[Series]) -> list[Sequence[Series]]:
    """As many at a time as a network steps at once."""
    return [series[begin : begin + LARGEST] for begin in range(0, len(series), LARGEST)]


def runs_of(found: Mapping[Series, Sequence[Stretch]], stream: StreamState, journal: Journal) -> dict[int, Run]:
    """Stretches of each series, with what was known of covariates at their ticks, by row."""
    told: Mapping[int, Sequence[Told]] = {}
    if outlook := stream.ticks.outlook:
        names = [one.name for one in stream.config.covariates]
        since = {one.ident: int(parts[0].ticks[0]) - outlook.ahead for one, parts in found.items()}
        told = by_series(journal, stream.name, names, since)
    return {one.row: joined(parts, stream.config, told.get(one.ident, ())) for one, parts in found.items()}


def joined(parts: Sequence[Stretch], config: Stream, told: Sequence[Told]) -> Run:
    """Stretches of a series one after another, each a new start."""
    fresh = np.concatenate([np.arange(len(part.x)) == 0 for part in parts])
    whole = Stretch(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    outlook = outlook_of(config)
    return whole, fresh, recalled(outlook, told, whole.ticks) if outlook else None


def step_all(networks: Sequence[NetworkForecaster], runs: Mapping[int, Run], halt: threading.Event) -> None:
    """One tile of series by row, tick by tick, their newest ticks side by side."""
    for back in range(max((len(fresh) for _, fresh, _ in runs.values()), default=0), 0, -1):
        if halt.is_set():
            return
        rows = [row for row, (_, fresh, _) in runs.items() if len(fresh) >= back]
        some = [runs[row] for row in rows]
        columns = [(run.x[-back], run.ticks[-back], run.times[-back], new[-back]) for run, new, _ in some]
        x, tick, time, fresh = (np.array(column) for column in zip(*columns, strict=True))
        known = [u[-back] for _, _, u in some if u is not None]
        batch = TickBatch(np.array(rows, np.int64), x, tick, time, fresh, time, np.array(known) if known else None)
        for network in networks:
            network.step(batch)
