"""How well a running daemon forecasts the paper's two waves: minutes per cell, so run by hand (pytest -m slow)."""

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.records import Floats
from streamer.tools.replay.sample import Sample, encode
from streamer.tools.replay.signals import WAVES, Signal
from tests.broker import Mosquitto
from tests.process import configuration, running

TRAINED = 20_000
TESTED = 4_000
SEEDS = (0, 1, 2)
LIMITS = {
    "rnn": {"sine": (0.180, 0.295), "trapezoid": (0.212, 0.325)},
    "lstm": {"sine": (0.166, 0.200), "trapezoid": (0.186, 0.245)},
}
"""Cell -> wave -> RMSE against the noisy truth over the first 10 and over all 40 leads, mean of three seeds."""


def configured(broker: Mosquitto, folder: Path, cell: str, seed: int) -> dict[str, Any]:
    config = configuration(
        broker,
        folder,
        model={"cell": cell, "m": 70, "k": 10, "p": 4, "n": 50},
        baseline="persistence",
        publish={"model": "memoryless", "qos": 1, "retain": False},
        retrain={"every": 10_000_000, "minimum": TRAINED, "window": TRAINED},
    )
    config["training"] = {"seed": seed}
    return config


async def rmse(broker: Mosquitto, folder: Path, cell: str, seed: int) -> dict[str, tuple[float, float]]:
    """Train the daemon once, then stream fresh noise past it: RMSE over leads 1 to 10 and 1 to 40 for each wave."""
    signals = {wave: Signal(wave) for wave in WAVES}
    trained = {wave: signal.noisy(TRAINED, 10 * seed + i) for i, (wave, signal) in enumerate(signals.items())}
    fresh = {
        wave: signal.noisy(TESTED, 1000 + 10 * seed + i, start=TRAINED)
        for i, (wave, signal) in enumerate(signals.items())
    }
    heard: dict[str, dict[int, Floats]] = {wave: {} for wave in WAVES}

    async def publish(publisher: Publisher, values: dict[str, Floats], start: int) -> None:
        for t in range(len(values["sine"])):
            for wave in WAVES:
                sample = Sample(float(start + t), (float(values[wave][t]),))
                await publisher.publish(f"waves/{wave}", encode(sample), 1)
        await publisher.flush()

    async def listen(link: Link) -> None:
        async for batch in link.batches():
            for message in batch.messages:
                forecast = json.loads(message.payload)
                if forecast["model"] == "memoryless":
                    at = round(np.datetime64(forecast["time"][:-1], "ms").astype(int) / 1000)
                    heard[forecast["series"].removeprefix("waves/")][at - TRAINED] = np.array(forecast["mean"])
            link.ack(batch)
            if all(TESTED - 1 in forecasts for forecasts in heard.values()):
                return

    config = configured(broker, folder, cell, seed)
    async with (
        Link(broker.config(client_id="ears", session_expiry=0), ["forecast/#"]) as link,
        Publisher(broker.config(client_id="mouth", session_expiry=0)) as publisher,
        running(config, folder) as daemon,
    ):
        await link.ready()
        await daemon.logged("subscribed to")
        listening = asyncio.create_task(listen(link))
        await publish(publisher, trained, 0)
        await daemon.logged("swapped stream=waves", seconds=1800)
        await publish(publisher, fresh, TRAINED)
        await listening
        assert await daemon.stop() == 0
    out = {}
    for wave, forecasts in heard.items():
        errors = np.array([forecasts[t] - fresh[wave][t + 1 : t + 41] for t in range(TESTED - 41) if t in forecasts])
        assert len(errors) == TESTED - 41
        out[wave] = float(np.sqrt(np.square(errors[:, :10]).mean())), float(np.sqrt(np.square(errors).mean()))
    return out


@pytest.mark.slow
@pytest.mark.parametrize("cell", LIMITS)
async def test_the_running_daemon_forecasts_the_papers_waves(mosquitto: Mosquitto, tmp_path: Path, cell: str) -> None:
    """Trained once on 20,000 samples of each wave, state carried, the memoryless network meets the limits above."""
    runs = []
    for seed in SEEDS:
        folder = tmp_path / str(seed)
        folder.mkdir()
        runs.append(await rmse(mosquitto, folder, cell, seed))
        print(cell, seed, runs[-1])
    for wave, limits in LIMITS[cell].items():
        means = np.mean([run[wave] for run in runs], 0)
        print(cell, wave, means)
        assert (means <= limits).all(), (wave, means)
