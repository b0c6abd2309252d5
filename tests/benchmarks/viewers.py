"""What it costs the fast lane to be looked at: batches with and without viewers in, the ratio of their times out.

`python -m tests.benchmarks.viewers --pairs 8` runs a fast lane in this process at half of what it can, with the page's
server beside it, and viewers in a process of their own, each with a stream of events of 25 series and a new list every
ten seconds, as the page does. Spells with and without them take turns, so that a machine whose speed varies is as fast
for both.
"""

import argparse
import asyncio
import json
import math
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import NamedTuple

from streamer.config import Stream
from streamer.lanes.fast import FastLane
from streamer.records import Message, MessageBatch
from tests.observe.site import looked_at
from tests.streams import NOW, fast_lane

VIEWER = """
import socket, sys, threading, time, urllib.request
base, viewers, shown = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
host, port = base.removeprefix("http://").split(":")
def read(ids):
    client = socket.create_connection((host, int(port)))
    client.sendall(f"GET /api/v1/events?ids={ids} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n".encode())
    while client.recv(65536):
        pass
def ask():
    while True:
        urllib.request.urlopen(f"{base}/api/v1/series?limit={shown}&points=40").read()
        time.sleep(10)
for i in range(viewers):
    ids = ",".join(str(i * shown + j + 1) for j in range(shown))
    threading.Thread(target=read, args=(ids,), daemon=True).start()
    threading.Thread(target=ask, daemon=True).start()
print("looking", flush=True)
sys.stdin.read()
"""
SERIES, BATCH = 1000, 250
SHOWN = 25
STREAM = {
    "name": "plant",
    "topics": ["plant/#"],
    "payload": {"format": "json", "time": "time"},
    "interval": 1.0,
    "max_ahead": None,
    "retrain": {"every": 0},
}


class Spell(NamedTuple):
    """Means per sample, in microseconds: processor time of the lane's thread, and time on the clock."""

    processor: float
    clock: float


def batches(t: int) -> list[MessageBatch]:
    """One tick of all series."""
    payload = json.dumps({"time": float(t), "value": math.sin(t / 7)}).encode()
    new = [Message(f"plant/{i}", payload, 0, False, 1, NOW) for i in range(SERIES)]
    return [MessageBatch(new[i : i + BATCH], 1) for i in range(0, SERIES, BATCH)]


async def spell(fast: FastLane, ticks: range) -> Spell:
    """Batch after batch, and after each as long a rest as it took."""
    processor, clock = [], []
    for t in ticks:
        for batch in batches(t):
            async with fast.lock:
                began, worked = time.perf_counter(), time.thread_time()
                fast.process(batch)
                processor.append(time.thread_time() - worked)
                clock.append(time.perf_counter() - began)
            await asyncio.sleep(clock[-1])
    return Spell(*(1e6 * statistics.median(some) / BATCH for some in (processor, clock)))


async def asked(fast: FastLane, ticks: range, url: str, viewers: int) -> Spell:
    """The same, and what the questions of the viewers take of the lane's thread besides, while they look."""
    command = [sys.executable, "-c", VIEWER, url, str(viewers), str(SHOWN)]
    looking = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        assert looking.stdout
        await looking.stdout.readline()
        await asyncio.sleep(1)
        return await spell(fast, ticks)
    finally:
        await looking.communicate()


async def compared(directory: Path, pairs: int, ticks: int, viewers: int) -> list[tuple[float, float, float]]:
    """For each pair, the share of the lane's thread that viewers cost: in its own work, on the clock, and in all."""
    stream = Stream.model_validate(STREAM)
    fast, found, t = fast_lane(directory, stream), [], 0
    with looked_at(fast, directory) as url:
        await spell(fast, range(t, t := t + 10))
        for _ in range(pairs):
            shares = []
            for many in (0, viewers):
                began, samples = time.thread_time(), ticks * SERIES
                each = await (asked(fast, range(t, t + ticks), url, many) if many else spell(fast, range(t, t + ticks)))
                shares.append((each, (time.thread_time() - began) / samples * 1e6))
                t += ticks
            (alone, all_alone), (watched, all_watched) = shares
            found.append(
                (watched.processor / alone.processor - 1, watched.clock / alone.clock - 1, all_watched / all_alone - 1)
            )
    fast.journal.close()
    return found


def main() -> None:
    """A line per pair, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--ticks", type=int, default=200)
    parser.add_argument("--viewers", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        found = asyncio.run(compared(Path(directory), given.pairs, given.ticks, given.viewers))
    print(f"cost of {given.viewers} viewers: of a batch, processor and clock; of all that the lane's thread does")
    for pair in [*found, tuple(map(statistics.median, zip(*found, strict=True)))]:
        print("".join(f"{one:+9.1%}" for one in pair))


if __name__ == "__main__":
    main()
