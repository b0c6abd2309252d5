"""The fast lane offline, as fast as it goes.

Event time drives everything: a training that is due is done before the next message and swapped in at that tick, so
that two runs are the same. With the journal of a live run, its networks go live at the ticks they did there.
"""

import asyncio
import gzip
import tempfile
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO, cast

import orjson

from streamer.config import Config, State
from streamer.errors import SourceError, StateError
from streamer.ingest.topics import joined
from streamer.lanes.fast import FastLane
from streamer.lanes.machine import prepare
from streamer.lanes.slow import SlowLane
from streamer.records import ForecastBatch, Message, Outgoing, TickBatch
from streamer.resume.fold import conclude
from streamer.store.journal import Journal
from streamer.store.outcomes import TrainingOutcome, outcomes_after
from streamer.stream.state import StreamState
from streamer.tools.backtest.audit import Audit
from streamer.tools.progress import Told
from streamer.tools.replay.recording import recorded
from streamer.tools.replay.sample import Sample, encode, parse_time
from streamer.train.request import Request

BATCH = 256
"""Messages that are stepped together; a training is looked for after each batch."""


@dataclass(slots=True)
class Pending:
    """The swaps of a live run that are still to come in a stream, and the series that have not got to the next one."""

    outcomes: list[TrainingOutcome]
    last: dict[str, int] = field(default_factory=dict)

    def next(self, names: Mapping[int, str]) -> None:
        """Look to the next swap; `names` are those of series by the live run's ids."""
        self.last = {names[ident]: span.last for ident, span in self.outcomes[0].spans.items() if ident in names}


class Trainer(SlowLane):
    """Trains at normal priority: no forecast waits beside it."""

    def request_of(self, stream: StreamState) -> Request:
        return replace(super().request_of(stream), idle=False)


class Backtest:
    """A fast lane on a journal of its own, trained in event time or given a live run's networks."""

    def __init__(self, config: Config, directory: Path, models: Path | None) -> None:
        self.config = config.model_copy(update={"state": State(path=directory)})
        self.journal = Journal.open(directory)
        streams = [StreamState(one, config.metrics, observer=self) for one in config.streams]
        self.audits = {stream.name: Audit(stream) for stream in streams}
        self.time = 0.0
        self.fast = FastLane(streams, self.journal, config.mqtt.max_payload, lambda: self.time)
        self.slow = Trainer(self.config, self.journal, self.fast.lock, lambda: self.time)
        self.names: dict[int, str] = {}
        self.pending = {} if models is None else self.swaps_of(models)
        self.trains = models is None
        self.messages = 0

    def scored(self, stream: StreamState, batch: TickBatch) -> None:
        self.audits[stream.name].scored(stream, batch)

    def forecast(self, stream: StreamState, batch: ForecastBatch) -> None:
        self.audits[stream.name].forecast(stream, batch)

    def swaps_of(self, models: Path) -> dict[str, Pending]:
        """By stream, what went live in a live run. Raises StateError."""
        pending = {}
        with closing(Journal.read(models)) as journal:
            for stream in self.fast.streams:
                self.names |= {row.ident: joined(row.topic, row.part) for row in journal.series(stream.source)}
                outcomes = outcomes_after(journal, stream.name, stream.config.sizes, 0)
                if outcomes:
                    pending[stream.name] = Pending(outcomes)
                    pending[stream.name].next(self.names)
        return pending

    async def run(self, messages: Iterable[Message], out: BinaryIO | None, told: Told) -> None:
        """All messages in their order; forecasts go to `out` as a recording."""
        for message in messages:
            self.messages += 1
            self.time = max(self.time, message.arrived)
            ready = self.accept(message)
            if ready or self.messages % BATCH == 0:
                due = self.finish(out)
                if ready:
                    self.swap(ready)
                for stream in due if self.trains else ():
                    told(self.messages, f"training {stream.name}")
                    await self.slow.attempt(stream)
                told(self.messages, "")
        self.finish(out)

    def accept(self, message: Message) -> StreamState | None:
        """One message more in the open batch; the stream whose next swap is at this very sample, if there is one."""
        before = len(self.fast.open.samples) if self.fast.open else 0
        self.fast.accept_message(message)
        route = self.fast.routing.routes.get(message.topic)
        if not self.pending or self.fast.open is None or route is None or route.stream.name not in self.pending:
            return None
        idents = [sample[0] for sample in self.fast.open.samples[before:]]
        if idents and route.stream.grid.fill:
            idents = [one.ident for one in route.stream.series]
        return self.ready(route.stream, idents)

    def finish(self, out: BinaryIO | None) -> list[StreamState]:
        """Journal, step, score and forecast the open batch; the streams whose training it made due."""
        processed = self.fast.finish()
        for message in processed.forecasts:
            if out is not None:
                out.write(line(message, self.time))
        return processed.due

    def ready(self, stream: StreamState, idents: Sequence[int]) -> StreamState | None:
        """The stream, if its series have all got to its next swap, last those with these ids, which may have moved."""
        waiting, arrived = self.pending[stream.name].last, False
        for ident in idents:
            series = stream.series[bisect_left(stream.series, ident, key=attrgetter("ident"))]
            if series.tick >= waiting.get(series.name, series.tick + 1):
                del waiting[series.name]
                arrived = True
        return stream if arrived and not waiting else None

    def swap(self, stream: StreamState) -> None:
        """Put the live run's networks into a stream, its ids made this run's."""
        pending = self.pending[stream.name]
        outcome = pending.outcomes.pop(0)
        own = {series.name: series.ident for series in stream.series}
        ids = {ident: own[name] for ident, name in self.names.items() if name in own}
        rows = [replace(row, scales=renamed(row.scales, ids)) for row in outcome.networks]
        translated = replace(outcome, spans=renamed(outcome.spans, ids), networks=tuple(rows))
        conclude(stream, translated, self.journal, Event())
        if pending.outcomes:
            pending.next(self.names)
        else:
            del self.pending[stream.name]


