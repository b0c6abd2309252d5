"""The daemon as a process against a real mosquitto: forecasts, swaps, signals."""

import asyncio
import json
import signal
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.store.database import FILE
from streamer.store.journal import Journal, Source
from streamer.tools.replay.play import Form, Pace, play
from streamer.tools.replay.sources import signal as wave
from tests.broker import Mosquitto
from tests.daemon.states import check_states
from tests.process import configuration, running


async def listen(link: Link, into: list[dict[str, Any]], wanted: int) -> None:
    """Collect forecasts until there are `wanted`."""
    async for batch in link.batches():
        into += [json.loads(message.payload) for message in batch.messages]
        link.ack(batch)
        if len(into) >= wanted:
            return


async def test_a_replay_with_three_retrainings_loses_no_forecast(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """At 1000× every sample after the first is forecast once, also across three swaps; SIGTERM ends with 0 and the
    states saved are those of eq. (14) and of the streaming traditional network, in numpy, to 1e-5."""
    heard: list[dict[str, Any]] = []
    ears = mosquitto.config(client_id="ears", session_expiry=0)
    mouth = mosquitto.config(client_id="mouth", session_expiry=0)
    samples = wave("sine", 0, 1.0)
    sent = 0
    config = configuration(mosquitto, tmp_path)
    async with Link(ears, ["forecast/#"]) as link, Publisher(mouth) as publisher, running(config, tmp_path) as daemon:
        await link.ready()
        await daemon.logged("subscribed to")
        for _ in range(3):
            some = [next(samples) for _ in range(450)]
            await play(some, publisher.publish, Pace(speed=1000), Form("waves/sine", qos=1))
            sent += len(some)
            await daemon.logged("training ended stream=waves")
        last = [next(samples) for _ in range(200)]
        await play(last, publisher.publish, Pace(speed=1000), Form("waves/sine", qos=1))
        sent += len(last)
        async with asyncio.timeout(30):
            await listen(link, heard, sent - 1)
        assert await daemon.stop() == 0
    times = Counter(forecast["time"] for forecast in heard)
    assert len(heard) == sent - 1
    assert set(times.values()) == {1}
    assert sum("swapped stream=waves" in line for line in daemon.lines) >= 2, daemon.lines
    check_states(tmp_path / "state", sent)


async def test_the_better_network_is_published_after_the_swap(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A configured network speaks from the first swap on; before it the mixture does, and messages say which."""
    heard: list[dict[str, Any]] = []
    ears = mosquitto.config(client_id="ears", session_expiry=0)
    config = configuration(mosquitto, tmp_path, publish={"model": "memoryless", "qos": 1, "retain": False})
    samples = wave("sine", 0, 1.0)
    async with Link(ears, ["forecast/#"]) as link, running(config, tmp_path) as daemon:
        await link.ready()
        await daemon.logged("subscribed to")
        async with Publisher(mosquitto.config(client_id="mouth", session_expiry=0)) as publisher:
            await play([next(samples) for _ in range(300)], publisher.publish, Pace(), Form("waves/a", qos=1))
            await publisher.flush()
            await daemon.logged("swapped stream=waves")
            await play([next(samples) for _ in range(20)], publisher.publish, Pace(), Form("waves/a", qos=1))
            await publisher.flush()
        async with asyncio.timeout(30):
            await listen(link, heard, 319)
    assert {forecast["model"] for forecast in heard[:299]} == {"mix"}
    assert {(forecast["model"], forecast["version"]) for forecast in heard[299:]} == {("memoryless", 1)}


async def test_a_restart_goes_on_with_networks_and_states(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """After SIGTERM and a new start the networks are live at once: the next sample is forecast by one, unwarmed."""
    config = configuration(mosquitto, tmp_path, publish={"model": "traditional", "qos": 1, "retain": False})
    samples = wave("sine", 0, 1.0)
    mouth = mosquitto.config(client_id="mouth", session_expiry=0)
    async with Publisher(mouth) as publisher:
        async with running(config, tmp_path) as daemon:
            await daemon.logged("subscribed to")
            await play([next(samples) for _ in range(300)], publisher.publish, Pace(), Form("waves/a", qos=1))
            await daemon.logged("swapped stream=waves")
            assert await daemon.stop() == 0
        heard: list[dict[str, Any]] = []
        ears = mosquitto.config(client_id="ears", session_expiry=0)
        async with Link(ears, ["forecast/#"]) as link, running(config, tmp_path) as daemon:
            await link.ready()
            assert "series=1" in await daemon.logged("started")
            await daemon.logged("subscribed to")
            await play([next(samples)], publisher.publish, Pace(), Form("waves/a", qos=1))
            async with asyncio.timeout(10):
                await listen(link, heard, 1)
    assert (heard[0]["model"], heard[0]["version"]) == ("traditional", 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_without_a_broker_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    """A daemon that cannot reach its broker goes on trying, says so, and ends with 0 on a signal all the same."""
    config = configuration(Mosquitto(tmp_path), tmp_path)
    async with running(config, tmp_path) as daemon:
        assert "not connected" in await daemon.logged("streamer.mqtt")
        daemon.process.send_signal(number)
        async with asyncio.timeout(5):
            await daemon.process.communicate()
        assert daemon.process.returncode == 0


async def test_a_taken_metrics_port_is_one_line_and_exit_code_69(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A port that cannot be had ends the start with its key and a remedy, without a traceback."""
    config = configuration(mosquitto, tmp_path)
    config["metrics"]["port"] = mosquitto.port
    async with running(config, tmp_path) as daemon:
        _, said = await daemon.process.communicate()
    assert daemon.process.returncode == 69
    assert f"cannot listen on 127.0.0.1:{mosquitto.port}" in said.decode().splitlines()[-1]
    assert b"Traceback" not in said


async def test_a_state_directory_that_cannot_be_made_is_exit_code_73(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A file where the state directory should be is named in one line."""
    (tmp_path / "state").write_text("in the way")
    async with running(configuration(mosquitto, tmp_path), tmp_path) as daemon:
        _, said = await daemon.process.communicate()
    assert daemon.process.returncode == 73
    assert "state.path" in said.decode().splitlines()[-1]


async def test_a_damaged_journal_is_set_aside_and_the_daemon_runs(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A journal that is no database is kept under another name, told in one line, and the daemon starts anew: samples
    are journaled and forecast, and the stop is clean."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / FILE).write_bytes(b"damaged" * 1000)
    heard: list[dict[str, Any]] = []
    config = configuration(mosquitto, tmp_path)
    ears = mosquitto.config(client_id="ears", session_expiry=0)
    async with Link(ears, ["forecast/#"]) as link, running(config, tmp_path) as daemon:
        await link.ready()
        told = await daemon.logged("ERROR")
        await daemon.logged("subscribed to")
        async with Publisher(mosquitto.config(client_id="mouth", session_expiry=0)) as publisher:
            samples = wave("sine", 0, 1.0)
            await play([next(samples) for _ in range(3)], publisher.publish, Pace(), Form("waves/a", qos=1))
        async with asyncio.timeout(10):
            await listen(link, heard, 2)
        assert await daemon.stop() == 0
    (kept,) = (path for path in (tmp_path / "state").iterdir() if ".damaged-" in path.name)
    assert kept.read_bytes() == b"damaged" * 1000
    assert kept.name in told
    assert "a new journal begins" in told
    with closing(Journal.read(tmp_path / "state")) as journal:
        assert [row.tick for row in journal.series(Source("waves", "value", 1, 1.0))] == [2]


def until_importing(pid: int) -> None:
    """Returns when the process is loading torch: after its first line, long before its last import."""
    maps = Path(f"/proc/{pid}/maps")
    while b"libtorch" not in maps.read_bytes():
        time.sleep(0.01)


async def test_a_signal_during_the_start_ends_it_with_0(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """SIGTERM before the daemon is up is a stop like any other."""
    async with running(configuration(mosquitto, tmp_path), tmp_path) as daemon:
        await asyncio.to_thread(until_importing, daemon.process.pid)
        assert await daemon.stop() == 0
    assert not any("Traceback" in line for line in daemon.lines)


async def test_overlapping_filters_do_not_double_samples(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A filter that another one covers is not subscribed to: the broker would deliver its messages twice."""
    heard: list[dict[str, Any]] = []
    overlapping = {"topics": ["waves/#", "waves/+", "waves/a"], "interval": None, "payload": {"format": "number"}}
    newest = {"publish": {"model": "persistence"}}
    config = configuration(mosquitto, tmp_path, **overlapping, **newest)
    config["streams"].append({"name": "rest", "topics": ["#"], **newest})
    ears = mosquitto.config(client_id="ears", session_expiry=0)
    async with Link(ears, ["forecast/#"]) as link, running(config, tmp_path) as daemon:
        await link.ready()
        assert (await daemon.logged("subscribed to")).endswith("subscribed to #\n")
        async with Publisher(mosquitto.config(client_id="mouth", session_expiry=0)) as publisher:
            for i in range(5):
                await publisher.publish("waves/a", b"%d" % i, 1)
            await publisher.publish("else", b"1", 1)
            await publisher.publish("else", b"2", 1)
        async with asyncio.timeout(10):
            await listen(link, heard, 5)
    assert [forecast["mean"][0] for forecast in heard] == [1, 2, 3, 4, 2]
