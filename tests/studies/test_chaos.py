"""Half an hour of everything at once: daemon, broker and trainings are killed and stopped, one sensor is a rogue, and
the metrics port is held open. CHAOS_MINUTES sets another length (pytest -m slow -s tests/studies/test_chaos.py).

A full disk and a clock that jumps are tests of their own: they take rights on the machine.
"""

import asyncio
import os
import random
import shutil
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.config import Config, Mqtt
from streamer.errors import StartError
from streamer.mqtt.access import LinkError
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.resume.snapshot import capture
from streamer.store.database import SNAPSHOTS
from streamer.store.snapshots import files
from streamer.tools.bench.machine import resident_bytes
from streamer.tools.replay.sample import Sample, encode
from tests.broker import Mosquitto, until
from tests.daemon.outages import Sensor, journaled
from tests.process import Process, configuration, running, served
from tests.streams import resumed

MINUTES = float(os.environ.get("CHAOS_MINUTES", "30"))
GOOD = [f"waves/{name}" for name in "abcd"]
LONGEST_PAUSE = 60.0
"""Seconds that a healthy series may be without a forecast: a start and a backlog after it."""


class Chaos:
    """The daemon, started again whenever it is gone, and what has happened so far."""

    def __init__(self, config: dict[str, Any], folder: Path, broker: Mosquitto, seed: int) -> None:
        self.config, self.folder, self.broker, self.rng = config, folder, broker, random.Random(seed)
        self.done: Counter[str] = Counter()
        self.lines: list[str] = []
        self.daemon: Process | None = None
        self.port = 0
        self.over = False
        self.exit = -1
        self.memory: list[float] = []

    def subscribed(self) -> bool:
        """Whether the daemon of now has been."""
        return self.daemon is not None and any("subscribed to" in line for line in self.daemon.lines)

    def finish(self) -> None:
        """Stop the daemon, and start no other."""
        self.over = True
        self.signal(signal.SIGTERM)

    async def supervise(self) -> None:
        """A daemon at all times, until it is over; the last one is stopped."""
        while not self.over:
            async with running(self.config, self.folder) as daemon:
                with suppress(AssertionError):  # killed before it had come so far
                    self.port = int((await served(daemon)).rsplit(":", 1)[1])
                self.daemon = daemon
                reading = asyncio.create_task(self.read(daemon))
                await reading  # until it ends
                self.exit = await daemon.process.wait()
                self.lines += daemon.lines

    async def read(self, daemon: Process) -> None:
        assert daemon.process.stderr
        async for line in daemon.process.stderr:
            daemon.lines.append(line.decode())

    async def torment(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        acts = [self.kill, self.freeze, self.stop_broker, self.freeze_broker, self.kill_trainer, self.hold_port]
        while time.monotonic() < end:
            act = self.rng.choice(acts)
            self.weigh()
            await act()
            self.done[act.__name__] += 1
            await asyncio.sleep(self.rng.uniform(2, 12))

    def signal(self, number: signal.Signals) -> None:
        if self.daemon and self.daemon.process.returncode is None:
            self.daemon.process.send_signal(number)

    def weigh(self) -> None:
        """Note the daemon's resident memory, MiB, once it is subscribed."""
        if self.daemon and self.subscribed() and self.daemon.process.returncode is None:
            self.memory.append(resident_bytes(self.daemon.process.pid) / 2**20)

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)

    async def freeze(self) -> None:
        self.signal(signal.SIGSTOP)
        await asyncio.sleep(self.rng.uniform(0.5, 4))
        self.signal(signal.SIGCONT)

    async def stop_broker(self) -> None:
        await self.broker.stop()
        await asyncio.sleep(self.rng.uniform(0, 3))
        await self.broker.start()

    async def freeze_broker(self) -> None:
        self.broker._signal(signal.SIGSTOP)
        await asyncio.sleep(self.rng.uniform(0.5, 3))
        self.broker._signal(signal.SIGCONT)

    async def kill_trainer(self) -> None:
        if self.daemon and self.daemon.process.returncode is None:
            for child in children(self.daemon.process.pid):
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)

    async def hold_port(self) -> None:
        """Forty clients that say little."""
        writers = []
        for _ in range(40):
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(b"GET /metrics HTTP/1.1\r\nHost")
                writers.append(writer)
        await asyncio.sleep(1)
        for writer in writers:
            writer.close()


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def journal_resumes(sensor: Sensor, folder: Path) -> None:
    """Have the sensor go on from the oldest sample that the journal lacks."""
    (topic,) = sensor.topics
    sensor.resume = lambda: len(journaled(folder).get(topic, [])) if known(folder) else 0


