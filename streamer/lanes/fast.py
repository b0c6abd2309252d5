"""The fast lane: a batch of messages in, the forecasts it causes out; nothing in it waits."""

import asyncio
import logging
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice

from streamer.errors import Rejected
from streamer.ingest.grid import Series
from streamer.ingest.multiseries import Content, Reading
from streamer.ingest.topics import joined
from streamer.records import Message, MessageBatch, Outgoing
from streamer.store.journal import Journal, SeriesRow, Source
from streamer.store.samples import SampleRow
from streamer.store.snapshots import KEPT
from streamer.stream.state import StreamState

log = logging.getLogger("streamer.ingest")

SLOTS = 2**15
"""Half the packet identifiers. Brokers hand them out in turn: what is in a slot is of the last so many deliveries, long
before its identifier is used for another message."""
TRIM_EVERY = 16
"""Samples accepted for each series that is looked at for samples it no longer needs."""
LONGEST_PART = 1000
"""Characters of what tells the series of a message apart: it comes from the wire and is kept."""
REMEMBERED = 10_000
"""Rejections (topic and reason) that are remembered so as to log each once."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A snapshot that can be gone back to: version by stream, tick by series id."""

    versions: Mapping[str, int]
    ticks: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a batch adds to the journal, in one transaction: without it nothing of the batch may be acknowledged."""

    series: list[tuple[int, Source, str, str]] = field(default_factory=list)
    samples: list[SampleRow] = field(default_factory=list)
    anchors: list[tuple[float, int]] = field(default_factory=list)
    deliveries: dict[int, bytes] = field(default_factory=dict)
    new_session: bool = False

    def add(self, series: Series, values: tuple[float, ...], anchor: float) -> None:
        """The sample that a series now stands at; `anchor` is where its grid was laid before."""
        self.samples.append((series.ident, series.tick, series.time, struct.pack(f"<{len(values)}d", *values)))
        if series.anchor != anchor:
            self.anchors.append((series.anchor, series.ident))


class FastLane:
    """All streams between one link and one journal; `clock` gives seconds since 1970.

    `kept` are the snapshots that can be gone back to, as far as this process wrote them: the samples after them stay.
    `table` has the lane of each topic that gave a sample, and its series where messages are one. `commands` has by
    topic what edge nodes are to be told. `blocked`: the journal cannot be written. `lock` is one for all.
    """

    lanes: Sequence[StreamState]
    table: dict[str, tuple[StreamState, Series | None]]

    def __init__(
        self, lanes: Sequence[StreamState], journal: Journal, max_payload: int, clock: Callable[[], float]
    ) -> None:
        self.journal, self.max_payload, self.clock = journal, max_payload, clock
        self.logged: set[tuple[str, str]] = set()
        self.unrouted = 0
        self.commands: dict[str, Outgoing] = {}
        self.kept: deque[Kept] = deque(maxlen=KEPT)
        self.next_series = journal.next_series()
        self.deliveries = journal.deliveries()
        self.session = 0
        self.blocked = False
        self.lock = asyncio.Lock()
        self.reloads: Counter[str] = Counter()
        self.take_over(lanes)

    def process(self, batch: MessageBatch) -> list[Outgoing]:
        """All three steps of a batch. Raises StateError, with nothing of the batch forecast."""
        self.commit(self.accept(batch))
        return self.advance()

    def accept(self, batch: MessageBatch) -> Accepted:
        """Decode everything in the batch and place it on the grid; what is no sample is counted."""
        accepted = Accepted(new_session=batch.session != self.session)
        if accepted.new_session:
            self.session = batch.session
            self.deliveries.clear()
            for lane in self.lanes:
                if lane.discovery:
                    lane.discovery.announced.clear()
        for message in batch.messages:
            self.accept_message(message, accepted)
        return accepted

    def accept_message(self, message: Message, accepted: Accepted) -> None:
        """One message: a sample more in `accepted`, or counted."""
        found = self.table.get(message.topic)
        lane = found[0] if found else route(message.topic, self.lanes)
        if lane is None:
            self.unrouted += 1
            return
        try:
            if found is None and any(other.own.fullmatch(message.topic) for other in self.lanes):
                raise Rejected("own_forecast", "a forecast is not forecast again")
            if len(message.payload) > self.max_payload:
                raise Rejected("too_large", f"{len(message.payload)} bytes; mqtt.max_payload is {self.max_payload}")
            if lane.intake.multiseries is None:
                self.take(lane, found and found[1], message, accepted)
            else:
                self.take_several(lane, lane.intake.multiseries.read(message), message, accepted)
        except Rejected as rejected:
            self.reject(lane, message.topic, rejected)

    def take(self, lane: StreamState, series: Series | None, message: Message, accepted: Accepted) -> None:
        """A message that is one sample. Raises Rejected."""
        values, time = lane.intake.read(message)
        if time is None and message.mid:
            self.deliver(message, accepted)
        if series is None:
            series = self.introduce(lane, message.topic, "", accepted)
            self.table[message.topic] = lane, series
        anchor = series.anchor
        lane.accept(series, values, time, message.arrived)
        accepted.add(series, values, anchor)

    def take_several(self, lane: StreamState, content: Content, message: Message, accepted: Accepted) -> None:
        """A message that may hold several samples, each of which is one or is rejected by itself. Raises Rejected."""
        if content.command:
            self.commands[content.command.topic] = content.command
        if content.fault:
            self.reject(lane, message.topic, content.fault)
        elif not content.readings:
            lane.counts.ignored += 1
        times = dict.fromkeys(reading.time for reading in content.readings)
        good = {time for time in times if self.is_dated(lane, time, message)}
        if None in good and message.mid:
            self.deliver(message, accepted)
        for reading in content.readings:
            if reading.time in good:
                try:
                    self.take_part(lane, content.topic, reading, message, accepted)
                except Rejected as rejected:
                    self.reject(lane, joined(content.topic, reading.part), rejected)

    def is_dated(self, lane: StreamState, time: float | None, message: Message) -> bool:
        """Whether samples in this message can be of this time; if not, that is one rejection for all of them."""
        try:
            lane.intake.date(time, message)
        except Rejected as rejected:
            self.reject(lane, message.topic, rejected)
            return False
        return True

    def take_part(self, lane: StreamState, source: str, reading: Reading, message: Message, accepted: Accepted) -> None:
        """One sample of a message that may hold several. Raises Rejected."""
        if isinstance(reading.value, Rejected):
            raise reading.value
        values = (reading.value,)
        lane.intake.bound(values)
        series = lane.parts.get((source, reading.part))
        if series is None:
            series = self.introduce(lane, source, reading.part, accepted)
        anchor = series.anchor
        lane.accept(series, values, reading.time, message.arrived)
        accepted.add(series, values, anchor)
        self.table[message.topic] = lane, None

    def deliver(self, message: Message, accepted: Accepted) -> None:
        """Remember a message that only its packet identifier tells from the same one sent again.

        Raises Rejected if it is the same one: its acknowledgement did not reach the broker (MQTT 5, section 4.4).
        """
        slot = message.mid % SLOTS
        digest = blake2b(b"%d %b\0%b" % (message.mid, message.topic.encode(), message.payload), digest_size=8).digest()
        if message.dup and self.deliveries.get(slot) == digest:
            raise Rejected("redelivered", "it was accepted before its acknowledgement got lost")
        self.deliveries[slot] = accepted.deliveries[slot] = digest

    def commit(self, accepted: Accepted) -> None:
        """Journal what was accepted; may be called again where it failed. Raises StateError."""
        if not accepted.samples and not accepted.new_session:
            return
        with self.journal.transaction():
            if accepted.new_session:
                self.journal.forget_deliveries()
            if accepted.series:
                self.journal.add_series(accepted.series)
            self.journal.append(accepted.samples)
            if accepted.anchors:
                self.journal.anchor(accepted.anchors)
            if accepted.deliveries:
                self.journal.deliver(accepted.deliveries)
            self.journal.trim(self.surplus(len(accepted.samples)))

    def advance(self) -> list[Outgoing]:
        """Step, score and forecast what was committed."""
        out: list[Outgoing] = []
        for lane in self.lanes:
            for forecasts in lane.advance():
                out += lane.encode(forecasts, self.clock())
        return out

    def take_commands(self) -> list[Outgoing]:
        """The commands that wait, once."""
        commands, self.commands = self.commands, {}
        return list(commands.values())

    def known(self, lane: StreamState, lanes: Sequence[StreamState]) -> dict[int, SeriesRow]:
        """The series that the journal knows of a lane, by id, as far as the filters of these lanes give them to it."""
        return {
            row.ident: row
            for row in self.journal.series(lane.source)
            if lane.intake.asks_for(row.part) and route(lane.intake.address(row.topic), lanes) is lane
        }

    def take_over(self, lanes: Sequence[StreamState]) -> None:
        """From the next batch on these lanes, with the series they hold."""
        for lane in lanes:
            lane.lock = self.lock
        held = [(lane, series) for lane in lanes if lane.intake.multiseries is None for series in lane.series]
        self.table = {one.topic: (lane, one) for lane, one in held if route(one.topic, lanes) is lane}
        self.lanes = lanes
        self.turns = self.round_robin()

    def introduce(self, lane: StreamState, topic: str, part: str, accepted: Accepted) -> Series:
        """A series whose first sample is here.

        Raises Rejected: series_limit, name.
        """
        if len(lane.series) >= lane.stream.max_series:
            raise Rejected(
                "series_limit", f"streams[].max_series is {lane.stream.max_series}; raise it, or narrow the topics"
            )
        if lane.intake.multiseries:
            if len(part) > LONGEST_PART:
                raise Rejected("name", f"the name of a part is longer than {LONGEST_PART}")
            if joined(topic, part) in lane.names:
                raise Rejected("name", "another series of the stream has this name")
        series = lane.add(self.next_series, topic, part)
        self.next_series += 1
        accepted.series.append((series.ident, lane.source, topic, part))
        return series

    def reject(self, lane: StreamState, topic: str, rejected: Rejected) -> None:
        """Count a message that is no sample, and log it if it is the first of its topic and reason."""
        lane.counts.rejected[rejected.reason] += 1
        key = (topic, rejected.reason)
        if key not in self.logged and len(self.logged) < REMEMBERED:
            self.logged.add(key)
            log.warning("rejected stream=%s topic=%r reason=%s: %s", lane.stream.name, topic, rejected.reason, rejected)

    def saved(self, kept: Kept) -> None:
        """There is one more snapshot of all lanes to go back to, and the oldest is gone."""
        self.kept.append(kept)
        for lane in self.lanes:
            lane.swaps = [swap for swap in lane.swaps if swap[0] > self.kept[0].versions.get(lane.stream.name, 0)]

    def surplus(self, accepted: int) -> list[tuple[int, int]]:
        """(series, first tick to keep) of the next few series in turn that have outgrown their window."""
        rows = {}
        if len(self.kept) == KEPT:
            for lane, series in islice(self.turns, -(-accepted // TRIM_EVERY)):  # few series come round several times
                outside = series.tick - lane.stream.retrain.window + 1
                if outside > 0:
                    rows[series.ident] = min(outside, self.needed(lane, series.ident))
        return list(rows.items())

    def round_robin(self) -> Iterator[tuple[StreamState, Series]]:
        """All series, again and again."""
        while any(lane.series for lane in self.lanes):
            for lane in self.lanes:
                for series in lane.series:
                    yield lane, series

    def needed(self, lane: StreamState, ident: int) -> int:
        """The first tick of a series that going back to the oldest kept snapshot takes, swaps since then included."""
        if lane.backlog is not None:
            return 0  # a promotion is reading
        firsts = [first[ident] for _, first in lane.swaps if ident in first]
        return min([self.kept[0].ticks.get(ident, -1) + 1, *firsts])


def route(topic: str, lanes: Sequence[StreamState]) -> StreamState | None:
    """The first lane whose filters select the topic."""
    return next((lane for lane in lanes if lane.intake.takes(topic)), None)
