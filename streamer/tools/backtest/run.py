"""The fast lane offline, as fast as it goes.

Event time drives everything: a training that is due is done before the next message and swapped in at that tick, so
that two runs are the same. With the journal of a live run, its networks go live at the ticks they did there.
"""

import asyncio
import tempfile
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from threading import Event
from typing import Any, TextIO

from streamer.config import Config, State
from streamer.errors import SourceError
from streamer.ingest.topics import joined
from streamer.lanes.fast import Accepted, FastLane
from streamer.lanes.machine import prepare
from streamer.lanes.slow import SlowLane
from streamer.records import Message, Outgoing
from streamer.resume.resume import swap
from streamer.store.journal import Journal
from streamer.store.models import TrainingOutcome, outcomes_after
from streamer.stream.state import StreamState
from streamer.tools.backtest.audit import Audit
from streamer.tools.replay.recording import recorded
from streamer.tools.replay.sample import Sample, encode

BATCH = 256
"""Messages that are stepped together; a training is looked for after each batch."""

Progress = Callable[[int, str], None]
"""Called with the messages done so far, and the stream that is trained now or an empty text."""


@dataclass(slots=True)
class Pending:
    """The swaps of a live run that are still to come in a lane, and the series that have not got to the next one."""

    gates: list[TrainingOutcome]
    last: dict[str, int] = field(default_factory=dict)

    def next(self, names: Mapping[int, str]) -> None:
        """Look to the next swap; `names` are those of series by the live run's ids."""
        self.last = {names[ident]: span.last for ident, span in self.gates[0].spans.items() if ident in names}


class Backtest:
    """A fast lane on a journal of its own, trained in event time or given a live run's networks."""

    def __init__(self, config: Config, directory: Path, models: Path | None) -> None:
        self.config = config.model_copy(update={"state": State(path=directory)})
        self.journal = Journal.open(directory)
        lanes = [StreamState(stream, config.metrics) for stream in config.streams]
        for lane in lanes:
            lane.scores = Audit(lane, config.metrics.window)
        self.time = 0.0
        self.fast = FastLane(lanes, self.journal, config.mqtt.max_payload, lambda: self.time)
        self.slow = SlowLane(self.config, self.journal, lambda: self.time)
        self.names: dict[int, str] = {}
        self.pending = {} if models is None else self.swaps_of(models)
        self.trains = models is None
        self.messages = 0

    def swaps_of(self, models: Path) -> dict[str, Pending]:
        """By stream, what went live in a live run. Raises StateError."""
        pending = {}
        with closing(Journal.read(models)) as journal:
            for lane in self.fast.lanes:
                self.names |= {row.ident: joined(row.topic, row.part) for row in journal.series(lane.source)}
                gates = outcomes_after(journal, lane.stream.name, lane.sizes, 0)
                if gates:
                    pending[lane.stream.name] = Pending(gates)
                    pending[lane.stream.name].next(self.names)
        return pending

    async def run(self, messages: Iterable[Message], out: TextIO | None, progress: Progress) -> None:
        """All messages in their order; forecasts go to `out` as a recording."""
        accepted = Accepted()
        for message in messages:
            self.messages += 1
            self.time = max(self.time, message.arrived)
            before = len(accepted.samples)
            self.fast.accept_message(message, accepted)
            ready = self.pending and self.ready(message.topic, [sample[0] for sample in accepted.samples[before:]])
            if ready or self.messages % BATCH == 0:
                self.advance(accepted, out)
                accepted = Accepted()
                if ready:
                    self.swap(ready)
                elif self.trains:
                    await self.train(progress)
                progress(self.messages, "")
        self.advance(accepted, out)

    def advance(self, accepted: Accepted, out: TextIO | None) -> None:
        """Journal, step, score and forecast what has been heard."""
        self.fast.commit(accepted)
        for message in self.fast.advance():
            if out is not None:
                out.write(line(message, self.time))

    def ready(self, topic: str, idents: Sequence[int]) -> StreamState | None:
        """The lane whose series have all got to its next swap, last those with these ids, heard under this topic."""
        lane, _ = self.fast.table.get(topic, (None, None))
        if lane is None or lane.stream.name not in self.pending:
            return None
        waiting, arrived = self.pending[lane.stream.name].last, False
        for ident in idents:
            series = lane.series[bisect_left(lane.series, ident, key=attrgetter("ident"))]
            if series.tick >= waiting.get(series.name, series.tick + 1):
                del waiting[series.name]
                arrived = True
        return lane if arrived and not waiting else None

    def swap(self, lane: StreamState) -> None:
        """Put the live run's networks into a lane, its ids made this run's."""
        pending = self.pending[lane.stream.name]
        gate = pending.gates.pop(0)
        own = {series.name: series.ident for series in lane.series}
        ids = {ident: own[name] for ident, name in self.names.items() if name in own}
        rows = [replace(row, scales=renamed(row.scales, ids)) for row in gate.models]
        swap(lane, replace(gate, spans=renamed(gate.spans, ids), models=tuple(rows)), self.journal, Event())
        if pending.gates:
            pending.next(self.names)
        else:
            del self.pending[lane.stream.name]

    async def train(self, progress: Progress) -> None:
        """Whatever is due, before the next message."""
        for lane in self.fast.lanes:
            if lane.due():
                progress(self.messages, lane.stream.name)
                await self.slow.attempt(lane)


def renamed(by_id: Mapping[int, Any], ids: Mapping[int, int]) -> dict[int, Any]:
    """The same under other ids; what has none is left out."""
    return {ids[ident]: value for ident, value in by_id.items() if ident in ids}


def line(message: Outgoing, time: float) -> str:
    """A forecast as the line of a recording."""
    return recorded(time, message.topic, message.payload, message.qos, message.retain).decode()


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


def backtest(
    config: Config, some: Iterable[Message], models: Path | None, out: Path | None, progress: Progress
) -> Backtest:
    """Run it in a temporary state directory. Raises SourceError, StateError."""
    prepare()
    with tempfile.TemporaryDirectory(prefix="streamer-backtest-") as directory:
        made = Backtest(config, Path(directory), models)
        try:
            if out is None:
                asyncio.run(made.run(some, None, progress))
            else:
                with out.open("w", encoding="utf-8") as file:
                    asyncio.run(made.run(some, file, progress))
        finally:
            made.journal.close()
    return made
