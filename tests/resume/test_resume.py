"""A stream that is killed and resumed from its directory is the stream that never stopped, to the last bit."""

import asyncio
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.lanes.fast import FastLane
from streamer.records import Outgoing
from streamer.resume.fold import resumed as resume_async
from streamer.resume.snapshot import capture
from streamer.store.database import SNAPSHOTS
from streamer.store.snapshots import Snapshot, files
from streamer.swap.promote import promote
from tests.resume.streams import PUBLISH, candidates, messages, streams
from tests.streams import NOW, SMALL, fast_lane, process, resumed, sample, save, timed

Step = tuple[str, Any]


def script(rng: random.Random, ticks: int) -> list[Step]:
    """Batches of random size, and between them snapshots and swaps at random moments."""
    waiting = messages(rng, ticks)
    steps: list[Step] = []
    while waiting:
        size = rng.choice([1, 3, 10, 60])
        steps.append(("batch", waiting[:size]))
        waiting = waiting[size:]
    for what, often in (("save", rng.randrange(6)), ("swap", rng.randrange(5))):
        for number in range(often):
            steps.insert(rng.randrange(len(steps)), (what, (rng.randrange(5), 10 * rng.randrange(100) + number)))
    return [("save", None), *steps]


async def take(fast: FastLane, step: Step, following: list[Step]) -> list[Any]:
    """One step: what it publishes. A swap takes place while the batches after it are processed."""
    what, argument = step
    if what == "batch":
        return process(fast, argument)
    if what == "save":
        save(fast)
        return []
    which, seed = argument
    stream = fast.streams[which]
    proposed = candidates(stream, seed)
    promotion = asyncio.create_task(promote(stream, proposed, fast.journal, fast.lock, NOW + seed))
    await asyncio.sleep(0)
    assert stream.promotions.under_way
    out: list[Any] = []
    for _ in range(seed % 4):
        if following and following[0][0] == "batch":
            out += process(fast, following.pop(0)[1])
    await promotion
    return out


async def play(fast: FastLane, steps: list[Step], until: int | None = None) -> list[Any]:
    """The steps up to one in order: everything published. Those that were taken are removed from the list."""
    out: list[Any] = []
    end = len(steps) - until if until is not None else 0
    while len(steps) > end:
        out += await take(fast, steps.pop(0), steps)
    return out


def same(one: Snapshot, other: Snapshot) -> None:
    assert one.arrays.keys() == other.arrays.keys()
    assert one.about == other.about
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], err_msg=name, strict=True)


@pytest.mark.parametrize("fall_back", [False, True])
@pytest.mark.parametrize("seed", range(6))
async def test_a_killed_lane_goes_on_bit_by_bit(tmp_path: Path, seed: int, fall_back: bool) -> None:
    """A copy of the directory at a random moment is what SIGKILL leaves. Resumed from it, from the newest snapshot or
    the one before, a stream publishes the very bytes, and ends with the very states and scores, of one that never
    stopped; gaps, late series, swaps, trims, crossings of thresholds and all."""
    rng = random.Random(seed)
    window = rng.choice([30, 200])
    steps = script(rng, 300)
    fast = fast_lane(tmp_path / "whole", *streams(window))
    await play(fast, steps, rng.randrange(len(steps) // 4, len(steps)))
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    if fall_back:
        for name in ("grid", "grid.2", "bare", "parts", "quiet"):
            newest, *before = (path for _, path in files(tmp_path / "killed" / SNAPSHOTS, name))
            if before:
                newest.write_bytes(newest.read_bytes()[:100])
    again = resumed(tmp_path / "killed", *streams(window))
    for one, other in zip(fast.streams, again.streams, strict=True):
        same(capture(one), capture(other))
    rest = list(steps)
    assert await play(fast, steps) == await play(again, rest)
    for one, other in zip(fast.streams, again.streams, strict=True):
        same(capture(one), capture(other))
    fast.journal.close()
    again.journal.close()


async def test_many_series_go_on_bit_by_bit(tmp_path: Path) -> None:
    """With more series than go through a network at once, in batches of any size, the result of each depends on its
    own samples alone: the resumed stream, which steps them in other company, ends with the same bits."""
    rng = random.Random(0)
    many = timed(topics=["plant/+"], model={**SMALL, "cell": "lstm"}, max_series=1000)
    fast = fast_lane(tmp_path / "whole", many)
    save(fast)
    names = [f"plant/{i}" for i in range(300)]
    for t in range(40):
        if t == 20:
            await promote(fast.streams[0], candidates(fast.streams[0], 3), fast.journal, fast.lock, NOW)
        batch = [sample(name, t, rng.gauss(0, 1)) for name in names if rng.random() < 0.9]
        while batch:
            size = rng.choice([1, 70, 300])
            process(fast, batch[:size])
            batch = batch[size:]
    assert fast.streams[0].panel.networks
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    again = resumed(tmp_path / "killed", many)
    same(capture(fast.streams[0]), capture(again.streams[0]))
    fast.journal.close()
    again.journal.close()


async def test_the_newest_forecasts_since_the_snapshot_are_given_again(tmp_path: Path) -> None:
    """What a killed daemon may not have sent any more is given as it would have been sent, once per series; a series
    without samples since the snapshot is not, nor one whose newest tick is no tick of publishing."""
    plain = timed(publish=PUBLISH, forecasters="auto")
    fast = fast_lane(tmp_path / "live", plain)
    (stream,) = fast.streams
    sent: dict[str, Outgoing] = {}
    for t in range(60):
        out = process(fast, [sample(f"plant/{i}", t, np.sin(t + i)) for i in range(3)])
        sent |= {one.topic: one for one in out}
        if t == 40:
            await promote(stream, candidates(stream, 1), fast.journal, fast.lock, NOW)
    save(fast)
    out = process(fast, [sample("plant/0", 60, 0.5), sample("plant/1", 60, 0.1)])
    sent |= {one.topic: one for one in out}
    out = process(fast, [sample("plant/1", 61, 0.2)])
    assert out == []
    shutil.copytree(tmp_path / "live", tmp_path / "copy")
    again = fast_lane(tmp_path / "copy", plain)
    (other,) = again.streams
    forecasts = await resume_async(other, again.known(other, again.streams), again.journal)
    assert forecasts is not None
    assert other.encode(forecasts, NOW) == [sent["forecast/plant/0"]]
    for one in (fast, again):
        one.journal.close()
