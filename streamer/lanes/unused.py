"""A journal and the streams of a configuration in, the history that none of them goes on with out, and why."""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from streamer.config import Stream
from streamer.ingest.intake import Intake
from streamer.lanes.routing import holds
from streamer.store.journal import Journal, Source
from streamer.store.streams import listed

log = logging.getLogger("streamer.store")

MOST = 0.5
"""Share of the series of a stream that another one selects from which on it looks like the same, renamed."""


@dataclass(frozen=True, slots=True)
class Unused:
    """Series, by id, of one source. heir: the stream that looks like theirs under another name; begun: it has samples
    of its own, all of them newer."""

    source: Source
    idents: tuple[int, ...]
    why: str
    heir: str | None = None
    begun: bool = False

    def told(self, file: str) -> str:
        """In one line, with what to do; `file` is the configuration."""
        stream = self.source.stream
        what = f"history of stream {stream} is not used, {len(self.idents)} series: {self.why}"
        if self.heir is None:
            return f"{what}; `streamer purge {file}` deletes it"
        dropped = ", for which --replace drops what it has since" if self.begun else ""
        line = f"streamer rename {file} {stream} {self.heir}{' --replace' if self.begun else ''}"
        return f"{what}; if it is {self.heir} now, `{line}`, with the daemon stopped, keeps it{dropped}"


@dataclass(frozen=True, slots=True)
class Configured:
    """A stream of the configuration."""

    config: Stream
    intake: Intake = field(compare=False)

    @property
    def source(self) -> Source:
        return Source.of(self.config)


def warn(journal: Journal, streams: Sequence[Stream]) -> None:
    """A line in the log for each. Raises StateError."""
    for one in unused(journal, streams):
        log.warning("%s", one.told("CONFIG"))


def unused(journal: Journal, streams: Sequence[Stream]) -> Iterator[Unused]:
    """What the journal has of other streams, other settings, and topics that lead elsewhere. Raises StateError."""
    every = [Configured(one, Intake(one)) for one in streams]
    by_name = {one.config.name: one for one in every}
    for source in journal.sources():
        series, own = listed(journal, source), by_name.get(source.stream)
        if own is None:
            yield orphaned(journal, source, every)
        elif own.source != source:
            yield Unused(source, tuple(ident for ident, _, _ in series), difference(source, own.source))
        elif lost := tuple(ident for ident, topic, part in series if not holds(own, topic, part, every)):
            yield Unused(source, lost, "its topics or fields no longer select them, or an earlier stream does")


def orphaned(journal: Journal, source: Source, every: Sequence[Configured]) -> Unused:
    """Series of a stream that is not configured."""
    series = listed(journal, source)
    idents, why = tuple(ident for ident, _, _ in series), "it is not configured"
    for one in every:
        alike = one.source == replace(source, stream=one.config.name)
        if alike and sum(holds(one, topic, part, every) for _, topic, part in series) >= MOST * len(series):
            older, younger = journal.series(source), journal.series(one.source)
            if max((row.time for row in older), default=0.0) <= min((row.oldest for row in younger), default=math.inf):
                return Unused(source, idents, why, one.config.name, bool(younger))
    return Unused(source, idents, why)


def difference(was: Source, now: Source) -> str:
    """How the settings of a stream have changed."""
    pairs = (
        ("value", was.field, now.field),
        ("d", str(was.d), str(now.d)),
        ("interval", *(f"{one.interval:g} s" if one.interval else "null" for one in (was, now))),
    )
    return ", ".join(f"its {name} was {before} and is {after}" for name, before, after in pairs if before != after)
