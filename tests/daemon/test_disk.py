"""The daemon on a full disk: it acknowledges nothing that it could not journal, and goes on when there is space."""

import asyncio
import errno
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamer.mqtt.publisher import Publisher
from streamer.store.journal import Journal, Source
from streamer.tools.replay.sample import Sample, encode
from tests.broker import Mosquitto, until
from tests.process import configuration, counter, get, running, served

SIZE = 40 * 2**20
TICKS = 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of SIZE bytes."""
    folder = tmp_path / "state"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> Path:
    """Take all the space that is left, however much the daemon writes meanwhile; the file that holds it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(2**16))
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017
    return ballast


async def publish(publisher: Publisher, ticks: range) -> None:
    for tick in ticks:
        for topic in ("waves/a", "waves/b"):
            await publisher.publish(topic, encode(Sample(float(tick), (tick / 7,))))
        await asyncio.sleep(0.001)
    await publisher.flush()


async def everything_once(directory: Path, ticks: int) -> None:
    """The journal comes to hold every sample, once and in order."""
    source = Source("waves", "value", 1, 1.0)

    def newest() -> list[int]:
        with closing(Journal.read(directory)) as journal:
            return [row.tick for row in journal.series(source)]

    await until(lambda: newest() == [ticks - 1] * 2, seconds=30)
    with closing(Journal.read(directory)) as journal:
        for series in journal.series(source):
            found, values = journal.newest(series.ident, 10**6)
            assert found.tolist() == list(range(ticks))
            assert values.ravel().tolist() == [tick / 7 for tick in range(ticks)]


def configured(broker: Mosquitto, disk: Path) -> dict[str, Any]:
    config = configuration(broker, disk.parent, retrain={"every": 0})
    return {**config, "state": {"path": str(disk / "data"), "snapshot": 1.0}}


async def test_a_full_disk_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    """With no space left the daemon says so once and in a metric, stays healthy and acknowledges nothing; when space
    returns it goes on by itself, and every sample that was published is in the journal, once and in order."""
    async with Mosquitto(tmp_path, persistence="true") as broker:
        mouth = broker.config(client_id="mouth", session_expiry=0)
        async with running(configured(broker, small_disk), tmp_path) as daemon, Publisher(mouth) as publisher:
            url = await served(daemon)
            await daemon.logged("subscribed to")

            async def metric(name: str) -> float:
                return counter((await asyncio.to_thread(get, f"{url}/metrics"))[1], f"streamer_{name}")

            await publish(publisher, range(TICKS))
            ballast = fill(small_disk)
            await publish(publisher, range(TICKS, 2 * TICKS))
            await daemon.logged("journal blocked")
            assert await metric("journal_blocked") == 1
            assert await metric("samples_total") < 4 * TICKS
            assert (await asyncio.to_thread(get, f"{url}/healthz"))[0] == 200
            ballast.unlink()
            await daemon.logged("journal writes again")
            await publish(publisher, range(2 * TICKS, 3 * TICKS))
            await everything_once(small_disk / "data", 3 * TICKS)
            assert (await metric("samples_total"), await metric("journal_blocked")) == (6 * TICKS, 0)
            assert await daemon.stop() == 0
    assert sum("journal blocked" in line for line in daemon.lines) == 1
    assert not any("Traceback" in line for line in daemon.lines)


async def test_a_stop_on_a_full_disk_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    """Stopped while the journal is blocked the daemon ends with 0, and the next one gets from the broker, and accepts,
    every sample that was not journaled."""
    async with Mosquitto(tmp_path, persistence="true") as broker:
        config, mouth = configured(broker, small_disk), broker.config(client_id="mouth", session_expiry=0)
        async with Publisher(mouth) as publisher:
            async with running(config, tmp_path) as daemon:
                await daemon.logged("subscribed to")
                await publish(publisher, range(TICKS))
                ballast = fill(small_disk)
                await publish(publisher, range(TICKS, 2 * TICKS))
                await daemon.logged("journal blocked")
                assert await daemon.stop() == 0
            ballast.unlink()
            async with running(config, tmp_path):
                await everything_once(small_disk / "data", 2 * TICKS)
