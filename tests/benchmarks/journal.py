"""What the journal costs on the fast lane: CPU time per sample with and without the commit, batch by batch in turn.

`python -m tests.benchmarks.journal --batch 256 --durability process`
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from streamer.config import Stream
from streamer.lanes.fast import FastLane
from streamer.records import Message, MessageBatch
from streamer.store.database import SYNCHRONOUS
from streamer.store.snapshots import KEPT
from tests.models.seed import seed
from tests.streams import NOW, resumed, save

SERIES = 1024
FORMATS: dict[str, dict[str, Any]] = {
    "own time": {"payload": {"format": "json", "time": "time"}, "interval": 1.0},
    "bare numbers": {"payload": {"format": "number"}},
}


def batches(form: str, size: int, ticks: int) -> list[MessageBatch]:
    """One sample of each series per tick, at QoS 1, as the link hands them over."""
    messages = []
    for tick in range(ticks):
        for series in range(SERIES):
            number = tick * SERIES + series
            value = 20.0 + series + tick % 7 / 8
            payload = orjson.dumps({"time": NOW + tick, "value": value} if form == "own time" else value)
            messages.append(Message(f"plant/{series}", payload, 1, False, number % 65535 + 1, NOW + tick))
    return [MessageBatch(messages[at : at + size], 1) for at in range(0, len(messages), size)]


def cost(fast: FastLane, batch: MessageBatch) -> tuple[float, float]:
    """CPU seconds of the commit, and of everything else."""
    begun = time.thread_time()
    fast.accept(batch)
    assert fast.open
    between = time.thread_time()
    fast.commit(fast.open)
    committed = time.thread_time()
    fast.advance()
    return committed - between, time.thread_time() - committed + between - begun


def measure(form: str, size: int, ticks: int, arguments: argparse.Namespace) -> None:
    """Print both costs, medians over the batches after the ticks that are held; then as many samples go as come."""
    retrain = {"minimum": 30, "window": arguments.held}
    stream = Stream.model_validate({"name": "plant", "topics": ["plant/#"], "retrain": retrain, **FORMATS[form]})
    with tempfile.TemporaryDirectory() as folder:
        seed(Path(folder), [stream])
        fast = resumed(Path(folder), stream)
        fast.journal.database.execute(f"PRAGMA synchronous = {SYNCHRONOUS[arguments.durability]}")
        every, begin = batches(form, size, arguments.held + ticks), arguments.held * SERIES // size
        for batch in every[:begin]:
            fast.process(batch)
        for _ in range(KEPT):
            save(fast)
        costs = [cost(fast, batch) for batch in every[begin:]]
        fast.journal.close()
    commit, rest = (1e6 * median(column) / size for column in zip(*costs, strict=True))
    most = 1e3 * max(one for one, _ in costs)
    mean = 1e6 * sum(one for one, _ in costs) / len(costs) / size
    print(
        f"{form:12} batch {size}: commit {commit:.2f} µs per sample (mean {mean:.2f}, with checkpoints; a batch at most"
        f" {most:.0f} ms), the rest {rest:.1f} µs, share {commit / (commit + rest):.1%}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, nargs="+", default=[256])
    parser.add_argument("--ticks", type=int, default=100)
    parser.add_argument("--held", type=int, default=300, help="ticks that the journal keeps of each series")
    parser.add_argument("--durability", choices=list(SYNCHRONOUS), default="process")
    arguments = parser.parse_args()
    for form in FORMATS:
        for size in arguments.batch:
            measure(form, size, arguments.ticks, arguments)
