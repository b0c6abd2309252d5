"""A new stream and the journal in, the stream as it was out.

The state is a fold over the journal: what a snapshot does not hold yet, samples and outcomes of trainings in their
order, goes through the same code as live, so that the next forecasts are those of a daemon that never stopped, to the
last bit.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from streamer.forecast.network import NetworkForecaster
from streamer.models import KINDS
from streamer.records import ForecastBatch, Kind, Outgoing
from streamer.resume import snapshot
from streamer.resume.retold import Retold
from streamer.store import gathered
from streamer.store.journal import Journal, SeriesRow
from streamer.store.outcomes import TrainingOutcome, newest_network, outcomes_after, outgrown
from streamer.store.samples import NEWEST
from streamer.stream.state import StreamState
from streamer.swap.warm import WARM_WINDOWS, in_reader_thread, readable, warm_between

log = logging.getLogger("streamer.store")

CHUNK = 256
"""Ticks of each series that are read and replayed at a time."""


class Untold:
    """Collects the messages of forecasts that the broker may not have, as they are made anew.

    first: the first tick of each series, by id, whose forecast it may not have. messages: the newest `most` of them.
    last: the newest tick of each series, by id, whose forecast was collected.
    """

    def __init__(self, first: Mapping[int, int], most: int) -> None:
        self.first = first
        self.messages: deque[Outgoing] = deque(maxlen=most)
        self.last: dict[int, int] = {}

    def collect(self, stream: StreamState, forecasts: Iterable[ForecastBatch | None]) -> None:
        """Take those of these forecasts, as they are made, that it may not have."""
        for batch in forecasts:
            if batch is None or not self.first:
                continue
            idents = np.array([stream.series[row].ident for row in batch.ticks.rows.tolist()], np.int64)
            first = np.array([self.first.get(ident, NEWEST) for ident in idents.tolist()], np.int64)
            if (missed := batch.ticks.tick >= first).any():
                self.messages += stream.encode_again(batch[missed], time.time())
                self.last |= zip(idents[missed].tolist(), batch.ticks.tick[missed].tolist(), strict=True)


NOTHING_UNTOLD = Untold({}, 0)


@dataclass(slots=True)
class Replayed:
    """How many samples were, and the rows that have any after the last outcome."""

    samples: int = 0
    rows: set[int] = field(default_factory=set)

    def add(self, row: int, samples: int) -> None:
        """So many samples of one row, perhaps none."""
        self.samples += samples
        if samples:
            self.rows.add(row)


async def resumed(
    stream: StreamState, known: Mapping[int, SeriesRow], journal: Journal, untold: Untold = NOTHING_UNTOLD
) -> ForecastBatch | None:
    """Bring a new stream to the end of the journal, in a thread that ends when this is cancelled.

    `untold` takes the forecasts that the broker may not have, as far as the journal knows. Gives the newest one of each
    other series that had samples after the snapshot, to be published perhaps again.
    """
    begun = time.monotonic()
    replayed = await in_reader_thread(journal, lambda reader, halt: resume(stream, known, reader, halt, untold))
    if known:
        fields = stream.name, len(stream.series), replayed.samples, time.monotonic() - begun
        log.info("resumed stream=%s series=%d replayed=%d seconds=%.1f", *fields)
    series = (stream.series[row] for row in sorted(replayed.rows))
    rows = [one.row for one in series if untold.last.get(one.ident) != one.tick]
    return stream.repeat(np.array(rows, np.int64), time.time())


def resume(
    stream: StreamState,
    known: Mapping[int, SeriesRow],
    journal: Journal,
    halt: threading.Event,
    untold: Untold = NOTHING_UNTOLD,
) -> Replayed:
    """Bring a new stream to the end of the journal, with the series `known` by id.

    Where its trainings were of networks of other sizes, none of them counts.
    """
    found = snapshot.newest(stream, known, journal, untold.first)
    if found is None:
        replayed = resume_without_snapshot(stream, known, journal, halt)
    else:
        snapshot.load(stream, found, known, journal)
        replayed = catch_up(stream, known, journal, halt, untold)
    if stream.grid.fill:
        replayed.rows |= fill_overdue(stream)
    if stream.gather is not None:
        if gathered.outgrown(journal, stream.name, stream.gather.fit):
            log.warning("open ticks begin anew stream=%s: the configuration has changed", stream.name)
        stream.gather.restore(*gathered.read(journal, stream.name, stream.gather.fit))
    wanting = stream.panel.wants_networks and not stream.panel.networks
    if wanting and outgrown(journal, stream.name, stream.config.sizes):
        stream.start_over()
        text = "networks no longer fit stream=%s: the sizes under `model` have changed; the first training of these %s"
        log.warning(text, stream.name, "is due as soon as a series has enough samples")
    return replayed


def catch_up(
    stream: StreamState, known: Mapping[int, SeriesRow], journal: Journal, halt: threading.Event, untold: Untold
) -> Replayed:
    """Samples and outcomes after those that the stream knows of, in their order."""
    held = {one.ident for one in stream.series}
    for row in known.values():
        if row.ident not in held:
            stream.add(row.ident, row.topic, row.part)
    samples, retold = 0, Retold.of(stream, journal, {})
    for outcome in outcomes_after(journal, stream.name, stream.config.sizes, stream.promotions.version):
        spans = outcome.spans
        last = {one.ident: spans[one.ident].last if one.ident in spans else -1 for one in stream.series}
        samples += replay(stream, {}, last, journal, halt, retold, untold).samples
        conclude(stream, outcome, journal, halt)
    replayed = replay(stream, {}, {}, journal, halt, retold, untold)
    return Replayed(samples + replayed.samples, replayed.rows)


def resume_without_snapshot(
    stream: StreamState, known: Mapping[int, SeriesRow], journal: Journal, halt: threading.Event
) -> Replayed:
    """The newest networks, and the newest 4·m samples of every series as if they were its first."""
    if known:
        log.warning("no snapshot stream=%s: states are warmed on the newest samples", stream.name)
    sizes, before = stream.config.sizes, {}
    for row in known.values():
        stream.add(row.ident, row.topic, row.part)
        ticks, _ = journal.newest(row.ident, WARM_WINDOWS * sizes.m)
        if stream.grid.fill:
            ticks = ticks[ticks > ticks[-1] - WARM_WINDOWS * sizes.m]
        before[row.ident] = int(ticks[0]) - 1
    outcomes = outcomes_after(journal, stream.name, sizes, 0)
    created = {outcome.version: outcome.created for outcome in outcomes}
    found = [model for kind in KINDS if (model := newest_network(journal, stream.name, kind, sizes))]
    networks: dict[Kind, NetworkForecaster] = {}
    for model in found:
        networks |= readable(model, created.get(model.version, 0.0), stream)
    if outcomes:
        stream.conclude(networks, outcomes[-1].version)
    replayed = replay(stream, before, {}, journal, halt, Retold.of(stream, journal, before))
    for series in stream.series:
        row = known[series.ident]
        span = outcomes[-1].spans.get(series.ident) if outcomes else None
        held, newer = row.held, 0
        if not stream.grid.fill:
            held = journal.count(series.ident)
        if span:
            later, _, _ = journal.between(series.ident, span.last, NEWEST, NEWEST)
            newer = series.tick - span.last if stream.grid.fill else len(later)
        series.restore({"held": held, "anchor": row.anchor, "trained": max(0, held - newer) if span else 0})
    stream.recount_growth()
    return replayed


def replay(
    stream: StreamState,
    after: Mapping[int, int],
    until: Mapping[int, int],
    journal: Journal,
    halt: threading.Event,
    retold: Retold,
    untold: Untold = NOTHING_UNTOLD,
) -> Replayed:
    """Samples of all series after a tick, by default that they stand at, to a tick, by default their last.

    `after` and `until` give ticks by series id.
    """
    replayed = Replayed()
    going = {series.ident: series for series in stream.series}
    reached = {series.ident: after.get(series.ident, series.tick) for series in stream.series}
    while going and not halt.is_set():
        for ident, series in list(going.items()):
            ticks, times, values = journal.between(ident, reached[ident], until.get(ident, NEWEST), CHUNK)
            for tick, moment, x in zip(ticks, times, values.tolist(), strict=True):
                retold.tell(stream, series, tick)
                stream.replay_sample(series, tick, moment, tuple(x))
            replayed.add(series.row, len(ticks))
            reached[ident] = series.tick
            if len(ticks) < CHUNK:
                del going[ident]
        untold.collect(stream, stream.advance())
    finish(stream, until, retold)
    return replayed


def finish(stream: StreamState, until: Mapping[int, int], retold: Retold) -> None:
    """Tell and fill series, by id, up to these ticks; by default tell all that they were told."""
    for one in stream.series:
        if one.tick >= 0:
            retold.tell(stream, one, until.get(one.ident, NEWEST))
            if stream.grid.fill:
                stream.fill_up(one, until.get(one.ident, -1))
    NOTHING_UNTOLD.collect(stream, stream.advance())


def fill_overdue(stream: StreamState) -> set[int]:
    """Fill the ticks that are over by the time of the newest sample: the rows of their series."""
    sampled, rows = [one for one in stream.series if one.tick >= 0], set()
    for one in sampled:
        stream.ticks.quiet.expect(one)
    for one, ticks in stream.ticks.quiet.overdue(max((one.time for one in sampled), default=-math.inf)):
        stream.fill(one, ticks)
        rows.add(one.row)
    NOTHING_UNTOLD.collect(stream, stream.advance())
    return rows


def conclude(stream: StreamState, outcome: TrainingOutcome, journal: Journal, halt: threading.Event) -> None:
    """What a training led to, at the ticks it did."""
    networks: dict[Kind, NetworkForecaster] = {}
    for row in outcome.networks:
        networks |= readable(row, outcome.created, stream)
    spans = {ident: (span.first, span.last) for ident, span in outcome.spans.items()}
    warm_between(list(networks.values()), stream.series, spans, stream, journal, halt)
    stream.conclude(networks, outcome.version)
    for series in stream.series:
        if series.ident in outcome.spans:
            series.train_to(outcome.spans[series.ident].trained)
    stream.recount_growth()
