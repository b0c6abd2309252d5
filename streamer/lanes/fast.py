"""The fast lane: a batch of messages in, the forecasts it causes out; nothing in it waits."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence

import orjson

from streamer.errors import Rejected, StateBlocked
from streamer.ingest.grid import Series
from streamer.ingest.readings import Content, Reading
from streamer.ingest.topics import joined
from streamer.lanes import gathering, mixed
from streamer.lanes.accepted import Accepted, Processed
from streamer.lanes.admission import Admission
from streamer.lanes.deliveries import Deliveries
from streamer.lanes.retention import Kept, Retention
from streamer.lanes.routing import Routing, holds
from streamer.records import Message, MessageBatch, Outgoing
from streamer.resume.snapshot import capture
from streamer.store import covariates as told_to
from streamer.store import gathered
from streamer.store.journal import Journal, SeriesRow
from streamer.store.snapshots import Snapshot
from streamer.stream.state import StreamState

log = logging.getLogger("streamer.ingest")


def too_large(message: Message, most: int) -> Rejected:
    """A payload that is not even read."""
    return Rejected("too_large", f"{len(message.payload)} bytes; mqtt.max_payload is {most}")


class FastLane:
    """All streams between one link and one journal; `clock` gives seconds since 1970.

    A batch is accepted and then finished, which is one order for the daemon, backtests and tests: decode and place its
    samples, commit them, step, score and forecast, look who is due for a training. Meanwhile the batch is `open`: its
    series stand at samples that the journal or their forecasters may not have, so no snapshot can be taken. One message
    can lead to many ticks, so the daemon forecasts piece by piece (`pieces`) and serves others in between.

    lock: held while a batch is open, and by whoever must not meet one. commands: by topic, what edge nodes are to be
    told. blocked: the journal could not be written at the last attempt.
    """

    def __init__(
        self, streams: Sequence[StreamState], journal: Journal, max_payload: int, clock: Callable[[], float]
    ) -> None:
        self.journal, self.max_payload, self.clock = journal, max_payload, clock
        self.lock = asyncio.Lock()
        self.routing, self.retention, self.deliveries = Routing(streams), Retention(streams), Deliveries(journal)
        self.admission = Admission(self.routing, journal, clock)
        self.open: Accepted | None = None
        self.blocked = False
        self.commands: dict[str, Outgoing] = {}
        self.unrouted = 0

    @property
    def streams(self) -> Sequence[StreamState]:
        """All streams, in the order of the configuration."""
        return self.routing.streams

    @property
    def patience(self) -> float | None:
        """Seconds without a message after which it wants an empty batch; None for never."""
        return gathering.patience(self.streams)

    def take_over(self, streams: Sequence[StreamState]) -> None:
        """From the next batch on these streams, with the series they hold."""
        self.routing.take_over(streams)
        self.retention.take_over(streams)

    def process(self, batch: MessageBatch) -> Processed:
        """Accept and finish a batch. Raises StateError, StateBlocked as `finish` does."""
        self.accept(batch)
        return self.finish()

    def accept(self, batch: MessageBatch) -> None:
        """Decode everything in the batch and place it on the grid; what is no sample is counted."""
        self.open = Accepted(new_session=self.deliveries.enter(batch.session))
        if self.open.new_session:
            for stream in self.streams:
                stream.outlet.forget_announced()
        for message in batch.messages:
            self.accept_message(message)
        gathering.close(self.admission, self.open, self.streams, self.clock())

    def finish(self) -> Processed:
        """Commit what was accepted, then step, score and forecast it.

        Raises StateError with nothing of the batch forecast. After a StateBlocked it may be called again.
        """
        self.write()
        return self.advance()

    def write(self) -> None:
        """Commit what was accepted. Raises StateError; after a StateBlocked it may be called again."""
        if self.open is not None:
            try:
                self.commit(self.open)
            except StateBlocked:
                self.blocked = True
                raise
        self.blocked = False

    def advance(self) -> Processed:
        """Step, score and forecast what was committed, and look whose training is due."""
        out = [message for some in self.pieces() for message in some]
        return Processed(out, self.take_commands(), self.take_due())

    def pieces(self) -> Iterator[list[Outgoing]]:
        """Step, score and forecast what was committed, a tick batch at a time: the forecasts of each.

        The batch is open until the last one is taken: only then series stand where their forecasters do.
        """
        for stream in self.streams:
            for forecasts in stream.advance():
                yield stream.encode(forecasts, self.clock()) if forecasts else []
        self.open = None

    def take_due(self) -> list[StreamState]:
        """The streams whose training is due, once: it counts as asked for."""
        due = {stream: cause for stream in self.streams if (cause := stream.training_due())}
        for stream, cause in due.items():
            stream.begin_training(cause)
            log.info("training due stream=%s cause=%s", stream.name, cause)
        return [*due]

    def accept_message(self, message: Message) -> None:
        """One message: a sample more in the open batch, or counted."""
        if self.open is None:
            self.open = Accepted()
        route = self.routing.routes.get(message.topic)
        stream = route.stream if route else self.routing.select(message.topic)
        told = [self.tell(one, message, self.open) for one in self.routing.informed]
        if stream is None:
            if not any(told):
                self.unrouted += 1
                self.admission.leave(message.topic)
            return
        try:
            if route is None:
                self.routing.check(message.topic)
            if len(message.payload) > self.max_payload:
                raise too_large(message, self.max_payload)
            if stream.intake.multiseries is None:
                self.take(stream, route.series if route else None, message, self.open)
            else:
                self.take_multiseries(stream, stream.intake.multiseries.read(message), message, self.open)
        except Rejected as rejected:
            self.admission.reject(stream, message.topic, rejected)

    def tell(self, stream: StreamState, message: Message, accepted: Accepted) -> bool:
        """Whether a message is about covariates of a stream: what it says is told to the series, or counted."""
        covariates = stream.intake.covariates
        if covariates is None or not covariates.takes(message.topic):
            return False
        if len(message.payload) > self.max_payload:
            self.admission.reject(stream, message.topic, too_large(message, self.max_payload))
            return True
        for one in covariates.say(message):
            if isinstance(one, Rejected):
                self.admission.reject(stream, message.topic, one)
            else:
                accepted.tell(stream, one, stream.series)
        return True

    def take(self, stream: StreamState, series: Series | None, message: Message, accepted: Accepted) -> None:
        """A message that is one sample. Raises Rejected."""
        values, time = stream.intake.read(message)
        if time is None:
            self.check_delivery(message, accepted)
        if stream.gather is not None:
            gathering.take(self.admission, accepted, stream, (message.topic, ""), values, time, message)
            return
        if series is None:
            series = self.admission.introduce(stream, message.topic, "", accepted)
            self.routing.learn(message.topic, stream, series)
        accepted.place(stream, series, values, time, message.arrived)

    def take_multiseries(self, stream: StreamState, content: Content, message: Message, accepted: Accepted) -> None:
        """A message that may hold several samples, each of which is one or is rejected by itself. Raises Rejected."""
        if content.command:
            self.commands[content.command.topic] = content.command
        for fault in content.faults:
            self.admission.reject(stream, message.topic, fault)
        if not content.readings and not content.faults:
            stream.counts.ignore()
        times = dict.fromkeys(reading.time for reading in content.readings)
        good = {time for time in times if self.is_dated(stream, time, message)}
        if None in good:
            self.check_delivery(message, accepted)
        for reading in content.readings:
            if reading.time in good:
                try:
                    self.take_part(stream, content.topic, reading, message, accepted)
                except Rejected as rejected:
                    self.admission.reject(stream, joined(content.topic, reading.part), rejected)

    def is_dated(self, stream: StreamState, time: float | None, message: Message) -> bool:
        """Whether samples in this message can be of this time; if not, that is one rejection for all of them."""
        try:
            stream.intake.date(time, message)
        except Rejected as rejected:
            self.admission.reject(stream, message.topic, rejected)
            return False
        return True

    def take_part(
        self, stream: StreamState, source: str, reading: Reading, message: Message, accepted: Accepted
    ) -> None:
        """One sample of a message that may hold several. Raises Rejected."""
        if isinstance(reading.value, Rejected):
            raise reading.value
        values = stream.intake.measure((reading.value,))
        if stream.gather is not None:
            gathering.take(self.admission, accepted, stream, (source, reading.part), values, reading.time, message)
            return
        series = stream.index.parts.get((source, reading.part))
        if series is None:
            series = self.admission.introduce(stream, source, reading.part, accepted)
        accepted.place(stream, series, values, reading.time, message.arrived)
        self.routing.learn(message.topic, stream, None)

    def check_delivery(self, message: Message, accepted: Accepted) -> None:
        """Raises Rejected for a message without a time that the broker sends a second time."""
        if message.mid is not None:
            accepted.deliver(*self.deliveries.accept(message.mid, message))

    def commit(self, accepted: Accepted) -> None:
        """Journal what was accepted. Raises StateError; where it failed it may be called again."""
        if accepted.is_empty:
            return
        with self.journal.transaction():
            if accepted.new_session:
                self.journal.forget_deliveries()
            if accepted.series:
                self.journal.add_series(accepted.series)
            self.journal.append(accepted.samples)
            if accepted.anchors:
                self.journal.anchor(accepted.anchors)
            for stream, readings in accepted.readings.items():
                assert stream.gather is not None
                whole = stream.gather.whole() if stream.gather.grown else None
                gathered.write(self.journal, stream.name, stream.gather.fit, orjson.dumps(readings), whole)
            for stream, rows in accepted.told.items():
                assert stream.ticks.outlook
                stream.ticks.outlook.noted(told_to.write(self.journal, stream.name, rows))
                told_to.trim(self.journal, stream.name, rows, *self.retention.told(stream))
            if accepted.deliveries:
                self.journal.deliver(accepted.deliveries)
            self.journal.trim(self.retention.surplus(len(accepted.samples)))

    def take_commands(self) -> list[Outgoing]:
        """The commands that wait, once."""
        commands, self.commands = self.commands, {}
        return list(commands.values())

    def known(self, stream: StreamState, streams: Sequence[StreamState]) -> dict[int, SeriesRow]:
        """The series that the journal knows of a stream, by id, as far as these streams leave their topics to it."""
        rows = self.journal.series(stream.source)
        return {row.ident: row for row in rows if holds(stream, row.topic, row.part, streams)}

    def snapshots(self) -> dict[str, Snapshot]:
        """All streams as they stand between two batches, by name."""
        assert self.open is None, "series stand at samples that the journal may not have"
        return {stream.name: capture(stream) for stream in self.streams}

    def saved(self, snapshots: dict[str, Snapshot]) -> None:
        """These snapshots can be gone back to from now on."""
        self.retention.saved(Kept.of(snapshots))
        mixed.warn(self.streams, self.journal)
