"""What bands cost: CPU per sample with quantiles and without, in turn.

`python -m tests.benchmarks.bands` measures the fast lane in this process, from payloads to messages, which the speed of
a busy machine changes alike for both. `--daemon 5` measures five pairs of daemons at saturation, QoS 0, instead.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from streamer.config import Metrics, Stream
from streamer.lanes.fast import FastLane
from streamer.lanes.machine import prepare
from streamer.records import CellName, Message, MessageBatch
from streamer.resume.fold import resume
from streamer.store.journal import Journal
from streamer.stream.state import StreamState
from streamer.tools.bench import subject
from streamer.tools.bench.broker import broker
from streamer.tools.bench.clients import Site
from streamer.tools.bench.endtoend import Load, against, prepared, written
from streamer.tools.bench.stages import cpu

QUANTILES = [0.1, 0.9]
WARM, TICKS = 15, 40
"""Ticks of each series before any is measured, and in all."""
Pair = tuple[float, float]


def saturated(series: int, cell: CellName, quantiles: list[float]) -> float:
    """Microseconds of CPU per sample of a daemon with these quantiles."""
    with tempfile.TemporaryDirectory(prefix="streamer-bench-") as folder, broker(Path(folder)) as there:
        site, place = Site(there.url, there.protocol, 0, series), Path(folder)
        document = prepared(place, there, site, cell)
        document["streams"][0]["publish"]["quantiles"] = quantiles
        command = [sys.executable, "-m", "streamer", "run", str(written(place, document))]
        row, *_ = against(command, place, site, Load(2.0, 5.0, 5.0, shares=()), lambda _: None)
    return float(row["cpu_us"])


def lane(directory: Path, series: int, cell: CellName, quantiles: list[float]) -> FastLane:
    """A fast lane with both networks live."""
    stream = Stream.model_validate(subject.settings(series, cell) | {"publish": {"quantiles": quantiles}})
    subject.seed(directory, stream)
    journal, state = Journal.open(directory), StreamState(stream, Metrics())
    resume(state, {}, journal, threading.Event())
    return FastLane([state], journal, 65536, time.time)


def samples(series: Sequence[int], tick: int, rng: np.random.Generator) -> MessageBatch:
    """A batch with the next sample of each of these series: a wave in noise."""
    values = np.sin(tick / 9 + np.array(series)) + rng.normal(size=len(series))
    at, now = subject.START + tick, time.time()
    payloads = [b'{"time":%d,"value":%.3f}' % (at, value) for value in values.tolist()]
    named = zip(series, payloads, strict=True)
    return MessageBatch([Message(subject.topic(one), payload, 0, False, None, now) for one, payload in named], 1)


def lanes(series: int, cell: CellName, at_once: int) -> list[Pair]:
    """Microseconds per sample without and with quantiles, of one tick of all series after another."""
    with tempfile.TemporaryDirectory(prefix="streamer-bench-") as folder:
        both = [lane(Path(folder) / str(len(some)), series, cell, some) for some in ([], QUANTILES)]
        rng, found = np.random.default_rng(0), list[Pair]()
        for tick in range(TICKS):
            begins = range(0, series, at_once)
            batches = [samples(range(begin, min(begin + at_once, series)), tick, rng) for begin in begins]
            used = [sum(cpu(lambda one=one, some=some: one.process(some)) for some in batches) for one in both]  # type: ignore[misc]
            found.append((1e6 * used[0] / series, 1e6 * used[1] / series))
        for one in both:
            one.journal.close()
    return found[WARM:]


def told(pairs: list[Pair]) -> str:
    """Medians of pairs."""
    without, bands = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(bands / without for without, bands in pairs)
    return f"without {without:.1f} µs, with {bands:.1f} µs: {ratio:.2f}"


def main() -> None:
    """A line per size of a batch, or per pair of daemons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--daemon", type=int, default=0, help="pairs of daemons")
    parser.add_argument("--cell", choices=get_args(CellName), default="rnn")
    parser.add_argument("--series", type=int, default=1000)
    given = parser.parse_args()
    if given.daemon:
        daemons = list[Pair]()
        for _ in range(given.daemon):
            without, bands = (saturated(given.series, given.cell, some) for some in ([], QUANTILES))
            daemons.append((without, bands))
            print(told(daemons[-1:]), flush=True)
        print(f"medians: {told(daemons)}")
        return
    prepare()
    for at_once in (64, 256, given.series):
        print(f"batches of {at_once}: {told(lanes(given.series, given.cell, at_once))}", flush=True)


if __name__ == "__main__":
    main()
