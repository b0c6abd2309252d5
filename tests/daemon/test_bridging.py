"""A sensor whose messages lie a hundred ticks apart, at a daemon with both networks live."""

import asyncio
from pathlib import Path

from streamer.mqtt.publisher import Publisher
from streamer.tools.replay.play import Form, Pace, play
from streamer.tools.replay.sample import Sample, encode
from streamer.tools.replay.sources import signal as wave
from tests.broker import Mosquitto
from tests.process import configuration, counter, get, running, served

MESSAGES = 1000


async def test_bridging_does_not_silence_the_event_loop(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A thousand messages 101 ticks apart at once: the loop is never silent for more than 250 ms, and the other series
    is forecast at every sample all the same."""
    samples = wave("sine", 0, 1.0)
    config = configuration(mosquitto, tmp_path, retrain={"every": 100_000, "minimum": 300, "window": 3000})
    mouth = mosquitto.config(client_id="mouth", session_expiry=0)
    async with Publisher(mouth) as publisher, running(config, tmp_path) as daemon:
        url = await served(daemon)

        async def metric(name: str) -> float:
            return counter((await asyncio.to_thread(get, f"{url}/metrics"))[1], f"streamer_{name}")

        await daemon.logged("subscribed to")
        await play([next(samples) for _ in range(450)], publisher.publish, Pace(speed=1000), Form("waves/sine", qos=1))
        await daemon.logged("swapped stream=waves")
        lag = await metric("loop_lag_seconds")
        for i in range(MESSAGES):
            await publisher.publish("waves/rogue", encode(Sample(101.0 * i, (i / 7,))))
        await play([next(samples) for _ in range(50)], publisher.publish, Pace(speed=1000), Form("waves/sine", qos=1))
        async with asyncio.timeout(60):
            while await metric("samples_total") < 500 + MESSAGES or await metric("queue_messages"):
                lag = max(lag, await metric("loop_lag_seconds"))
        left = 100 * await metric("unbridged_gaps_total")
        assert await metric("bridged_ticks_total") + left == 100 * (MESSAGES - 1)
        assert await metric("retrainings_due_total") == 1
        assert await daemon.stop() == 0
    assert not any("Traceback" in line for line in daemon.lines)
    assert lag < 0.25