async def rogue(config: Mqtt, chaos: Chaos) -> None:
    """Messages a hundred ticks apart, in floods; times years ahead and back; junk; ever new topics."""
    rng, at = random.Random(7), 0.0
    while not chaos.over:
        try:
            async with Publisher(config) as publisher:
                while not chaos.over:
                    for _ in range(rng.choice([1, 1, 20])):
                        at += rng.choice([1, 101, 101, 5000, 3e8, -3e8])
                        await publisher.publish("waves/rogue", encode(Sample(max(at, 0.0), (rng.gauss(0, 1e6),))))
                    await publisher.publish(f"waves/{rng.randrange(10**6)}", rng.randbytes(rng.randrange(200)))
                    await asyncio.sleep(2)
        except (StartError, LinkError):
            await asyncio.sleep(0.1)


async def listen(config: Mqtt, pauses: dict[str, float], chaos: Chaos) -> None:
    """The longest pause of the forecasts of each healthy series."""
    last: dict[str, float] = {}
    async with Link(config, [f"forecast/{topic}" for topic in GOOD]) as link:
        async for batch in link.batches():
            now = time.monotonic()
            for topic in {message.topic for message in batch.messages}:
                pauses[topic] = max(pauses.get(topic, 0.0), now - last.get(topic, now))
                last[topic] = now
            link.ack(batch)
            if chaos.over:
                return


def from_the_snapshot_before(state: Path, config: dict[str, Any], folder: Path) -> None:
    """The states of the newest snapshot are those that the one before it and the journal lead to, bit for bit."""
    arrays = []
    for name, skipped in (("newest", 0), ("before", 1)):
        shutil.copytree(state, folder / name)
        for _, path in files(folder / name / SNAPSHOTS, "waves")[:skipped]:
            path.unlink()
        fast = resumed(folder / name, *Config(**config).streams)
        arrays.append(capture(fast.streams[0]).arrays)
        fast.journal.close()
    one, other = arrays
    assert one.keys() == other.keys()
    for name in one:
        assert np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f"), name


@pytest.mark.slow
@pytest.mark.parametrize("seed", [int(one) for one in os.environ.get("CHAOS_SEEDS", "0").split()])
async def test_chaos(tmp_path: Path, seed: int) -> None:
    """Every sample that four sensors repeat until it is journaled is there once and in order; they were forecast all
    the time but for bounded pauses; the states equal the fold; nothing in the log is a traceback."""
    async with Mosquitto(tmp_path, persistence="true", autosave_interval="1") as broker:
        keep = {"every": 400, "minimum": 300, "window": 10**6}  # every sample: they are counted in the end
        config = configuration(broker, tmp_path, max_series=20, retrain=keep)
        config["state"]["snapshot"] = 2.0
        chaos, pauses = Chaos(config, tmp_path, broker, seed), dict[str, float]()
        sensors = [Sensor(broker.config(client_id=topic), [topic], lambda t: float(np.sin(t / 5))) for topic in GOOD]
        for one in sensors:
            one.pause = 0.02
            journal_resumes(one, tmp_path)
        ears = broker.config(client_id="ears", session_expiry=0)
        supervising = asyncio.create_task(chaos.supervise())
        await until(chaos.subscribed, seconds=120)  # the broker keeps nothing for a session that it does not know
        hearing = asyncio.create_task(listen(ears, pauses, chaos))
        going = [asyncio.create_task(one.run()) for one in sensors]
        await until(lambda: bool(known(tmp_path)) and set(GOOD) <= set(journaled(tmp_path)), seconds=120)
        going.append(asyncio.create_task(rogue(broker.config(client_id="rogue"), chaos)))
        await chaos.torment(60 * MINUTES)
        for one in sensors:
            one.stopped = True
        await asyncio.sleep(1)
        done = {one.topics[0]: one.tick for one in sensors}
        try:
            await until(lambda: all(len(journaled(tmp_path)[topic]) >= done[topic] for topic in GOOD), seconds=60)
        except TimeoutError:
            print(done, {topic: len(journaled(tmp_path)[topic]) for topic in GOOD}, *chaos.lines[-5:])
            raise
        chaos.finish()
        await asyncio.gather(supervising, *going)
        hearing.cancel()
    held = journaled(tmp_path)
    print(f"{sum(map(len, held.values()))} samples, {dict(chaos.done)}, longest pause {max(pauses.values()):.1f} s")
    tenth = max(1, len(chaos.memory) // 10)
    early, late = (float(np.median(part)) for part in (chaos.memory[:tenth], chaos.memory[-tenth:]))
    print(f"MiB of the daemon: {early:.0f} in the first tenth, {late:.0f} in the last, at most {max(chaos.memory):.0f}")
    for topic in GOOD:
        assert held[topic] == [float(tick) for tick in range(len(held[topic]))]
        assert len(held[topic]) >= done[topic]
    assert max(pauses.values()) < LONGEST_PAUSE
    assert not any("Traceback" in line for line in chaos.lines)
    assert chaos.exit == 0
    from_the_snapshot_before(tmp_path / "state", config, tmp_path)


def known(folder: Path) -> bool:
    """Whether there is a journal yet."""
    return (folder / "state" / "journal.sqlite3").exists() and bool((folder / "state" / SNAPSHOTS).exists())
