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
HALF = 0.5
"""Of a core, that the lane takes at half of what it can."""
STREAM = {
    "name": "plant",
    "topics": ["plant/#"],
    "payload": {"format": "json", "time": "time"},
    "interval": 1.0,
    "max_ahead": None,
    "retrain": {"every": 0},
}


class Spell(NamedTuple):
    """Of a batch, microseconds per sample: processor time of the lane's thread, and time on the clock; medians. beside:
    the share of the clock's time that this thread works beside its batches, such as on the questions of viewers."""

    processor: float
    clock: float
    beside: float


def batches(t: int) -> list[MessageBatch]:
    """One tick of all series."""
    payload = json.dumps({"time": float(t), "value": math.sin(t / 7)}).encode()
    new = [Message(f"plant/{i}", payload, 0, False, 1, NOW) for i in range(SERIES)]
    return [MessageBatch(new[i : i + BATCH], 1) for i in range(0, SERIES, BATCH)]


async def spell(fast: FastLane, ticks: range) -> Spell:
    """Batch after batch, and after each as long a rest as it took."""
    processor, clock, begun, since = [], [], time.perf_counter(), time.thread_time()
    for t in ticks:
        for batch in batches(t):
            async with fast.lock:
                began, worked = time.perf_counter(), time.thread_time()
                fast.process(batch)
                processor.append(time.thread_time() - worked)
                clock.append(time.perf_counter() - began)
            await asyncio.sleep(clock[-1])
    each = (1e6 * statistics.median(some) / BATCH for some in (processor, clock))
    beside = time.thread_time() - since - sum(processor)
    return Spell(next(each), next(each), beside / (time.perf_counter() - begun))


async def asked(fast: FastLane, ticks: range, url: str, viewers: int) -> Spell:
    """The same while viewers look."""
    command = [sys.executable, "-c", VIEWER, url, str(viewers), str(SHOWN)]
    looking = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        assert looking.stdout
        await looking.stdout.readline()
        await asyncio.sleep(1)
        return await spell(fast, ticks)
    finally:
        await looking.communicate(b"")


async def compared(directory: Path, pairs: int, ticks: int, viewers: int) -> list[Spell]:
    """For each pair, by how much a batch takes more with viewers, and what they take beside, over half a core."""
    fast, found, t = fast_lane(directory, Stream.model_validate(STREAM)), [], 0
    with looked_at(fast, directory) as url:
        await spell(fast, range(t, t := t + 10))
        for _ in range(pairs):
            alone = await spell(fast, range(t, t := t + ticks))
            watched = await asked(fast, range(t, t := t + ticks), url, viewers)
            batch = watched.processor / alone.processor - 1, watched.clock / alone.clock - 1
            found.append(Spell(*batch, (watched.beside - alone.beside) / HALF))
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
    print(f"cost of {given.viewers} viewers: a batch's processor time, and time on the clock; questions beside batches")
    for pair in [*found, map(statistics.median, zip(*found, strict=True))]:
        print("".join(f"{one:+9.1%}" for one in pair))


if __name__ == "__main__":
    main()
