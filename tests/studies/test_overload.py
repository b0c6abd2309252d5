"""Three times what the daemon can take, for a minute: some minutes, so run by hand (pytest -m slow -s)."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.tools.replay.sample import Sample, encode
from tests.broker import Mosquitto
from tests.daemon.outages import journaled
from tests.process import configuration, counter, get, running, served

SERIES = 50
FIRST = 1000
"""Ticks of each series for measuring what the daemon sustains."""
TIMES, SECONDS = 3, 60.0
ROOM = 64 * 2**20
"""Bytes for what may wait in the daemon: twice mqtt.queue messages, each below a kilobyte with its object, and some."""
MADE_UP = 1e9
"""Seconds since 1970 of the first sample."""


class Ears:
    """Hears all forecasts; `disorder` counts those not newer than the one before of their series."""

    def __init__(self) -> None:
        self.heard: Counter[str] = Counter()
        self.disorder = 0
        self.newest: dict[str, bytes] = {}

    async def listen(self, link: Link) -> None:
        async for batch in link.batches():
            for message in batch.messages:
                at = message.payload.partition(b'"time":"')[2].partition(b'"')[0]
                self.disorder += at <= self.newest.get(message.topic, b"")
                self.newest[message.topic] = at
                self.heard[message.topic] += 1
            link.ack(batch)


async def publish(publisher: Publisher, ticks: range, rate: float) -> float:
    """A sample of every series each tick, `rate` samples a second altogether; seconds that it took."""
    began = time.monotonic()
    for i, tick in enumerate(ticks):
        payload = encode(Sample(MADE_UP + tick, (float(tick % 17),)))
        for series in range(SERIES):
            await publisher.publish(f"waves/{series}", payload, 1)
        early = began + i * SERIES / rate - time.monotonic()
        if early > 0.001:
            await asyncio.sleep(early)
    await publisher.flush()
    return time.monotonic() - began


async def processed(url: str, samples: int) -> float:
    """The moment when so many samples have been processed."""
    while True:
        _, exposed = await asyncio.to_thread(get, f"{url}/metrics")
        if counter(exposed, "streamer_samples_total") >= samples:
            return time.monotonic()
        await asyncio.sleep(0.1)


async def watch(process: psutil.Process, sizes: list[int]) -> None:
    """Bytes resident, ten times a second."""
    while True:
        sizes.append(process.memory_info().rss)
        await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_overload_waits_at_the_broker(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Published three times as fast as it can, at QoS 1, the daemon processes every sample in the end, in order, and
    grows by no more than its bounded queue."""
    # Forecasts of 40 values at QoS 0, one for each sample: the daemon is to be the slowest of the four processes.
    changes = {"publish": {"qos": 0, "retain": False}, "retrain": {"every": 0, "window": 20_000}, "model": {}}
    config = configuration(mosquitto, tmp_path, **changes)
    ears, sizes = Ears(), list[int]()
    guest = mosquitto.config(client_id="ears", session_expiry=0, qos=0, queue=1_000_000)
    mouth = mosquitto.config(client_id="mouth")
    async with (
        Link(guest, ["forecast/#"]) as link,
        Publisher(mouth) as publisher,
        running(config, tmp_path) as daemon,
    ):
        await link.ready()
        listening = asyncio.create_task(ears.listen(link))
        url = await served(daemon)
        await daemon.logged("subscribed to")
        process = psutil.Process(daemon.process.pid)
        process.nice(10)  # where cores are few it is the daemon, and not its publisher, that lacks time
        began = time.monotonic()
        await publish(publisher, range(FIRST), rate=1e9)
        sustained = FIRST * SERIES / (await processed(url, FIRST * SERIES) - began)
        watching = asyncio.create_task(watch(process, sizes))
        ticks = int(TIMES * sustained * SECONDS / SERIES)
        took = await publish(publisher, range(FIRST, FIRST + ticks), TIMES * sustained)
        before, published = sizes[0], time.monotonic()
        drained = await processed(url, (FIRST + ticks) * SERIES) - published
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        _, exposed = await asyncio.to_thread(get, f"{url}/metrics")
        assert await daemon.stop() == 0
        link.stop()
        await listening
    rate, processing = ticks * SERIES / took, ticks * SERIES / (took + drained)
    print(f"sustained {sustained:.0f} samples/s; {ticks * SERIES} published at {rate:.0f}/s in {took:.0f} s")
    print(f"processed at {processing:.0f}/s, the last one {drained:.0f} s after the end of publishing")
    print(f"resident before {before / 2**20:.0f} MiB, at most {max(sizes) / 2**20:.0f} MiB")
    superseded = counter(exposed, "streamer_outbox_superseded_messages_total")
    print(f"{ears.heard.total()} forecasts heard, {superseded:.0f} superseded unsent")
    assert rate > 0.9 * TIMES * sustained, "the publisher was too slow to prove anything"
    assert counter(exposed, "streamer_samples_total") == (FIRST + ticks) * SERIES
    assert counter(exposed, "streamer_rejected_messages_total") == 0
    assert counter(exposed, "streamer_queue_dropped_messages_total") == 0
    assert {times[-1] for times in journaled(tmp_path).values()} == {MADE_UP + FIRST + ticks - 1}
    assert ears.disorder == 0
    assert len(ears.heard) == SERIES
    assert max(sizes) - before <= ROOM
