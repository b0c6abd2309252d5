"""A data set in; the forecasts of every model of the daemon, and what it published, at the origins out.

Every sample goes through the daemon's own classes in event time, as in `streamer backtest`. A training that is due is
done, and its networks go live, before the next sample.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from streamer.config import Metrics, Stream
from streamer.config.loader import parse
from streamer.forecast.panel import Panel
from streamer.lanes.machine import prepare
from streamer.models import KINDS
from streamer.records import Candidate, CellName, Floats, ForecastBatch, Message
from streamer.stream.state import StreamState
from streamer.tools.backtest.audit import PUBLISHED
from streamer.tools.backtest.run import Backtest, Trainer
from streamer.tools.replay.sample import Sample, encode
from tests.studies.accuracy.bands import QUANTILES
from tests.studies.accuracy.datasets import Data

Trainings = Literal["none", "once", "default"]

NEVER = 10**9
EPOCHS, WINDOWS = 15, 3200
"""Of every training; the same as those of the daemon's row in the README of the data."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run the daemon.

    trainings: none; once, on the first 40 % of the data; default, on 35 % and then after every quarter of the data.
    without: forecasters, networks among them, that the stream does not have. seed: of the trainings. model: keys of
    the stream's `model`, beside k and p; training: of `training`, beside seed, epochs and windows.
    """

    trainings: Trainings = "once"
    without: frozenset[str] = frozenset()
    seed: int = 0
    model: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def retrain(self, data: Data) -> dict[str, int]:
        """The key `retrain` of the stream."""
        n = len(data.x)
        if self.trainings == "none" or self.without.issuperset(KINDS):
            return {"every": 0}
        first, every = (data.start, NEVER) if self.trainings == "once" else (-(-35 * n // 100), -(-n // 4))
        minimum = held(data, first)
        return {"minimum": minimum, "every": every, "window": max(minimum, 20_000)}

    def document(self, data: Data) -> dict[str, Any]:
        """The configuration."""
        spec = data.spec
        stream = {
            "name": data.name,
            "topics": [f"{data.name}/+"],
            "payload": {"format": "json", "time": "time"},
            "interval": spec.interval,
            "max_ahead": None,
            "model": {"k": spec.k, "p": spec.p, **self.model},
            "publish": {"quantiles": QUANTILES},
            "retrain": self.retrain(data),
        }
        if self.without:
            mine = Stream(name="mine", topics=["#"], interval=spec.interval, **spec.stream)
            models = Panel.begin(mine, Metrics()).mix.models
            stream["forecasters"] = [name for name in models if name not in self.without]
        return {
            "mqtt": {"url": "mqtt://localhost"},
            "streams": [{**stream, **spec.stream}],
            "training": {"seed": self.seed, "epochs": EPOCHS, "windows": WINDOWS, **self.training},
        }


def held(data: Data, first: int, max_gap: int = 100) -> int:
    """Ticks that a series has gone through after so many of the grid: those of a gap too long to bridge do not count.

    `max_gap` is the default of the stream's key. Of several series the most.
    """
    most = 0
    for x in data.x[:first].T:
        steps = np.diff(np.flatnonzero(~np.isnan(x)))
        most = max(most, 1 + int(np.where(steps > max_gap + 1, 1, steps).sum()))
    return most


@dataclass(frozen=True, slots=True)
class Forecasts:
    """By model, `published` among them: [s, o, h], NaN where it said nothing. bounds: [s, 2, o, h] of what was
    published. trainings: what came of them, counted."""

    by_model: dict[str, Floats]
    bounds: Floats
    trainings: dict[str, int]


class Choosy(Trainer):
    """A slow lane that drops the candidates of some kinds; `without` is set before the first training."""

    without: Collection[str] = ()

    async def train(self, stream: StreamState) -> list[Candidate]:
        return [candidate for candidate in await super().train(stream) if candidate.kind not in self.without]


class Run(Backtest):
    """A backtest of one data set that keeps the forecasts made at the origins.

    kept: [s, o, M + 1, h], NaN where a model said nothing; the last is what was published. bounds: [s, 2, o, h].
    """

    def __init__(self, data: Data, plan: Plan, directory: Path) -> None:
        super().__init__(parse(plan.document(data), data.name), directory, None)
        self.slow = Choosy(self.config, self.journal, self.fast.lock, lambda: self.time)
        self.slow.without = plan.without
        self.data = data
        (stream,) = self.fast.streams
        self.models = (*stream.panel.models, PUBLISHED)
        self.place = np.full(len(data.x), -1)
        self.place[data.origins] = np.arange(len(data.origins))
        shape = (len(data.names), len(data.origins), len(self.models), data.spec.horizon)
        self.kept = np.full(shape, np.nan)
        self.bounds = np.full((shape[0], 2, shape[1], shape[3]), np.nan)

    def forecast(self, stream: StreamState, batch: ForecastBatch) -> None:
        super().forecast(stream, batch)
        since = batch.ticks.time - self.data.time[0]
        place = self.place[np.rint(since / self.data.spec.interval).astype(np.int64)]
        here = place >= 0
        if here.any():
            columns = [self.data.names.index(stream.series[row].topic.split("/")[1]) for row in batch.ticks.rows[here]]
            self.kept[columns, place[here], :-1] = batch.mean[here, :, :, 0]
            self.kept[columns, place[here], -1] = batch.published[here, :, 0]
            assert batch.bounds is not None
            self.bounds[columns, :, place[here]] = batch.bounds[here, :, :, 0]

    async def follow(self, progress: Progress) -> None:
        """All samples; a training comes between two ticks."""
        n = len(self.data.x)
        for tick, messages in enumerate(self.ticks()):
            for message in messages:
                self.time = message.arrived
                self.accept(message)
            for stream in self.finish(None):
                progress(f"training at {(tick + 1) / n:.0%}")
                await self.slow.attempt(stream)
            if tick % 500 == 0:
                progress(f"{tick / n:.0%}")

    def ticks(self) -> Iterator[list[Message]]:
        """The messages of each tick, one for each series that has a sample there."""
        topics = [f"{self.data.name}/{name}" for name in self.data.names]
        for time, row in zip(self.data.time.tolist(), self.data.x.tolist(), strict=True):
            yield [
                Message(topic, encode(Sample(time, (value,))), 0, False, 0, time)
                for topic, value in zip(topics, row, strict=True)
                if not np.isnan(value)
            ]


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Keys of `model` that a study may be run with; `model_of` reads them."""
    parser.add_argument(
        "--cell", choices=get_args(CellName), default="lstm", help="Cell of both networks (%(default)s)."
    )

    parser.add_argument("--layers", type=int, default=1, help="Layers of both networks (%(default)s).")


