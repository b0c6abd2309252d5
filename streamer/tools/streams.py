"""A state directory in, the same with a stream under another name, or without what no stream uses, out."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from streamer.config import Config, Stream
from streamer.errors import StateError, StateLocked
from streamer.lanes.unused import Unused, unused
from streamer.records import Outgoing
from streamer.store import streams
from streamer.store.database import FILE
from streamer.store.forget import forget
from streamer.store.journal import Journal, SeriesRow, Source
from streamer.tools.forget import clear, kept_of, opened


@contextmanager
def stopped(config: Config) -> Iterator[Journal]:
    """The journal of a daemon that does not run. Raises StateError."""
    try:
        journal = opened(config)
    except StateLocked as locked:
        raise StateLocked(f"{config.state.path}: a daemon uses it; stop it first") from locked
    with closing(journal):
        yield journal


async def rename_stream(config: Config, old: str, new: str, drop: bool) -> int:
    """Have the history of a stream that is no longer configured be that of one that is: how many series it has.

    `drop` what the new one has so far, if anything. What the broker keeps under the old name is cleared first. Raises
    StateError, and StartError where the broker does not take it.
    """
    stream = next((one for one in config.streams if one.name == new), None)
    if stream is None:
        raise StateError(f"{new}: no stream of the configuration; give the stream its new name there first")
    if any(one.name == old for one in config.streams):
        raise StateError(f"{old}: is a stream of the configuration; two streams cannot have one history")
    with stopped(config) as journal:
        source = Source.of(stream)
        before, sources = replace(source, stream=old), journal.sources()
        if before not in sources:
            held = ", ".join(sorted({one.stream for one in sources} - {new})) or "none"
            raise StateError(f"{old}: no history that {new} could go on with; there are those of: {held}")
        own = [ident for one in sources if one.stream == new for ident, _, _ in streams.listed(journal, one)]
        if own and not drop:
            raise StateError(f"{new}: has samples of {len(own)} series already; --replace drops them")
        rows = journal.series(before)
        await clear(config.mqtt, outdated(config, stream, old, rows))
        forget(journal, own)
        streams.rename(journal, old, new)
    return len(rows)


def outdated(config: Config, stream: Stream, old: str, rows: Sequence[SeriesRow]) -> list[Outgoing]:
    """What takes back the retained messages about these series that were on other topics under the old name."""
    was = stream.model_copy(update={"name": old})
    stays = kept_of(config, {Source.of(stream): rows})
    gone = kept_of(config.model_copy(update={"streams": [was]}), {Source.of(was): rows})
    return [one for one in gone if one not in stays]


def unused_history(config: Config, file: str) -> list[str]:
    """A line for each part of the state that no stream goes on with; a daemon may be running. Raises StateError."""
    if not (config.state.path / FILE).exists():
        return []
    with closing(Journal.read(config.state.path)) as journal:
        return [one.told(file) for one in unused(journal, config.streams)]


@dataclass(frozen=True, slots=True)
class Waste:
    """What no stream uses: series, and the streams of which nothing is used, their networks and snapshots neither."""

    series: tuple[Unused, ...]
    streams: tuple[str, ...]


def waste(config: Config, journal: Journal, only: Sequence[str]) -> Waste:
    """What a configuration does not use, of these streams where any are named. Raises StateError."""
    known = {one.name for one in config.streams}
    series = tuple(one for one in unused(journal, config.streams) if not only or one.source.stream in only)
    names = tuple(one for one in streams.held(journal) if one not in known and (not only or one in only))
    missing = sorted({*only} - {one.source.stream for one in series} - {*names})
    if missing:
        raise StateError(f"{', '.join(missing)}: no history that is not used")
    return Waste(series, names)


def described(found: Waste, journal: Journal) -> Iterator[str]:
    """A line for each part of it."""
    for one in found.series:
        count = sum(map(journal.count, one.idents))
        kept = f"; or it is {one.heir} now, which `streamer rename` keeps it for" if one.heir else ""
        yield f"{one.source.stream}: {len(one.idents)} series, {count:,} samples: {one.why}{kept}"
    for name in found.streams:
        yield f"{name}: networks and snapshots: it is not configured"


def purge(found: Waste, journal: Journal) -> None:
    """Delete it. Raises StateError."""
    forget(journal, {ident for one in found.series for ident in one.idents})
    for name in found.streams:
        streams.purge(journal, name)
