"""A pattern in, the state and the broker without the series it selects out."""

from collections.abc import Callable, Iterable
from contextlib import closing

from streamer.config import Config, Mqtt
from streamer.errors import StateError
from streamer.ingest.grid import Series
from streamer.ingest.intake import Intake
from streamer.ingest.topics import joined, matches
from streamer.mqtt.access import LinkError
from streamer.mqtt.publisher import Publisher
from streamer.publish.outlet import Outlet
from streamer.records import Outgoing
from streamer.store.database import FILE
from streamer.store.forget import forget
from streamer.store.journal import Journal, SeriesRow, Source


async def forget_series(config: Config, pattern: str, say: Callable[[str], None]) -> int:
    """Forget the series whose name or topic this filter selects: how many.

    First what the broker keeps of them is cleared, then the journal: whoever is interrupted may begin again. Raises
    StateError, while a daemon runs too, and StartError or StateError where the broker does not take it.
    """
    if not (config.state.path / FILE).exists():
        raise StateError(f"{config.state.path}: holds no journal; name the configuration of the daemon that wrote it")
    with closing(Journal.open(config.state.path, config.state.durability)) as journal:
        found = {source: selected(journal, source, pattern) for source in journal.sources()}
        if config.mqtt.scheme != "embedded":
            await clear(config.mqtt, kept_of(config, found))
        for source, rows in found.items():
            for row in rows:
                say(f"{source.stream}: {joined(row.topic, row.part)}")
        gone = [row.ident for rows in found.values() for row in rows]
        forget(journal, gone)
    return len(gone)


def selected(journal: Journal, source: Source, pattern: str) -> list[SeriesRow]:
    """The series of a source whose name or topic the filter selects."""
    rows = journal.series(source)
    return [row for row in rows if matches(pattern, joined(row.topic, row.part)) or matches(pattern, row.topic)]


def kept_of(config: Config, found: dict[Source, list[SeriesRow]]) -> list[Outgoing]:
    """What takes back the retained messages about these series, as far as their streams are still configured."""
    out = []
    for stream in config.streams:
        intake = Intake(stream)
        outlet = Outlet(stream, intake.labelled, config.mqtt.availability)
        rows = found.get(Source.of(stream), [])
        out += outlet.clear([Series(-1, row.ident, row.topic, row.part, intake.labels(row.topic)) for row in rows])
    return out


async def clear(mqtt: Mqtt, messages: Iterable[Outgoing]) -> None:
    """Publish these, as another client than the daemon, whose session stays. Raises StartError, StateError."""
    messages = list(messages)
    if not messages:
        return
    try:
        async with Publisher(mqtt.model_copy(update={"client_id": f"{mqtt.client_id[:56]}-forget"})) as publisher:
            for one in messages:
                await publisher.publish(one.topic, one.payload, one.qos, retain=one.retain)
    except LinkError as error:
        raise StateError(f"the broker did not take it, nothing is forgotten: {error}") from error
