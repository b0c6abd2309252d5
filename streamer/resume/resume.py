"""A lane in, its snapshot out; a snapshot and the journal in, the lane as it was.

The state is a fold over the journal: what a snapshot does not hold yet, samples and swaps in their order, goes through
the same code as live, so that the next forecasts are those of a daemon that never stopped, to the last bit.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.forecast.network import NetworkForecaster
from streamer.ingest.topics import joined
from streamer.models import KINDS, Kind
from streamer.records import ForecastBatch
from streamer.store import snapshots
from streamer.store.journal import Journal, SeriesRow
from streamer.store.models import TrainingOutcome, fingerprint, model, newest_model, newest_version, outcomes_after
from streamer.store.samples import NEWEST
from streamer.store.snapshots import Snapshot
from streamer.stream.state import Counts, StreamState
from streamer.swap.warm import WARM_WINDOWS, forecaster_of, in_reader_thread, warm_between

log = logging.getLogger("streamer.store")

FORMAT = 2
"""Of snapshots: to be raised when their arrays change, or what the arrays mean."""
CHUNK = 256
"""Ticks of each series that are read and replayed at a time."""
PLACE = {"ident": np.int64, "tick": np.int64, "time": np.float64, "anchor": np.float64, "held": np.int64,
         "trained": np.int64}  # fmt: skip
"""What a snapshot holds of each series' place on the grid."""


def capture(lane: StreamState) -> Snapshot:
    """The lane as it stands between two batches; its series without a sample are left out (they are the last)."""
    series = [one for one in lane.series if one.tick >= 0]
    arrays = {f"series.{name}": np.array([getattr(one, name) for one in series], kind) for name, kind in PLACE.items()}
    kinds = {}
    for part, kind, held in parts(lane):
        kinds[part] = kind
        arrays |= {f"{part}.{name}": array[: len(series)].copy() for name, array in held.items()}
    about = {
        "source": source(lane),
        "topics": [one.name for one in series],
        "parts": kinds,
        "live": {kind: bank.version for kind, bank in lane.live.items()},
        "version": lane.version,
        "preferred": lane.preferred,
        "trained": lane.trained,
        "growth": lane.growth,
        "failures": lane.failures,
    }
    return Snapshot(about, arrays)


def source(lane: StreamState) -> list[Any]:
    """What a snapshot must be of for the lane to go on from it."""
    return [FORMAT, lane.source.field, lane.source.d, lane.source.interval]


def parts(lane: StreamState) -> Iterator[tuple[str, list[Any], Mapping[str, NDArray[Any]]]]:
    """(name, what it fits, live arrays) of all that is kept per series; a part of another fit begins anew."""
    stream, scores = lane.stream, lane.scores
    yield "lane", [lane.sizes.d], {"newest": lane.newest, "spoke": lane.published_model}
    yield "scores", [scores.leads.tolist(), scores.horizon, scores.d, scores.decay], scores.arrays()
    if lane.baseline:
        yield "baseline", [stream.baseline, stream.season, lane.sizes.d], lane.baseline.arrays()
    if lane.thresholds:
        for name, lead in lane.thresholds.by_name().items():
            yield f"threshold.{name}", [], {"lead": lead}
    for kind, bank in lane.live.items():
        yield kind, [fingerprint(lane.sizes), bank.version], bank.arrays()


@dataclass(slots=True)
class Replayed:
    """How many samples were, and which rows' newest samples: those after the last swap."""

    samples: int = 0
    rows: set[int] = field(default_factory=set)


async def resumed(lane: StreamState, known: Mapping[int, SeriesRow], journal: Journal) -> ForecastBatch | None:
    """Bring a new lane to the end of the journal, in a thread that ends when this is cancelled.

    Gives the newest forecasts of the series that had samples after the snapshot: they may not have been published.
    """
    begun = time.monotonic()
    replayed = await in_reader_thread(journal, lambda reader, halt: resume(lane, known, reader, halt))
    if known:
        fields = lane.stream.name, len(lane.series), replayed.samples, time.monotonic() - begun
        log.info("resumed stream=%s series=%d replayed=%d seconds=%.1f", *fields)
    return lane.repeat(np.array(sorted(replayed.rows), np.int64), time.time())


def resume(lane: StreamState, known: Mapping[int, SeriesRow], journal: Journal, halt: threading.Event) -> Replayed:
    """Bring a new lane to the end of the journal, with the series `known` by id."""
    readable = snapshots.newest_first(journal.path.parent, lane.stream.name)
    snapshot = next((one for one in readable if usable(one, lane, known, journal)), None)
    if snapshot is None:
        replayed = resume_without_snapshot(lane, known, journal, halt)
    else:
        load(lane, snapshot, known, journal)
        replayed = catch_up(lane, known, journal, halt)
    lane.counts = Counts(swapped_at=lane.counts.swapped_at)
    return replayed


def usable(snapshot: Snapshot, lane: StreamState, known: Mapping[int, SeriesRow], journal: Journal) -> bool:
    """Whether the lane can go on from a snapshot: not from one that the journal, after a power cut, falls short of."""
    about, arrays = snapshot.about, snapshot.arrays
    if about["source"] != source(lane) or about["version"] > newest_version(journal, lane.stream.name):
        return False
    places = zip(arrays["series.ident"].tolist(), arrays["series.tick"].tolist(), strict=True)
    return all(tick <= known[ident].tick for ident, tick in places if ident in known)


