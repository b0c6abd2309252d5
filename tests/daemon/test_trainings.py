"""When a daemon trains that was stopped, killed, or given another configuration: as a process, with real signals."""

import signal
from pathlib import Path
from typing import Any

import pytest

from streamer.mqtt.publisher import Publisher
from streamer.store.snapshots import newest_first
from streamer.tools.replay.play import Form, Pace, play
from streamer.tools.replay.sources import signal as wave
from tests.broker import Mosquitto, until
from tests.process import SIZES, Process, configuration, running

SAMPLES = 300


async def feed(broker: Mosquitto, daemon: Process) -> None:
    """As many samples as the first training needs."""
    await daemon.logged("subscribed to")
    samples = wave("sine", 0, 1.0)
    async with Publisher(broker.config(client_id="mouth", session_expiry=0)) as publisher:
        some = [next(samples) for _ in range(SAMPLES)]
        await play(some, publisher.publish, Pace(), Form("waves/a", qos=1))
        await publisher.flush()


def endless(config: dict[str, Any]) -> dict[str, Any]:
    """The same with trainings that do not end."""
    return {
        **config,
        "training": {**config["training"], "epochs": 100_000},
        "state": {**config["state"], "snapshot": 1},
    }


async def until_saved(state: Path) -> None:
    """Returns when a snapshot holds all samples."""

    def newest() -> int:
        return max((one.arrays["series.tick"].max(initial=-1) for one in newest_first(state, "waves")), default=-1)

    await until(lambda: newest() == SAMPLES - 1, seconds=60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_stop_during_the_first_training_does_not_postpone_it(
    mosquitto: Mosquitto, tmp_path: Path, number: signal.Signals
) -> None:
    """A daemon that is stopped or killed while it trains for the first time, a snapshot having been written meanwhile,
    trains at once when it starts again, from the journal, without another sample."""
    config = configuration(mosquitto, tmp_path)
    async with running(endless(config), tmp_path) as daemon:
        await feed(mosquitto, daemon)
        await daemon.logged("training on device")
        await until_saved(Path(config["state"]["path"]))
        daemon.process.send_signal(number)
        await daemon.process.communicate()
    async with running(config, tmp_path) as daemon:
        assert "stream=waves cause=first" in await daemon.logged("training due")
        await daemon.logged("swapped stream=waves")
        assert await daemon.stop() == 0
    async with running(config, tmp_path) as daemon:
        await daemon.logged("subscribed to")
        assert await daemon.stop() == 0
    assert not any("training due" in line for line in daemon.lines)


async def test_another_size_of_the_networks_is_trained_at_once(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A daemon whose `model` has changed says that the networks it has no longer fit, and trains from the journal at
    once, one time."""
    config = configuration(mosquitto, tmp_path)
    async with running(config, tmp_path) as daemon:
        await feed(mosquitto, daemon)
        await daemon.logged("swapped stream=waves")
        assert await daemon.stop() == 0
    config = configuration(mosquitto, tmp_path, model={**SIZES, "n": 14})
    async with running(config, tmp_path) as daemon:
        told = await daemon.logged("no longer fit")
        assert "WARNING" in told
        assert "stream=waves" in told
        assert "cause=first" in await daemon.logged("training due")
        await daemon.logged("swapped stream=waves")
        assert await daemon.stop() == 0
    async with running(config, tmp_path) as daemon:
        await daemon.logged("subscribed to")
        assert await daemon.stop() == 0
    assert not any("no longer fit" in line or "training due" in line for line in daemon.lines)
