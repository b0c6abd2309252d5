"""Memory over millions of samples: minutes, so run by hand (pytest -m slow)."""

from pathlib import Path

import psutil
import pytest

from streamer.mqtt.publisher import Publisher
from streamer.tools.replay.sample import Sample, encode
from streamer.tools.replay.signals import Signal
from tests.broker import Mosquitto
from tests.process import Process, configuration, running

SERIES = 100
EARLY, LATE = 200_000, 2_000_000
TRAININGS = {"every": 4_000, "minimum": 1_000, "window": 2_000}


async def publish(publisher: Publisher, daemon: Process, ticks: range) -> int:
    """One sample per series and tick; bytes resident once all of them are journaled and acknowledged."""
    values = Signal("sine").noisy(len(ticks), seed=ticks.start)
    for i, t in enumerate(ticks):
        payload = encode(Sample(float(t), (float(values[i]),)))
        for series in range(SERIES):
            await publisher.publish(f"waves/{series}", payload, 1)
    await publisher.publish(f"waves/end-{ticks.stop}", b"the end", 1)
    await publisher.flush()
    await daemon.logged("reason=syntax", seconds=1800)
    return int(psutil.Process(daemon.process.pid).memory_info().rss)


@pytest.mark.slow
async def test_memory_is_flat(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """After 2,000,000 samples of 100 series, trainings among them, the daemon is within 5 % of its size at 200,000."""
    config = configuration(mosquitto, tmp_path, retrain=TRAININGS, publish={"qos": 0, "retain": False})
    async with (
        Publisher(mosquitto.config(client_id="mouth", session_expiry=0)) as publisher,
        running(config, tmp_path) as daemon,
    ):
        await daemon.logged("subscribed to")
        half = EARLY // SERIES // 2
        await publish(publisher, daemon, range(half))
        await daemon.logged("swapped stream=waves")
        early = await publish(publisher, daemon, range(half, 2 * half))
        late = await publish(publisher, daemon, range(2 * half, LATE // SERIES))
        assert await daemon.stop() == 0
    print(f"resident after {EARLY} samples {early / 2**20:.1f} MiB, after {LATE} {late / 2**20:.1f} MiB")
    assert late <= 1.05 * early
