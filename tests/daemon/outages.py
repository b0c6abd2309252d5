"""A replay, for tests, during which the broker goes and comes back, and what the daemon must have made of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from streamer.config import Mqtt
from streamer.errors import StartError
from streamer.mqtt.access import LinkError
from streamer.mqtt.publisher import Publisher
from streamer.store.journal import Journal
from streamer.store.samples import NEWEST
from streamer.tools.replay.sample import Sample, encode
from tests.broker import Mosquitto, until
from tests.process import Process, counter, get, running, served

Times = dict[str, list[float]]


def journaled(state: Path) -> Times:
    """Times of the samples of every topic in the order of their ticks, as the file has them."""
    with closing(Journal.read(state / "state")) as journal:
        series = [one for source in journal.sources() for one in journal.series(source)]
        return {one.topic: journal.between(one.ident, -1, NEWEST, NEWEST)[1] for one in series}


class Sensor:
    """Publishes a sample of every topic for each second of event time, in order, from 0 on; `value(tick)` gives it.

    A second counts (`tick`) when the broker has acknowledged it. After a lost connection it goes on from what
    `resume` says: a sensor of QoS 1 from there, one with a store from what the journal lacks.
    """

    def __init__(self, config: Mqtt, topics: list[str], value: Callable[[int], float] = float) -> None:
        self.config, self.topics, self.value = config, topics, value
        self.pause = 0.005  # seconds between ticks
        self.between = 25  # ticks between two outages
        self.tick = 0
        self.stopped = False
        self.resume: Callable[[], int] = lambda: self.tick

    async def run(self) -> None:
        while not self.stopped:
            try:
                async with Publisher(self.config) as publisher:
                    self.tick = self.resume()
                    while not self.stopped:
                        await self.publish(publisher)
                        await asyncio.sleep(self.pause)
            except (StartError, LinkError):
                await asyncio.sleep(0.02)

    async def publish(self, publisher: Publisher) -> None:
        payload = encode(Sample(float(self.tick), (self.value(self.tick),)))
        for topic in self.topics:
            await publisher.publish(topic, payload, 1)
        await publisher.flush()
        self.tick += 1

    async def more(self, ticks: int) -> None:
        """Returns when so many more ticks are acknowledged."""
        goal = self.tick + ticks
        await until(lambda: self.tick >= goal, seconds=60)


def store_and_forward(sensor: Sensor, state: Path) -> None:
    """Have the sensor go on from the oldest sample that the journal lacks."""
    sensor.resume = lambda: min((len(times) for times in journaled(state).values()), default=0)


async def restarts(
    outages: Sequence[float], sensor: Sensor, daemon: Process, broker: Mosquitto, end: Callable[[], Awaitable[None]]
) -> list[float]:
    """Ends the broker and has it away for so many seconds each; seconds from its return until the daemon is back."""
    waits = []
    for seconds in outages:
        await sensor.more(sensor.between)
        await broker.save()
        await sensor.more(5)  # acknowledged, and yet to be repeated or lost by a broker that is killed
        await end()
        await daemon.logged("connection lost")
        await asyncio.sleep(seconds)
        began = time.monotonic()
        await broker.start()
        await daemon.logged("subscribed to")
        waits.append(time.monotonic() - began)
    await sensor.more(25)
    return waits


async def everything_once(sensor: Sensor, url: str, state: Path) -> None:
    """The journal holds every sample that was published, once and in order; each was stepped once, none bridged.

    Prints how many came again.
    """
    expected = {topic: [float(tick) for tick in range(sensor.tick)] for topic in sensor.topics}
    await until(lambda: all(len(times) == sensor.tick for times in journaled(state).values()), seconds=60)
    assert journaled(state) == expected
    _, exposed = await asyncio.to_thread(get, f"{url}/metrics")
    assert counter(exposed, "streamer_samples_total") == sensor.tick * len(sensor.topics)
    assert counter(exposed, "streamer_bridged_ticks_total") == 0
    assert "streamer_bridged_ticks_total" in exposed
    rejected = counter(exposed, "streamer_rejected_messages_total")
    print(f"{sensor.tick} samples of {len(sensor.topics)} series, {rejected:.0f} came again")


async def through(
    outages: Sequence[float], sensor: Sensor, broker: Mosquitto, config: dict[str, Any], folder: Path, *, kill: bool
) -> list[float]:
    """A replay through outages of so many seconds each; the waits of the daemon."""
    if kill:
        store_and_forward(sensor, folder)
    async with running(config, folder) as daemon:
        url = await served(daemon)
        await daemon.logged("subscribed to")
        publishing = asyncio.create_task(sensor.run())
        waits = await restarts(outages, sensor, daemon, broker, broker.kill if kill else broker.stop)
        sensor.stopped = True
        await publishing
        await everything_once(sensor, url, folder)
        assert await daemon.stop() == 0
    return waits
