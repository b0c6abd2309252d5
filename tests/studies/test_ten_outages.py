"""Ten ends of the broker during a replay: a minute or two each, so run by hand (pytest -m slow -s)."""

import random
from pathlib import Path
from typing import Any

import pytest

from streamer.tools.replay.signals import Signal
from tests.broker import Mosquitto
from tests.daemon.outages import Sensor, through
from tests.daemon.states import check_states
from tests.process import configuration

RANDOM = random.Random(1)
OUTAGES = [RANDOM.uniform(0, 3) for _ in range(10)]
WITHIN = 5.0
"""Seconds from the broker's return to the daemon's."""


def patient(config: dict[str, Any]) -> dict[str, Any]:
    """With the pauses between two attempts that a user has."""
    del config["mqtt"]["reconnect_max"]
    return config


def judge(waits: list[float]) -> None:
    print("back after", ", ".join(f"{wait:.2f}" for wait in waits), "seconds")
    assert max(waits) <= WITHIN


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_ten_kills(tmp_path: Path, protocol: str) -> None:
    """A broker that is killed ten times keeps what it had saved up to a second before, the sensor repeats what is not
    journaled, every sample is journaled once and stepped once, and the daemon is back within five seconds."""
    async with Mosquitto(tmp_path, persistence="true", autosave_interval="1") as broker:
        config = patient(configuration(broker, tmp_path, retrain={"every": 0}))
        config["mqtt"]["protocol"] = protocol
        sensor = Sensor(broker.config(client_id="sensor"), [f"waves/{name}" for name in "abc"])
        judge(await through(OUTAGES, sensor, broker, config, tmp_path, kill=True))


@pytest.mark.slow
async def test_ten_stops(tmp_path: Path) -> None:
    """The broker is stopped ten times and saves what it holds: every sample that it had acknowledged is journaled once
    and stepped once, and the states, trainings and swaps in between, are those of eq. (14) in numpy."""
    wave = Signal("sine").noisy(20_000, seed=0)
    async with Mosquitto(tmp_path, persistence="true") as broker:
        config = patient(configuration(broker, tmp_path))
        sensor = Sensor(broker.config(client_id="sensor"), ["waves/sine"], lambda tick: float(wave[tick]))
        sensor.pause, sensor.between = 0.01, 150
        judge(await through(OUTAGES, sensor, broker, config, tmp_path, kill=False))
    check_states(tmp_path / "state", sensor.tick)
