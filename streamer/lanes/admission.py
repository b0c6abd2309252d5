"""Series that begin in, those that may out; messages that are no samples in, a count and a line in the log out."""

import logging
from collections.abc import Callable

from streamer.errors import Ignored, Rejected
from streamer.ingest.grid import Series
from streamer.ingest.topics import joined
from streamer.lanes.accepted import Accepted
from streamer.lanes.routing import Routing
from streamer.repeats import Repeats
from streamer.store.journal import Journal
from streamer.stream.state import StreamState

log = logging.getLogger("streamer.ingest")

LONGEST_NAME = 1000
"""Characters of the longest topic, and of the longest part, that may name a series: it comes from the wire and is
kept."""
REMEMBERED = 10_000
"""Rejections (topic and reason) that are remembered so as to log each once."""


class Admission:
    """Who comes in: the one rule for samples and for readings of open ticks.

    logged: rejections that were logged. repeats: those of a stream and reason, and messages of no stream; `clock` gives
    seconds since 1970.
    """

    def __init__(self, routing: Routing, journal: Journal, clock: Callable[[], float]) -> None:
        self.routing, self.journal, self.clock = routing, journal, clock
        self.logged: set[tuple[str, str]] = set()
        self.repeats = Repeats()

    def introduce(self, stream: StreamState, topic: str, part: str, accepted: Accepted) -> Series:
        """A series whose first sample is here.

        Raises Rejected: series_limit, name.
        """
        self.routing.claim(self.admit(stream, topic, part))
        series = stream.add(self.journal.next_series() + len(accepted.series), topic, part)
        accepted.series.append((series.ident, stream.source, topic, part))
        return series

    def admit(self, stream: StreamState, topic: str, part: str) -> list[str]:
        """The topics of a new series' messages. Raises Rejected (series_limit, name) for one that there cannot be."""
        limit = stream.config.max_series
        if len(stream.series) >= limit:
            raise Rejected("series_limit", f"streams[].max_series is {limit}; raise it, or narrow the topics")
        if max(len(topic), len(part)) > LONGEST_NAME:
            raise Rejected("name", f"its topic, or the name of its part, is longer than {LONGEST_NAME}")
        if stream.intake.multiseries and joined(topic, part) in stream.index.names:
            raise Rejected("name", "another series of the stream has this name")
        targets = stream.targets(topic, part)
        self.routing.check_free(targets)
        return targets

    def reject(self, stream: StreamState, topic: str, rejected: Rejected) -> None:
        """Count a message that is no sample, and log the first of its topic and reason, and others now and then."""
        if isinstance(rejected, Ignored):
            stream.counts.ignore()
            return
        stream.counts.reject(rejected.reason)
        word, key = self.repeats.again((stream.name, rejected.reason), self.clock()), (topic, rejected.reason)
        new = key not in self.logged and len(self.logged) < REMEMBERED
        if new:
            self.logged.add(key)
        if word or new:
            fields = stream.name, topic, rejected.reason, rejected, word or ""
            log.warning("rejected stream=%s topic=%r reason=%s: %s%s", *fields)

    def leave(self, topic: str) -> None:
        """A message is of no stream: tell it, now and then."""
        if word := self.repeats.again(None, self.clock()):
            log.warning("left topic=%r: no stream selects it%s", topic, word)
