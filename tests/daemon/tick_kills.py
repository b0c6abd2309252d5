"""A replay, for tests, of readings that are several to a tick, during which the daemon is killed within ticks."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from streamer.config import Config, Stream
from streamer.ingest.gather import Gather
from streamer.records import Message, MessageBatch
from streamer.resume.snapshot import capture
from streamer.store import gathered
from streamer.store.journal import Journal
from streamer.store.snapshots import Snapshot
from streamer.tools.replay.sample import Sample, encode
from tests.broker import Mosquitto, until
from tests.daemon.kills import Moment, Sensors, assert_same, count, replay, saved
from tests.process import configuration, running
from tests.streams import NOW, resumed

A_TICK = 7
"""Readings of a topic in a tick of a second."""
TOPICS = ("mean/a", "meter/a", "mean/b")


def reading(topic: str, number: int) -> bytes:
    """A value, or the total of a meter that is changed now and then."""
    time = number / A_TICK
    value = number % 900 * 0.3 if topic.startswith("meter") else (number * 37 % 101) / 7
    return encode(Sample(time, (value,)))


def two_streams(broker: Mosquitto, folder: Path) -> dict[str, Any]:
    """The mean of a tick's readings, and what a meter counts in a tick; only readings close ticks, not the clock."""
    plain = {"grace": 1e6, "season": 7, "retrain": {"every": 0, "minimum": 300, "window": 100_000}}
    config = configuration(broker, folder, name="mean", topics=["mean/+"], aggregate="mean", **plain)
    (mean,) = config["streams"]
    meter = {**mean, "name": "meter", "topics": ["meter/+"], "aggregate": None, "difference": True}
    config["streams"].append(meter)
    config["state"]["snapshot"] = 1.0
    return config


def open_ticks(directory: Path, streams: Iterable[Stream]) -> list[tuple[int, bytes]]:
    """By stream, how many of its ticks are open, and all that is known of its readings."""
    found = []
    with closing(Journal.read(directory)) as journal:
        for stream in streams:
            gather = Gather(stream)
            gather.restore(*gathered.read(journal, stream.name, gather.fit))
            found.append((sum(0 < one.count < A_TICK for one in gather.ongoing.values()), gather.whole()))
    return found


def unbroken(directory: Path, streams: list[Stream], readings: int) -> tuple[list[Snapshot], set[tuple[str, bytes]]]:
    """The same readings through a fast lane that never stops: its states, and what it publishes."""
    fast, published = resumed(directory, *streams), set()
    for number in range(readings):
        batch = [Message(topic, reading(topic, number), 1, False, None, NOW + number) for topic in TOPICS]
        published |= {(out.topic, out.payload) for out in fast.process(MessageBatch(batch, 1)).forecasts}
    fast.journal.close()
    return [capture(stream) for stream in fast.streams], published


async def survive(config: dict[str, Any], folder: Path, broker: Mosquitto, moments: Iterable[Moment]) -> str:
    """Kill the daemon at each of these moments, then let it come to an end, and compare; what was seen, in words."""
    directory, streams = Path(config["state"]["path"]), Config(**config).streams
    kills = within = 0
    async with replay(broker, Sensors(TOPICS, reading)) as (sensors, ears):
        for moment in moments:
            async with running(config, folder) as daemon:  # leaving it is SIGKILL
                await daemon.logged("subscribed to")
                sensors.going.set()
                await moment(daemon, ears)
            sensors.going.clear()
            kills += 1
            within += any(ticks for ticks, _ in open_ticks(directory, streams))
        async with running(config, folder) as daemon:
            await daemon.logged("subscribed to")
            await sensors.end()
            states, published = unbroken(folder / "unbroken", streams, sensors.tick)
            wanted = count(folder / "unbroken")
            await until(lambda: count(directory) >= wanted, seconds=60)
            assert await daemon.stop() == 0
        heard = await ears.all()
    for found, expected in zip(saved(directory, streams), states, strict=True):
        assert_same(found, expected)
    assert open_ticks(directory, streams) == open_ticks(folder / "unbroken", streams)
    assert heard == published
    assert within >= kills / 2, "too few kills were within a tick to show anything"
    return f"{kills} kills, {within} of them within a tick, {len(TOPICS) * sensors.tick} readings, {wanted} samples"
