"""Duration of one retraining of both networks on the paper's sine, by device, as the slow lane runs it."""

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from streamer.config import Stream, Training
from streamer.lanes.slow import usual_threads
from streamer.records import Recipe
from streamer.tools.bench import subject
from streamer.tools.bench.machine import cores
from streamer.tools.bench.section import Row, Settings, Tell
from streamer.train.process import train
from streamer.train.request import Request

SERIES, TICKS = 10, 2000
EPOCHS, EPOCHS_QUICK = 5, 2
"""Epochs trained here, of the daemon's default number. The first of a kind warms the device up and is not counted."""
WINDOWS_QUICK = 640


def measure(settings: Settings, tell: Tell) -> list[Row]:
    """A row per kind of network and device, measured with the real training process. Raises TrainingFailed."""
    stream, whole = subject.stream(settings.series, settings.cell), Training().recipe(settings.cell)
    recipe = replace(whole, epochs=EPOCHS)
    if settings.quick:
        recipe = replace(whole, epochs=EPOCHS_QUICK, windows=WINDOWS_QUICK)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="streamer-bench-") as folder:
        subject.fill(Path(folder), stream, range(SERIES), TICKS)
        for device in ("cpu", *(["cuda"] if torch.cuda.is_available() else [])):
            tell(f"on {device}")
            rows += asyncio.run(one(request(folder, stream, device, recipe), whole))
    return rows


async def one(asked: Request, whole: Recipe) -> list[Row]:
    """The rows of one training: seconds of an epoch by kind, and of all epochs and windows of the default recipe."""
    moments: list[tuple[str, float]] = []

    def progress(line: dict[str, Any]) -> None:
        if line["event"] in ("buffer", "progress"):
            moments.append((line.get("kind", ""), time.monotonic()))

    begun = time.monotonic()
    await train(asked, progress, Training().timeout, Training().stall)
    total, start = time.monotonic() - begun, moments[0][1] - begun
    more = whole.epochs * whole.windows / asked.recipe.windows
    return [
        {
            "device": asked.device,
            "model": kind,
            "threads": asked.threads,
            "windows": asked.recipe.windows,
            "epoch_s": seconds,
            "whole_s": seconds * more,
            "start_s": start,
            "total_s": total,
        }
        for kind, seconds in epochs(moments)
    ]


def epochs(moments: list[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """The least time between the ends of two epochs of each kind, in seconds; both kinds may train in parallel."""
    ends: dict[str, list[float]] = defaultdict(list)
    for kind, ended in moments:
        if kind:
            ends[kind].append(ended)
    for kind, times in sorted(ends.items()):
        yield kind, min(after - before for before, after in pairwise(times))


def request(directory: str, stream: Stream, device: str, recipe: Recipe) -> Request:
    """The request of the slow lane, with default settings, but for idle priority: there is no fast lane beside it."""
    training = Training()
    return Request(
        directory=directory,
        stream=stream.name,
        series=list(range(1, SERIES + 1)),
        most=training.ticks,
        window=stream.retrain.window,
        max_gap=stream.max_gap,
        fill=stream.fill is not None,
        held_out=training.held_out,
        device=device,
        threads=usual_threads(cores()),
        sizes=stream.sizes,
        recipe=recipe,
        idle=False,
    )
