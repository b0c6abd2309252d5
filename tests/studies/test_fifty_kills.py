"""Fifty SIGKILLs, with networks that stay and with networks that are retrained meanwhile: minutes, so run by hand."""

import random
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamer.config import Metrics, Stream
from streamer.resume.snapshot import capture
from streamer.store.database import FILE
from streamer.store.journal import Journal
from streamer.store.outcomes import newest_version, outcomes_after
from streamer.store.snapshots import write
from streamer.stream.state import StreamState
from tests.broker import Mosquitto, until
from tests.daemon import tick_kills
from tests.daemon.kills import (
    TOPICS,
    Moment,
    after,
    assert_same,
    at,
    at_snapshot,
    count,
    journaled,
    parsed,
    replay,
    saved,
    survive,
    two_streams,
    value,
)
from tests.process import running
from tests.streams import resumed


@pytest.mark.slow
async def test_fifty_kills(tmp_path: Path) -> None:
    """Killed at random moments, right after the start, and around snapshots, the daemon loses nothing, steps nothing
    twice, and ends with every bit the same."""
    rng = random.Random(1)
    async with Mosquitto(tmp_path, persistence="true") as broker:
        config = two_streams(broker, tmp_path, retrain={"every": 0, "minimum": 300, "window": 100_000})
        state = Path(config["state"]["path"])
        some: list[Moment] = [
            rng.choice([after(rng.randrange(1, 1500)), after(rng.randrange(1, 100)), at_snapshot(state), after(0)])
            for _ in range(50)
        ]
        print(await survive(config, tmp_path, broker, some))


@pytest.mark.slow
async def test_fifty_kills_within_ticks(tmp_path: Path) -> None:
    """Killed fifty times while ticks are open, around snapshots too, the daemon makes of its readings what one that
    never stops does, to the last bit."""
    rng = random.Random(3)
    async with Mosquitto(tmp_path, persistence="true") as broker:
        config = tick_kills.two_streams(broker, tmp_path)
        state = Path(config["state"]["path"])
        some = [rng.choice([after(rng.randrange(1, 150)), at_snapshot(state), after(1)]) for _ in range(50)]
        print(await tick_kills.survive(config, tmp_path, broker, some))


def trainings(directory: Path, streams: list[Stream]) -> list[int]:
    """The newest version of each stream."""
    with closing(Journal.read(directory)) as journal:
        return [newest_version(journal, stream.name) for stream in streams]


def swapped(directory: Path, streams: list[Stream]) -> list[int]:
    """How many networks each of their trainings has put live."""
    with closing(Journal.read(directory)) as journal:
        return [len(one.networks) for s in streams for one in outcomes_after(journal, s.name, s.sizes, 0)]


def at_swap(directory: Path, streams: list[Stream]) -> Moment:
    """As soon as the next one is journaled."""

    async def moment(*_: object) -> None:
        before = trainings(directory, streams)
        await until(lambda: trainings(directory, streams) != before, seconds=60)

    return moment


def folded(directory: Path, copy: Path, streams: list[Stream]) -> list[Any]:
    """The streams that the journal alone leads to: all its samples and swaps, in order, from an empty stream."""
    copy.mkdir()
    shutil.copy(directory / FILE, copy)
    for stream in streams:
        write(copy, stream.name, capture(StreamState(stream, Metrics())))
    fast = resumed(copy, *streams)
    fast.journal.close()
    return [capture(stream) for stream in fast.streams]


@pytest.mark.slow
async def test_kills_around_swaps(tmp_path: Path) -> None:
    """Killed while it trains, gates and swaps, the daemon ends with the states, scores and networks that its journal
    leads to when it is read from its first sample to its last, to the last bit. It is killed until six networks have
    gone live."""
    rng = random.Random(2)
    async with Mosquitto(tmp_path, persistence="true") as broker:
        config = two_streams(broker, tmp_path, retrain={"every": 300, "minimum": 150, "window": 100_000})
        config["training"] |= {"epochs": 2, "windows": 200, "held_out": 0.3}
        directory, streams = Path(config["state"]["path"]), parsed(config)
        # Just before a swap, just after it was written down, and in a training.
        moments = [at("model=traditional result"), at_swap(directory, streams), at("training on")]
        async with replay(broker) as (sensors, ears):
            for number in range(36):
                if number >= 12 and sum(swapped(directory, streams)) >= 6:
                    break
                async with running(config, tmp_path) as daemon:
                    await daemon.logged("subscribed to")
                    sensors.going.set()
                    await moments[number % 3](daemon, ears)
                    if number % 2:
                        await ears.more(rng.randrange(1, 50))
                sensors.going.clear()
            async with running(config, tmp_path) as daemon:
                await daemon.logged("subscribed to")
                sensors.going.set()
                await until(lambda: min(trainings(directory, streams)) >= 1, seconds=120)
                await sensors.end()
                await until(lambda: count(directory) >= len(TOPICS) * sensors.tick, seconds=60)
                assert await daemon.stop() == 0
    assert journaled(directory) == {t: [(i, value(t, i)) for i in range(sensors.tick)] for t in TOPICS}
    found = saved(directory, streams)
    for one, other in zip(found, folded(directory, tmp_path / "folded", streams), strict=True):
        assert_same(one, other)
    networks, versions = swapped(directory, streams), trainings(directory, streams)
    print(f"{number} kills, {len(TOPICS) * sensors.tick} samples, trainings by stream {versions}, networks {networks}")
    assert min(versions) >= 1
    assert sum(networks) >= 6