def model_of(given: argparse.Namespace) -> dict[str, Any]:
    return {"cell": given.cell, "layers": given.layers}


def forecasters() -> tuple[str, ...]:
    """All that a stream of hourly samples can mix."""
    every = Stream(name="every", topics=["#"], interval=3600.0)
    return Panel.begin(every, Metrics()).mix.models


def run(data: Data, plan: Plan, progress: Progress, begin: Callable[[Data, Plan, Path], Run] = Run) -> Forecasts:
    """Everything that the daemon forecasts at the origins; its state is in a temporary directory."""
    prepare()
    with tempfile.TemporaryDirectory(prefix="streamer-accuracy-") as directory:
        made = begin(data, plan, Path(directory))
        try:
            asyncio.run(made.follow(progress))
        finally:
            made.journal.close()
    (stream,) = made.fast.streams
    if stream.counts.rejected:
        raise RuntimeError(f"{data.name}: the daemon rejected samples: {dict(stream.counts.rejected)}")
    by_model = {name: made.kept[:, :, i] for i, name in enumerate(made.models)}
    trainings = {f"{model} {what}": count for (model, what), count in sorted(stream.counts.trainings.ended.items())}
    spoke = {name: one for name, one in by_model.items() if not np.isnan(one).all()}
    return Forecasts(spoke, made.bounds, trainings)
