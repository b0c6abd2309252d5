"""One sensor of a stream runs wild, at a real broker: what that costs the forecasts of the others, as a subscriber
hears them (pytest -m slow -s tests/studies/test_rogue_sensor.py)."""

import asyncio
import json
from collections import defaultdict
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import geometric_mean

import numpy as np
import pytest

from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.records import Floats
from streamer.tools.replay.sample import Sample, encode
from streamer.tools.replay.signals import Signal
from tests.broker import Mosquitto, until
from tests.process import configuration, counter, get, running, served

TOPICS = [f"waves/{i}" for i in range(8)]
TICKS, CHUNK, SCORED = 1400, 50, 900
"""Ticks of the orderly sensors, how many go out at once, and from which one on forecasts are scored: after two
trainings."""
H = 10


def orderly() -> Floats:
    """[8, TICKS] waves with noise, each of its own period."""
    return np.array([Signal(("sine", "trapezoid")[i % 2], 1 / (13 + 5 * i)).noisy(TICKS, i) for i in range(8)])


def wild(seed: int) -> list[tuple[str, bytes]]:
    """Messages of the rogue for as many ticks as a chunk has: spikes, jumps in time and level, junk, copies."""
    rng, messages = np.random.default_rng(seed), list[tuple[str, bytes]]()
    at = seed * 10_000.0
    for _ in range(CHUNK):
        at += rng.choice([1, 1, 1, 60, 101])
        value = rng.normal() * rng.choice([1, 1, 300, 1e6])
        messages += [("waves/rogue", encode(Sample(float(at), (float(value),))))] * rng.choice([1, 1, 2])
        if rng.random() < 0.2:
            messages.append(("waves/rogue", rng.bytes(40)))
    return messages


class Ears:
    """The forecasts of the orderly sensors as a subscriber hears them, by topic and time."""

    def __init__(self) -> None:
        self.heard: dict[str, dict[str, list[float]]] = defaultdict(dict)

    async def listen(self, link: Link) -> None:
        async for batch in link.batches():
            for message in batch.messages:
                if message.topic.removeprefix("forecast/") in TOPICS:
                    document = json.loads(message.payload)
                    self.heard[message.topic.removeprefix("forecast/")][document["time"]] = document["mean"]
            link.ack(batch)

    def heard_of(self, wanted: int) -> bool:
        """Whether so many have come."""
        return self.count() >= wanted

    def count(self) -> int:
        return sum(map(len, self.heard.values()))


async def lived(broker: Mosquitto, folder: Path, rogue: bool) -> tuple[int, Floats]:
    """Forecasts of the orderly sensors that were heard, and their mean error over the last ticks: [8]."""
    config = configuration(broker, folder)
    ears, x = Ears(), orderly()
    names = [f"forecast/{topic}" for topic in TOPICS]
    async with (
        Link(broker.config(client_id="ears", session_expiry=0), names) as link,
        Publisher(broker.config(client_id="mouth", session_expiry=0)) as publisher,
        running(config, folder) as daemon,
    ):
        url = await served(daemon)
        await daemon.logged("subscribed to")
        listening = asyncio.create_task(ears.listen(link))
        for begin in range(0, TICKS, CHUNK):
            for tick in range(begin, begin + CHUNK):
                for topic, value in zip(TOPICS, x[:, tick].tolist(), strict=True):
                    await publisher.publish(topic, encode(Sample(float(tick), (value,))), 1)
            for topic, payload in wild(begin // CHUNK) if rogue else ():
                await publisher.publish(topic, payload, 1)
            wanted = len(TOPICS) * (begin + CHUNK - 1)  # of a first sample there is no forecast
            await until(partial(ears.heard_of, wanted), seconds=60)
            await trained(url)
        listening.cancel()
        assert await daemon.stop() == 0
    return ears.count(), np.array([error(ears.heard[topic], x[i]) for i, topic in enumerate(TOPICS)])


async def trained(url: str) -> None:
    """Returns when no training is under way: each has an outcome for both networks."""
    async with asyncio.timeout(400):
        while True:
            exposed = (await asyncio.to_thread(get, f"{url}/metrics"))[1]
            if counter(exposed, "streamer_retrainings_total") == 2 * counter(exposed, "streamer_retrainings_due_total"):
                return


def error(heard: dict[str, list[float]], x: Floats) -> float:
    """Mean absolute error of the forecasts after tick SCORED, [T] truths."""
    found = [
        np.abs(mean - x[tick + 1 : tick + 1 + H]).mean()
        for tick, mean in ((round(datetime.fromisoformat(time).timestamp()), mean) for time, mean in heard.items())
        if SCORED <= tick < TICKS - H
    ]
    return float(np.mean(found))


@pytest.mark.slow
async def test_a_rogue_sensor_costs_the_others_little(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Of a sensor with spikes, jumps in time and level, junk and copies, the eight others of its stream notice little:
    each of their samples but the first is forecast, and the error is at most 3 % larger in the mean."""
    for name in ("alone", "beside"):
        (tmp_path / name).mkdir()
    count, alone = await lived(mosquitto, tmp_path / "alone", rogue=False)
    beside, disturbed = await lived(mosquitto, tmp_path / "beside", rogue=True)
    ratios = disturbed / alone
    print(f"mean {geometric_mean(ratios):.3f}, worst {ratios.max():.3f}")
    assert count == beside == len(TOPICS) * (TICKS - 1)
    assert geometric_mean(ratios) <= 1.03