def renamed(by_id: Mapping[int, Any], ids: Mapping[int, int]) -> dict[int, Any]:
    """The same under other ids; what has none is left out."""
    return {ids[ident]: value for ident, value in by_id.items() if ident in ids}


def line(message: Outgoing, time: float) -> bytes:
    """A forecast as the line of a recording, at the time of the sample it was made by; `time` where it has none."""
    document = orjson.loads(message.payload)
    if isinstance(document, list):  # slots, the first of which begins an interval later
        start, end = (parse_time(document[0][name]) for name in ("start", "end"))
        time = 2 * start - end
    elif "time" in document:
        time = parse_time(document["time"])
    return recorded(time, message.topic, message.payload, message.qos, message.retain)


@contextmanager
def written(path: Path | None) -> Iterator[BinaryIO | None]:
    """The file to write forecasts to, compressed where its name ends in .gz. Raises StateError."""
    if path is None:
        yield None
        return
    try:
        with path.open("wb") as file:
            if path.suffix.lower() != ".gz":
                yield file
                return
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:  # the same bytes whenever it was written
                yield cast(BinaryIO, packed)
    except OSError as error:
        raise StateError(f"{path}: cannot be written ({error.strerror or error})") from error


def messages(samples: Iterable[Sample], topics: Sequence[str]) -> Iterator[Message]:
    """Recorded messages as they were; of a table's rows a message for each column, on the topic of its position.

    Raises SourceError where there are fewer topics than columns.
    """
    for sample in samples:
        if sample.topic is not None:
            payload = encode(sample)
            yield Message(sample.topic, payload, sample.qos or 0, bool(sample.retain), 0, sample.time)
            continue
        if len(topics) != len(sample.values):
            raise SourceError(
                f"{len(sample.values)} columns and {len(topics)} topics: name each --column and a --topic"
            )
        for topic, value in zip(topics, sample.values, strict=True):
            yield Message(topic, encode(replace(sample, values=(value,))), 0, False, 0, sample.time)


def backtest(config: Config, some: Iterable[Message], models: Path | None, out: Path | None, told: Told) -> Backtest:
    """Run it in a temporary state directory. Raises SourceError, StateError."""
    prepare()
    with tempfile.TemporaryDirectory(prefix="streamer-backtest-") as directory, written(out) as file:
        made = Backtest(config, Path(directory), models)
        try:
            asyncio.run(made.run(some, file, told))
        finally:
            made.journal.close()
    return made
