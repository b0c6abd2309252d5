"""A stream in, its snapshot out; a snapshot in, the stream as it was then out."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from streamer.forecast.network import NetworkForecaster
from streamer.ingest.grid import Series
from streamer.ingest.topics import joined
from streamer.models import KINDS, Kind
from streamer.resume.migrate import FORMAT, migrated
from streamer.store import covariates, snapshots
from streamer.store.journal import Journal, SeriesRow
from streamer.store.outcomes import network, newest_version
from streamer.store.snapshots import Snapshot
from streamer.stream.state import StreamState
from streamer.swap.warm import readable

log = logging.getLogger("streamer.store")


def capture(stream: StreamState) -> Snapshot:
    """The stream as it stands between two batches; its series without a sample are left out (they are the last)."""
    series = [one for one in stream.series if one.tick >= 0]
    arrays = {
        f"series.{name}": np.array([getattr(one, name) for one in series], kind) for name, kind in Series.PLACE.items()
    }
    parts = {}
    for part in stream.parts():
        parts[part.name] = {"fit": part.fit(), "labels": part.labels()}
        arrays |= {f"{part.name}.{name}": array[: len(series)].copy() for name, array in part.arrays().items()}
    about = {
        "format": FORMAT,
        "source": source(stream),
        "topics": [one.name for one in series],
        "parts": parts,
        "networks": {kind: network.version for kind, network in stream.panel.networks.items()},
        "version": stream.promotions.version,
        "told": stream.ticks.outlook.until if stream.ticks.outlook else 0,
        "schedule": stream.schedule.state(),
    }
    return Snapshot(about, arrays)


def source(stream: StreamState) -> list[Any]:
    """What a snapshot must be of for the stream to go on from it."""
    return [stream.source.field, stream.source.d, stream.source.interval]


def newest(
    stream: StreamState, known: Mapping[int, SeriesRow], journal: Journal, before: Mapping[int, int]
) -> Snapshot | None:
    """The newest snapshot, in today's format, that the stream can go on from; None for none.

    It is the newest one from before these ticks, by series id, or else the oldest: only what follows a snapshot is
    forecast anew.
    """
    found = None
    for one in map(migrated, snapshots.newest_first(journal.path.parent, stream.name)):
        if one is None or (fault := fault_of(one, stream, known, journal)):
            text = "another version of streamer wrote it" if one is None else fault
            log.warning("a snapshot is left out stream=%s: %s", stream.name, text)
        else:
            found = one
            if all(tick < before.get(ident, tick + 1) for ident, tick in sampled(one)):
                break
    return found


def sampled(snapshot: Snapshot) -> list[tuple[int, int]]:
    """(id, tick of the newest sample) of each series."""
    arrays = snapshot.arrays
    ticks = arrays["series.tick"] - arrays.get("series.filled", 0)
    return list(zip(arrays["series.ident"].tolist(), ticks.tolist(), strict=True))


def fault_of(snapshot: Snapshot, stream: StreamState, known: Mapping[int, SeriesRow], journal: Journal) -> str | None:
    """Why the stream cannot go on from a snapshot, None where it can."""
    about = snapshot.about
    if about["source"] != source(stream):
        return "the interval, the value or d has changed"
    if about["version"] > newest_version(journal, stream.name):
        return "the journal lacks a training that it knows of"
    if about.get("told", 0) > covariates.newest(journal, stream.name):
        return "the journal, as after a power cut, lacks messages about covariates that it knows of"
    if any(tick > known[ident].tick for ident, tick in sampled(snapshot) if ident in known):
        return "the journal, as after a power cut, lacks samples that it knows of"
    return None


def load(stream: StreamState, snapshot: Snapshot, known: Mapping[int, SeriesRow], journal: Journal) -> None:
    """Take over what a snapshot holds of the known series."""
    about, arrays = snapshot.about, snapshot.arrays
    idents: list[int] = arrays["series.ident"].tolist()
    kept = [
        i
        for i, (ident, name) in enumerate(zip(idents, about["topics"], strict=True))
        if ident in known and joined(known[ident].topic, known[ident].part) == name
    ]
    for i in kept:
        series = stream.add(idents[i], known[idents[i]].topic, known[idents[i]].part)
        series.restore({name: arrays[at][i].item() for name in Series.PLACE if (at := f"series.{name}") in arrays})
    networks: dict[Kind, NetworkForecaster] = {}
    for kind in KINDS:
        version = about["networks"].get(kind)
        found = None if version is None else network(journal, stream.name, kind, version, stream.config.sizes)
        if found:
            networks |= readable(*found, stream)
    if about["version"]:
        stream.conclude(networks, about["version"])
    stream.schedule.restore(about["schedule"]["failures"])
    stream.recount_growth()
    if gone := sorted({*about["parts"]} - {part.name for part in stream.parts()}):
        log.warning("dropped stream=%s parts=%s: the configuration has changed", stream.name, ",".join(gone))
    for part in stream.parts():
        saved = about["parts"].get(part.name)
        if saved is None or saved["fit"] != part.fit():
            level = logging.INFO if saved is None else logging.WARNING
            log.log(level, "begins anew stream=%s part=%s: the configuration has changed", stream.name, part.name)
            continue
        prefix = f"{part.name}."
        rows = {name.removeprefix(prefix): array[kept] for name, array in arrays.items() if name.startswith(prefix)}
        part.restore(saved["labels"], rows)
        if part is stream.ticks.outlook:  # one that begins anew is told again all that the journal has
            stream.ticks.outlook.noted(about.get("told", 0))
