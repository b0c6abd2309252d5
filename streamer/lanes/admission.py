"""Series that begin in, those that may out; messages that are no samples in, a count and a line in the log out."""

import logging

from streamer.errors import Ignored, Rejected
from streamer.ingest.grid import Series
from streamer.ingest.topics import joined
from streamer.lanes.accepted import Accepted
from streamer.lanes.routing import Routing
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

    logged: rejections that were logged.
    """

    def __init__(self, routing: Routing, journal: Journal) -> None:
        self.routing, self.journal = routing, journal
        self.logged: set[tuple[str, str]] = set()

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
        """Count a message that is no sample, and log it if it is the first of its topic and reason."""
        if isinstance(rejected, Ignored):
            stream.counts.ignore()
            return
        stream.counts.reject(rejected.reason)
        key = (topic, rejected.reason)
        if key not in self.logged and len(self.logged) < REMEMBERED:
            self.logged.add(key)
            log.warning("rejected stream=%s topic=%r reason=%s: %s", stream.name, topic, rejected.reason, rejected)
