"""Bytes that a series takes: of its arrays, and of the process altogether, which counts names and routing too."""

import multiprocessing as mp
import os
import signal
import tempfile
import threading
import time
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from streamer.config import Metrics
from streamer.errors import StreamerError
from streamer.lanes.fast import FastLane
from streamer.lanes.machine import prepare
from streamer.records import Message, MessageBatch
from streamer.resume.fold import resume
from streamer.store.journal import Journal
from streamer.stream.state import StreamState
from streamer.tools.bench import subject
from streamer.tools.bench.machine import resident_bytes
from streamer.tools.bench.section import Row, Settings, Tell
from streamer.tools.bench.stages import arrays_of

AT_ONCE = 1024
TICKS = 3
"""Of each series: afterwards all of its arrays have been written to."""
SERIES, SERIES_QUICK = 100_000, 10_000


def measure(settings: Settings, tell: Tell) -> list[Row]:
    """One row, from a process of its own."""
    count = SERIES_QUICK if settings.quick else SERIES
    tell(f"{count} series")
    here, there = mp.Pipe()
    with tempfile.TemporaryDirectory(prefix="streamer-bench-") as folder:
        asked = there, Path(folder), Settings(count, settings.cell)
        process = mp.get_context("spawn").Process(target=grow, args=asked)
        process.start()
        there.close()
        try:
            row: Row = here.recv()
        except EOFError as error:
            raise StreamerError("the process that measures memory has died: not enough for its series?") from error
        finally:
            process.terminate()
            process.join()
    return [row]


def grow(tell: Connection, directory: Path, settings: Settings) -> None:
    """Tells what this process gains when its fast lane goes from one batch of series to all of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the measurement, and that ends this
    prepare()
    stream = subject.stream(settings.series, settings.cell)
    subject.seed(directory, stream)
    with closing(Journal.open(directory)) as journal:
        state = StreamState(stream, Metrics())
        fast = FastLane([state], journal, 65536, time.time)
        resume(state, {}, journal, threading.Event())
        samples(fast, range(AT_ONCE))
        begun = resident_bytes(os.getpid())
        samples(fast, range(AT_ONCE, settings.series))
        gained = resident_bytes(os.getpid()) - begun
    room, arrays = state.room, sum(array.nbytes for array in arrays_of(state))
    rings = state.panel.scores.ring.nbytes
    per = {"arrays": arrays / room, "rings": rings / room, "resident": gained / (settings.series - AT_ONCE)}
    tell.send({"series": settings.series, **per})


def samples(fast: FastLane, series: range) -> None:
    """TICKS samples of each, as the daemon gets them."""
    for begin in range(series.start, series.stop, AT_ONCE):
        some = range(begin, min(begin + AT_ONCE, series.stop))
        for tick in range(TICKS):
            payload, now = b'{"time":%d,"value":%d}' % (subject.START + tick, tick), time.time()
            fast.process(MessageBatch([Message(subject.topic(one), payload, 0, False, None, now) for one in some], 1))
