"""Messages of the past in, a state directory as if its daemon had lived through them out; no daemon may run on it.

What is already there stays: of a topic only messages are taken that are newer than its newest sample. So an import that
was stopped goes on where it was, and history comes before what is live.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from threading import Event

from streamer.config import Config
from streamer.lanes.fast import FastLane
from streamer.lanes.machine import prepare
from streamer.records import ForecastBatch, Message, Outgoing
from streamer.resume.fold import resume
from streamer.store.journal import Journal
from streamer.store.snapshots import write
from streamer.stream.state import StreamState
from streamer.tools.backtest.run import Trainer
from streamer.tools.progress import Told

BATCH = 4096
"""Messages after which those so far are journaled and stepped, once one of a later time comes: else one of the same
time and topic, after an import that was stopped here, would be taken for an old one."""
MOST = 16 * BATCH
"""Messages that are journaled and stepped together at most."""
SAVE_SECONDS = 30.0
"""Between two snapshots, from which a stopped import goes on."""


class Silent(StreamState):
    """A stream whose forecasts are made, and scored later, but not published: they are of the past."""

    def encode(self, batch: ForecastBatch, now: float) -> list[Outgoing]:
        return []


@dataclass(slots=True)
class Brought:
    """What came of an import: messages seen, those of before the newest sample of their topic, and the rest by what
    became of it."""

    messages: int = 0
    old: int = 0
    unrouted: int = 0
    samples: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, dict[str, int]] = field(default_factory=dict)
    trainings: dict[str, dict[str, int]] = field(default_factory=dict)
    stopped: bool = False


def bring(config: Config, some: Iterable[Message], told: Told, stop: Callable[[], bool]) -> Brought:
    """Import messages and train what is due. Raises SourceError, StateError."""
    prepare()
    done = Brought()
    with closing(Journal.open(config.state.path, config.state.durability)) as journal:
        streams = [Silent(one, config.metrics) for one in config.streams]
        fast = FastLane(streams, journal, config.mqtt.max_payload, time.time)
        for stream in streams:
            resume(stream, fast.known(stream, streams), journal, Event())
        fast.take_over(streams)
        take(fast, some, done, told, stop)
        save(fast)
        if not done.stopped:
            asyncio.run(train(config, fast, done, told))
            save(fast)
    done.unrouted = fast.unrouted
    for stream in streams:
        done.samples[stream.name] = stream.counts.samples
        done.rejected[stream.name] = dict(stream.counts.rejected)
        done.trainings[stream.name] = {
            f"{kind} {result}": n for (kind, result), n in stream.counts.trainings.ended.items()
        }
    return done


def take(fast: FastLane, some: Iterable[Message], done: Brought, told: Told, stop: Callable[[], bool]) -> None:
    """All messages in their order, until they end or it is asked to stop."""
    newest, saved, worked, arrived = newest_of(fast), time.monotonic(), 0, -math.inf
    for message in some:
        waiting = done.messages - worked
        if waiting >= MOST or (waiting >= BATCH and message.arrived > arrived):
            work_off(fast)
            told(done.messages, "")
            worked = done.messages
            if stop():
                done.stopped = True
                return
            if time.monotonic() - saved > SAVE_SECONDS:
                save(fast)
                saved = time.monotonic()
        done.messages, arrived = done.messages + 1, message.arrived
        if arrived <= newest.get(message.topic, -1.0):
            done.old += 1
        else:
            fast.accept_message(message)
    work_off(fast)


def work_off(fast: FastLane) -> None:
    """Journal and step the open batch; trainings that it made due wait for the end."""
    fast.write()
    for _ in fast.pieces():
        pass


def newest_of(fast: FastLane) -> dict[str, float]:
    """The time of the newest sample by topic, or of the newest reading where a sample is made of several."""
    found: dict[str, float] = {}
    for stream in fast.streams:
        if stream.gather is None:
            known = [(series.topic, series.time) for series in stream.series]
        else:
            known = [(source, state.newest) for (source, _), state in stream.gather.ongoing.items()]
        for source, moment in known:
            topic = stream.intake.address(source)
            found[topic] = max(found.get(topic, -1.0), moment)
    return found


def save(fast: FastLane) -> None:
    """A snapshot of all streams."""
    captured = fast.snapshots()
    for name, snapshot in captured.items():
        write(fast.journal.path.parent, name, snapshot)
    fast.saved(captured)


async def train(config: Config, fast: FastLane, done: Brought, told: Told) -> None:
    """The trainings that are due, at normal priority."""
    slow = Trainer(config, fast.journal, fast.lock, time.time)
    for stream in fast.take_due():
        told(done.messages, f"training {stream.name}")
        await slow.attempt(stream)