def catch_up(lane: StreamState, known: Mapping[int, SeriesRow], journal: Journal, halt: threading.Event) -> Replayed:
    """Samples and swaps after those that the lane knows of, in their order."""
    held = {one.ident for one in lane.series}
    for row in known.values():
        if row.ident not in held:
            lane.add(row.ident, row.topic, row.part)
    samples = 0
    for gate in outcomes_after(journal, lane.stream.name, lane.sizes, lane.version):
        last = {one.ident: gate.spans[one.ident].last if one.ident in gate.spans else -1 for one in lane.series}
        samples += replay(lane, {}, last, journal, halt).samples
        swap(lane, gate, journal, halt)
    replayed = replay(lane, {}, {}, journal, halt)
    return Replayed(samples + replayed.samples, replayed.rows)


def load(lane: StreamState, snapshot: Snapshot, known: Mapping[int, SeriesRow], journal: Journal) -> None:
    """Take over what a snapshot holds of the known series."""
    about = snapshot.about
    idents: list[int] = snapshot.arrays["series.ident"].tolist()
    kept = [
        i
        for i, (ident, name) in enumerate(zip(idents, about["topics"], strict=True))
        if ident in known and joined(known[ident].topic, known[ident].part) == name
    ]
    for i in kept:
        series = lane.add(idents[i], known[idents[i]].topic, known[idents[i]].part)
        for name in PLACE:
            setattr(series, name, snapshot.arrays[f"series.{name}"][i].item())
    for kind in KINDS:
        found = kind in about["live"] and model(journal, lane.stream.name, kind, about["live"][kind], lane.sizes)
        if found:
            row, created = found
            lane.go_live({kind: forecaster_of(row, lane)}, None, 0, created)
    for part, fit, held in parts(lane):
        if about["parts"].get(part) == fit:
            for name, array in held.items():
                array[: len(kept)] = snapshot.arrays[f"{part}.{name}"][kept]
        else:
            log.info("begins anew stream=%s part=%s: the configuration has changed", lane.stream.name, part)
    lane.version, lane.preferred = about["version"], about["preferred"] if lane.live else None
    lane.trained, lane.growth, lane.failures = about["trained"], about["growth"], about["failures"]


def resume_without_snapshot(
    lane: StreamState, known: Mapping[int, SeriesRow], journal: Journal, halt: threading.Event
) -> Replayed:
    """Without a snapshot: the newest networks, and the newest 4·m samples of every series as if they were its first."""
    if known:
        log.warning("no snapshot stream=%s: states are warmed on the newest samples", lane.stream.name)
    before = {}
    for row in known.values():
        lane.add(row.ident, row.topic, row.part)
        ticks, _ = journal.newest(row.ident, WARM_WINDOWS * lane.sizes.m)
        before[row.ident] = int(ticks[0]) - 1
    gates = outcomes_after(journal, lane.stream.name, lane.sizes, 0)
    created = {gate.version: gate.created for gate in gates}
    for kind in KINDS:
        newest = newest_model(journal, lane.stream.name, kind, lane.sizes)
        if newest is not None:
            lane.go_live({kind: forecaster_of(newest, lane)}, None, 0, created[newest.version])
    replayed = replay(lane, before, {}, journal, halt)
    for series in lane.series:
        row = known[series.ident]
        series.held, series.anchor = row.held, row.anchor
    if gates:
        lane.version, lane.preferred, lane.trained = gates[-1].version, gates[-1].preferred, True
        for series in lane.series:
            span = gates[-1].spans.get(series.ident)
            series.trained = max(0, series.held - series.tick + span.last) if span else 0
    lane.growth = max((series.held - series.trained for series in lane.series), default=0)
    return replayed


def replay(
    lane: StreamState, after: Mapping[int, int], until: Mapping[int, int], journal: Journal, halt: threading.Event
) -> Replayed:
    """Samples of all series after a tick, by default that they stand at, to a tick, by default their last.

    `after` and `until` give ticks by series id.
    """
    replayed = Replayed()
    going = {series.ident: series for series in lane.series}
    reached = {series.ident: after.get(series.ident, series.tick) for series in lane.series}
    while going and not halt.is_set():
        for ident, series in list(going.items()):
            ticks, times, values = journal.between(ident, reached[ident], until.get(ident, NEWEST), CHUNK)
            for tick, moment, x in zip(ticks, times, values.tolist(), strict=True):
                lane.replay_sample(series, tick, moment, tuple(x))
            replayed.samples += len(ticks)
            if ticks:
                replayed.rows.add(series.row)
            reached[ident] = series.tick
            if len(ticks) < CHUNK:
                del going[ident]
        lane.advance()
    return replayed


def swap(lane: StreamState, gate: TrainingOutcome, journal: Journal, halt: threading.Event) -> None:
    """What a training led to, at the ticks it did."""
    banks: dict[Kind, NetworkForecaster] = {row.kind: forecaster_of(row, lane) for row in gate.models}
    spans = {ident: (span.first, span.last) for ident, span in gate.spans.items()}
    warm_between(list(banks.values()), lane.series, spans, lane, journal, halt)
    lane.go_live(banks, gate.preferred, gate.version, gate.created)
    lane.failures = 0
    for series in lane.series:
        if series.ident in gate.spans:
            series.trained = gate.spans[series.ident].trained
    lane.growth = max((series.held - series.trained for series in lane.series), default=0)
