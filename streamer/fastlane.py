"""The fast lane: a batch of messages in, the forecasts it causes out; nothing in it waits."""

import logging
import struct
from collections.abc import Callable, Sequence

from streamer.errors import Rejected
from streamer.ingest.grid import Series
from streamer.ingest.topics import matches
from streamer.lane import Lane
from streamer.records import MessageBatch, Outgoing
from streamer.store.journal import Journal, SampleRow

log = logging.getLogger("streamer.ingest")

REMEMBERED = 10_000
"""Rejections (topic and reason) that are remembered so as to log each once."""


class FastLane:
    """All streams between one link and one journal; `clock` gives seconds since 1970."""

    def __init__(self, lanes: Sequence[Lane], journal: Journal, max_payload: int, clock: Callable[[], float]) -> None:
        self.lanes, self.journal, self.max_payload, self.clock = lanes, journal, max_payload, clock
        self.table: dict[str, tuple[Lane, Series]] = {}
        self.logged: set[tuple[str, str]] = set()
        self.unrouted = 0
        self.trimmed: dict[int, int] = {}

    def process(self, batch: MessageBatch) -> list[Outgoing]:
        """Decode, place on the grid, journal, step, score and forecast everything in the batch.

        Raises StateError if the journal cannot be written: then nothing of the batch may be acknowledged.
        """
        accepted: list[SampleRow] = []
        anchored: list[tuple[float, int]] = []
        for message in batch.messages:
            found = self.table.get(message.topic)
            lane = found[0] if found else self.route(message.topic)
            if lane is None:
                self.unrouted += 1
                continue
            try:
                if found is None and any(other.own.fullmatch(message.topic) for other in self.lanes):
                    raise Rejected("own_forecast", "a forecast is not forecast again")
                if len(message.payload) > self.max_payload:
                    raise Rejected("too_large", f"{len(message.payload)} bytes; mqtt.max_payload is {self.max_payload}")
                values, time = lane.read(message)
                series = found[1] if found else self.introduce(lane, message.topic)
                anchor = series.anchor
                lane.accept(series, values, time, message.arrived)
            except Rejected as rejected:
                self.reject(lane, message.topic, rejected)
                continue
            accepted.append((series.ident, series.tick, series.time, struct.pack(f"<{len(values)}d", *values)))
            if series.anchor != anchor:
                anchored.append((series.anchor, series.ident))
        if accepted:
            with self.journal.transaction():
                self.journal.append(accepted)
                self.journal.anchor(anchored)
                self.journal.trim(self.surplus({topic.topic for topic in batch.messages}))
        out: list[Outgoing] = []
        for lane in self.lanes:
            for forecasts in lane.advance():
                out += lane.encode(forecasts, self.clock())
        return out

    def restore(self) -> None:
        """Take over the series that the journal knows, as far as today's filters select them."""
        for lane in self.lanes:
            for known in self.journal.series(lane.source):
                if self.route(known.topic) is not lane:
                    continue
                series = lane.add(known.ident, known.topic)
                series.tick, series.time, series.anchor = known.tick, known.time, known.anchor
                series.held = known.held
                self.table[known.topic] = lane, series

    def route(self, topic: str) -> Lane | None:
        """The first lane whose filters select the topic."""
        for lane in self.lanes:
            if any(matches(topic_filter, topic) for topic_filter in lane.stream.topics):
                return lane
        return None

    def introduce(self, lane: Lane, topic: str) -> Series:
        """A series for a topic whose first sample is here.

        Raises Rejected: series_limit.
        """
        if len(lane.series) >= lane.stream.max_series:
            raise Rejected(
                "series_limit", f"streams[].max_series is {lane.stream.max_series}; raise it, or narrow the topics"
            )
        ident = self.journal.add_series(lane.source, topic)
        series = lane.add(ident, topic)
        self.table[topic] = lane, series
        return series

    def reject(self, lane: Lane, topic: str, rejected: Rejected) -> None:
        """Count a message that is no sample, and log it if it is the first of its topic and reason."""
        lane.counts.rejected[rejected.reason] += 1
        key = (topic, rejected.reason)
        if key not in self.logged and len(self.logged) < REMEMBERED:
            self.logged.add(key)
            log.warning("rejected stream=%s topic=%r reason=%s: %s", lane.stream.name, topic, rejected.reason, rejected)

    def surplus(self, topics: set[str]) -> list[tuple[int, int]]:
        """(series, first tick to keep) of series that have outgrown their window by a sixteenth."""
        rows = []
        for topic in topics & self.table.keys():
            lane, series = self.table[topic]
            window = lane.stream.retrain.window
            keep = series.tick - window + 1
            if keep - self.trimmed.get(series.ident, 0) > window // 16:
                self.trimmed[series.ident] = keep
                rows.append((series.ident, keep))
        return rows
