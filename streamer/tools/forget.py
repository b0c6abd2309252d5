"""A pattern in, the state and the broker without the series it selects out."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from streamer.config import Config, Mqtt
from streamer.errors import StateError, StateLocked
from streamer.ingest.grid import Series
from streamer.ingest.intake import Intake
from streamer.ingest.topics import joined, selects
from streamer.lanes.forgetting import LOOK_SECONDS
from streamer.mqtt.access import LinkError
from streamer.mqtt.publisher import Publisher
from streamer.publish.outlet import Outlet
from streamer.records import Outgoing
from streamer.store import requests
from streamer.store.database import FILE
from streamer.store.forget import forget
from streamer.store.journal import Journal, SeriesRow, Source

PATIENCE = 60.0
"""Seconds for a running daemon to forget."""


async def forget_series(config: Config, pattern: str, say: Callable[[str], None]) -> int:
    """Forget the series whose name or topic this filter selects: how many.

    Where a daemon runs it does so itself. Else what the broker keeps of them is cleared first, then the journal:
    whoever is interrupted may begin again. Raises StateError, and StartError where the broker does not take it.
    """
    try:
        journal = opened(config)
    except StateLocked:
        return await have_forgotten(config, pattern, say)
    with closing(journal):
        found = {source: selected(journal, source, pattern) for source in journal.sources()}
        await clear(config.mqtt, kept_of(config, found))
        tell(found, say)
        gone = [row.ident for rows in found.values() for row in rows]
        forget(journal, gone)
    return len(gone)


def opened(config: Config) -> Journal:
    """The journal that there is, for writing. Raises StateError, StateLocked."""
    directory = config.state.path
    if not (directory / FILE).exists():
        raise StateError(f"{directory}: holds no journal; name the configuration of the daemon that wrote it")
    return Journal.open(directory, config.state.durability)


async def have_forgotten(config: Config, pattern: str, say: Callable[[str], None]) -> int:
    """Ask the running daemon, and wait until it has. Raises StateError where it does not."""
    directory, end = config.state.path, time.monotonic() + PATIENCE
    found = wanted(directory, pattern)
    tell(found, say)
    if not any(found.values()):
        return 0
    requests.ask(directory, pattern)
    while any(wanted(directory, pattern).values()):
        if time.monotonic() > end:
            requests.take(directory)
            raise StateError(f"{directory}: the daemon there has not forgotten them in {PATIENCE:.0f} s; see its log")
        await asyncio.sleep(LOOK_SECONDS / 4)
    return sum(map(len, found.values()))


def wanted(directory: Path, pattern: str) -> dict[Source, list[SeriesRow]]:
    """The series in a journal, perhaps of a running daemon, that the filter selects."""
    with closing(Journal.read(directory)) as journal:
        return {source: selected(journal, source, pattern) for source in journal.sources()}


def tell(found: dict[Source, list[SeriesRow]], say: Callable[[str], None]) -> None:
    """A line for each series."""
    for source, rows in found.items():
        for row in rows:
            say(f"{source.stream}: {joined(row.topic, row.part)}")


def selected(journal: Journal, source: Source, pattern: str) -> list[SeriesRow]:
    """The series of a source whose name or topic the filter selects."""
    return [row for row in journal.series(source) if selects(pattern, row.topic, row.part)]


def kept_of(config: Config, found: Mapping[Source, Sequence[SeriesRow]]) -> list[Outgoing]:
    """What takes back the retained messages about these series, as far as their streams are still configured."""
    out = []
    for stream in config.streams:
        intake = Intake(stream)
        outlet = Outlet(stream, intake.labelled, config.mqtt.availability)
        rows = found.get(Source.of(stream), [])
        out += outlet.clear([Series(-1, row.ident, row.topic, row.part, intake.labels(row.topic)) for row in rows])
    return out


async def clear(mqtt: Mqtt, messages: Iterable[Outgoing]) -> None:
    """Publish these, as another client than the daemon, whose session stays; an embedded broker keeps nothing.

    Raises StartError, StateError.
    """
    messages = list(messages)
    if not messages or mqtt.scheme == "embedded":
        return
    try:
        async with Publisher(mqtt.model_copy(update={"client_id": f"{mqtt.client_id[:56]}-forget"})) as publisher:
            for one in messages:
                await publisher.publish(one.topic, one.payload, one.qos, retain=one.retain)
    except LinkError as error:
        raise StateError(f"the broker did not take it, nothing has changed: {error}") from error
