"""A replay, for tests, during which the daemon is killed again and again, and what it must have come to in the end."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from streamer.config import Config, Stream
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.records import Message, MessageBatch, Outgoing
from streamer.resume.snapshot import capture
from streamer.store.database import SNAPSHOTS
from streamer.store.journal import Journal
from streamer.store.snapshots import Snapshot, newest_first
from streamer.tools.replay.sample import Sample, encode
from tests.broker import Mosquitto, until
from tests.models.seed import seed
from tests.process import Process, configuration, running
from tests.streams import NOW, resumed

TOPICS = ("waves/a", "bare/a", "waves/b", "bare/b")
CLOCK = ("series.time", "series.anchor", "seasons.time", "pace.time", "pace.gaps", "pace.median", "pace.count")
"""Of a series without a time of its own: when its samples arrived, another time in each run."""


def two_streams(broker: Mosquitto, folder: Path, **changes: Any) -> dict[str, Any]:
    """One whose payloads have a time, one of bare numbers; a snapshot every second."""
    config = configuration(broker, folder, season=7, **changes)
    (waves,) = config["streams"]
    bare = {"name": "bare", "topics": ["bare/+"], "payload": {"format": "number"}, "interval": None}
    config["streams"].append({**waves, **bare})
    config["state"]["snapshot"] = 1.0
    return config


def parsed(config: dict[str, Any]) -> list[Stream]:
    return Config(**config).streams


def value(topic: str, tick: int) -> float:
    return round(float(np.sin(tick / 5 + len(topic)) + random.Random(f"{topic} {tick}").gauss(0, 0.1)), 4)


def payload(topic: str, tick: int) -> bytes:
    return encode(Sample(float(tick), (value(topic, tick),)), "number" if topic.startswith("bare") else "json")


class Sensors:
    """One sample of every topic each few milliseconds, QoS 1, while `going`; else no more than AWAY. `tick` counts."""

    AWAY = 20

    def __init__(self, topics: Sequence[str] = TOPICS, payload: Callable[[str, int], bytes] = payload) -> None:
        self.topics, self.payload = topics, payload
        self.tick, self.stopped = 0, False
        self.going, self.ended = asyncio.Event(), asyncio.Event()

    async def run(self, publisher: Publisher) -> None:
        while not self.stopped:
            await self.going.wait()
            while self.going.is_set() and not self.stopped:
                await self.publish(publisher)
                await asyncio.sleep(0.005)
            for _ in range(self.AWAY):
                await self.publish(publisher)
        await publisher.flush()
        self.ended.set()

    async def end(self) -> None:
        """Returns when the broker has them all."""
        self.stopped = True
        self.going.set()
        await self.ended.wait()

    async def publish(self, publisher: Publisher) -> None:
        for topic in self.topics:
            await publisher.publish(topic, self.payload(topic, self.tick))
        self.tick += 1


@dataclass
class Ears:
    """Every forecast message, in the order it came."""

    link: Link
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    async def listen(self) -> None:
        async for batch in self.link.batches():
            self.heard += [(message.topic, message.payload) for message in batch.messages]
            self.link.ack(batch)

    async def all(self) -> set[tuple[str, bytes]]:
        """What has been published until now."""
        self.link.publish([Outgoing("forecast/end", b"", 1, False)])
        await until(lambda: bool(self.heard) and self.heard[-1][0] == "forecast/end", seconds=60)
        return {timeless(*one) for one in self.heard[:-1]}

    async def more(self, count: int) -> None:
        """Returns when so many more have come."""
        goal = len(self.heard) + count
        await until(lambda: len(self.heard) >= goal, seconds=60)


@asynccontextmanager
async def replay(broker: Mosquitto, sensors: Sensors | None = None) -> AsyncIterator[tuple[Sensors, Ears]]:
    """Sensors that publish and ears that listen, beside whatever becomes of the daemon."""
    sensors = sensors or Sensors()
    mouth, ear = (broker.config(client_id=name, session_expiry=0) for name in ("mouth", "ears"))
    async with Publisher(mouth) as publisher, Link(ear, ["forecast/#"]) as link:
        await link.ready()
        ears = Ears(link)
        listening = asyncio.create_task(ears.listen())
        publishing = asyncio.create_task(sensors.run(publisher))
        try:
            yield sensors, ears
        finally:
            publishing.cancel()
            listening.cancel()


def journaled(directory: Path) -> dict[str, list[tuple[int, float]]]:
    """Tick and value of every sample, by topic."""
    with closing(Journal.read(directory)) as journal:
        topics = journal.database.execute("SELECT id, topic FROM series ORDER BY id").fetchall()
        found = {topic: journal.newest(ident, 10**7) for ident, topic in topics}
    return {topic: list(zip(ticks.tolist(), x[:, 0].tolist(), strict=True)) for topic, (ticks, x) in found.items()}


def count(directory: Path) -> int:
    with closing(Journal.read(directory)) as journal:
        return sum(journal.count(ident) for (ident,) in journal.database.execute("SELECT id FROM series").fetchall())


def unbroken(directory: Path, streams: list[Stream], ticks: int) -> tuple[list[Snapshot], list[tuple[str, bytes]]]:
    """The same samples through a fast lane that never stops: its states, and what it publishes."""
    fast = resumed(directory, *streams)
    published = []
    for tick in range(ticks):
        batch = [Message(topic, payload(topic, tick), 1, False, None, NOW + tick) for topic in TOPICS]
        published += [(out.topic, out.payload) for out in fast.process(MessageBatch(batch, 1)).forecasts]
    fast.journal.close()
    return [capture(stream) for stream in fast.streams], published


def saved(directory: Path, streams: list[Stream]) -> list[Snapshot]:
    """What the clean stop wrote."""
    return [next(newest_first(directory, stream.name)) for stream in streams]


def assert_same(found: Snapshot, expected: Snapshot, ignored: tuple[str, ...] = ()) -> None:
    assert json.loads(json.dumps(found.about)) == json.loads(json.dumps(expected.about))
    assert found.arrays.keys() == expected.arrays.keys()
    for name in found.arrays.keys() - set(ignored):
        np.testing.assert_array_equal(found.arrays[name], expected.arrays[name], err_msg=name, strict=True)


def timeless(topic: str, data: bytes) -> tuple[str, bytes]:
    """A forecast without what differs from run to run."""
    if topic.startswith("forecast/bare"):
        read = json.loads(data)
        return topic, json.dumps([read["model"], read["version"], read["mean"]]).encode()
    return topic, data


Moment = Callable[[Process, Ears], Awaitable[object]]
"""Returns when the daemon is to be killed; it is subscribed, and samples come."""


def after(forecasts: int) -> Moment:
    return lambda _, ears: ears.more(forecasts)


def at(text: str) -> Moment:
    """As soon as this is logged."""
    return lambda daemon, _: daemon.logged(text)


def at_snapshot(state: Path) -> Moment:
    """While, or just after, the next snapshot is written."""

    def names() -> set[str]:
        return {path.name for path in (state / SNAPSHOTS).iterdir()}

    async def moment(*_: object) -> None:
        before = names()
        await until(lambda: not names() <= before, seconds=60)

    return moment


async def survive(config: dict[str, Any], folder: Path, broker: Mosquitto, moments: Iterable[Moment]) -> str:
    """Kill the daemon at each of these moments, then let it come to an end, and compare; what was seen, in words."""
    directory, streams = Path(config["state"]["path"]), parsed(config)
    seed(directory, streams)
    seed(folder / "unbroken", streams)
    kills = 0
    async with replay(broker) as (sensors, ears):
        for moment in moments:
            async with running(config, folder) as daemon:  # leaving it is SIGKILL
                await daemon.logged("started" if kills % 5 == 4 else "subscribed to")
                sensors.going.set()
                await moment(daemon, ears)
            sensors.going.clear()
            kills += 1
        async with running(config, folder) as daemon:
            await daemon.logged("subscribed to")
            await sensors.end()
            await until(lambda: count(directory) >= len(TOPICS) * sensors.tick, seconds=60)
            assert await daemon.stop() == 0
        heard = await ears.all()
    assert journaled(directory) == {t: [(i, value(t, i)) for i in range(sensors.tick)] for t in TOPICS}
    states, published = unbroken(folder / "unbroken", streams, sensors.tick)
    for stream, found, expected in zip(streams, saved(directory, streams), states, strict=True):
        assert_same(found, expected, () if stream.interval else CLOCK)
    wanted = {timeless(*one) for one in published}
    assert heard == wanted
    twice = len(ears.heard) - 1 - len(heard)
    return f"{kills} kills, {len(TOPICS) * sensors.tick} samples, forecasts {len(wanted)}, all heard, twice {twice}"
