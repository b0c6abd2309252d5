"""The fast lane's stages one by one: CPU time per sample of each, beside the least that its work can cost."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch
from numpy.typing import NDArray

from streamer.config import Metrics, Stream
from streamer.forecast.guard import Calm
from streamer.forecast.network import NetworkForecaster
from streamer.ingest.grid import Grid, Series
from streamer.ingest.ticks import TickBatcher
from streamer.models import KINDS, Kind, build
from streamer.models.cells import cell_of
from streamer.models.frozen import TILE
from streamer.publish.encode import Curves, encode
from streamer.records import Floats, Message, Sizes, TickBatch
from streamer.store.journal import Journal
from streamer.stream.state import StreamState
from streamer.tools.bench import subject
from streamer.tools.bench.section import Row, Settings, Tell

ROUND = 2048
"""Samples of a round, in batches."""
ALONE = 200
"""The same where a batch is one sample."""
BATCHES = (1, 64, 256, 1024)
Stages = dict[str, Callable[[TickBatch], object]]
Taken = dict[str, list[float]]


class Subject:
    """A stream of N series in mid-stream: all forecasters warm, both networks live."""

    def __init__(self, stream: Stream, directory: Path) -> None:
        self.stream, rows, d = stream, stream.max_series, stream.sizes.d
        self.rng = np.random.default_rng(0)
        self.state = StreamState(stream, Metrics())
        for row in range(rows):
            self.state.add(row, subject.topic(row))
        torch.manual_seed(0)
        networks: dict[Kind, NetworkForecaster] = {
            kind: NetworkForecaster.of(build(kind, stream.sizes).requires_grad_(False), stream, 1) for kind in KINDS
        }
        for network in networks.values():
            network.grow(self.state.room)
        self.state.conclude(networks, 1)
        self.tick = np.full(rows, -1)
        self.at = 0
        for _ in range(4):
            for _ in range(0, rows, 1024):
                self.state.tick(self.wave(min(1024, rows)))
        self.series = [Series(row, row, "") for row in range(rows)]
        self.grid_of = Grid(1.0, 100)
        self.batcher = TickBatcher(d, self.grid_of)
        self.journal = Journal.open(directory)
        self.payloads = [orjson.dumps({"time": subject.START + i, "value": self.value(i)}) for i in range(1024)]

    def value(self, i: int) -> object:
        d = self.stream.sizes.d
        return 21.0 + i / 1000 if d == 1 else [21.0 + (i + j) / 1000 for j in range(d)]

    def wave(self, b: int) -> TickBatch:
        """The next tick of the next b series, in a fixed random order."""
        rows = (np.arange(self.at, self.at + b) * 7919 + 13) % len(self.tick)
        self.at = (self.at + b) % len(self.tick)
        self.tick[rows] += 1
        x = np.sin(self.tick[rows] / 9 + rows)[:, None] + self.rng.normal(size=(b, self.stream.sizes.d))
        at = subject.START + self.tick[rows]
        return TickBatch(rows, x, self.tick[rows], at, self.tick[rows] == 0, at)

    def stages(self) -> Stages:
        """What each stage does with one wave; they are timed apart, so each is handed what it needs."""
        panel, means = self.state.panel, dict[int, Floats]()
        plain = [one for name, one in panel.forecasters.items() if name not in panel.networks]

        def mean(wave: TickBatch) -> Floats:
            b = len(wave.rows)
            if b not in means:
                means[b] = panel.predict(wave)
            return means[b]

        def score(wave: TickBatch) -> None:
            predicted = panel.scores.truth(wave)
            calm = panel.shared.guard.calm(wave, panel.scores.leads, predicted[:, -1])
            panel.skill.truth(wave, predicted[:, :, panel.shown])
            panel.mix.truth(wave, calm, predicted)
            panel.scores.predicted(wave, mean(wave))
            panel.mix.mixture(wave.rows, mean(wave))
            panel.choose(mean(wave))

        def plain_forecasters(wave: TickBatch) -> None:
            panel.shared.step(wave)
            for one in plain:
                one.step(wave)
                one.forecast(wave)

        return {
            "decode": self.decode,
            "grid": self.grid,
            "journal": self.append,
            "step": lambda wave: [network.step(wave) for network in panel.networks.values()],
            "forecast": lambda wave: [network.forecast(wave) for network in panel.networks.values()],
            "score": score,
            "bands": lambda wave: self.bands(wave, mean(wave)),
            "plain": plain_forecasters,
            "encode": lambda wave: self.encode(wave, mean(wave)[:, [panel.models.index("memoryless")]]),
        }

    def bands(self, wave: TickBatch, mean: Floats) -> None:
        panel = self.state.panel
        if panel.bands:
            b, d = wave.x.shape
            intervals, own = panel.intervals(wave.rows), np.zeros(b, np.bool_)
            calm = Calm(wave, own, np.zeros((b, d)))
            matured = np.broadcast_to(wave.x[:, None, None], (b, len(panel.models), len(panel.scores.leads), d))
            panel.bands.truth(wave, calm, intervals, panel.mix.doubted, matured)
            panel.bands.bounds(wave, mean, panel.shared.coming(wave), own, keep=True)

    def decode(self, wave: TickBatch) -> None:
        now = subject.START + len(self.payloads)
        for payload in self.payloads[: len(wave.rows)]:
            self.state.intake.read(Message("a", payload, 0, False, 1, now, False))

    def grid(self, wave: TickBatch) -> None:
        columns = (wave.rows.tolist(), wave.x.tolist(), wave.time.tolist())
        for row, x, at in zip(*columns, strict=True):
            series = self.series[row]
            advance = series.place(at, self.grid_of)
            self.batcher.add(series, tuple(x), advance, at)
        self.batcher.take()

    def append(self, wave: TickBatch) -> None:
        rows = zip(wave.rows.tolist(), wave.tick.tolist(), wave.time.tolist(), map(bytes, wave.x), strict=True)
        with self.journal.transaction():
            self.journal.append(list(rows))

    def encode(self, wave: TickBatch, mean: Floats) -> None:
        """Messages of means [b, 1, h, d], with bounds one away on either side."""
        b, topics = len(wave.rows), [self.state.series[row].topic for row in wave.rows.tolist()]
        curves = Curves(np.concatenate([mean, mean - 1, mean + 1], 1), wave.x, (0.1, 0.9))
        encode(topics, wave.time, np.ones(b), [("memoryless", 7)] * b, curves)


def chain(rows: int, contraction: int, count: int) -> Callable[[int], None]:
    """`count` products [rows, contraction] by [contraction, b] with tanh of each: what a closed loop must do."""
    a = torch.randn(rows, contraction)

    def run(b: int) -> None:
        w = min(TILE, -(-b // 16) * 16)
        t = -(-b // w)
        s, y = torch.zeros(t, contraction, w), torch.empty(t, rows, w)
        left, out = a.expand(t, -1, -1), y.numpy()
        for _ in range(count):
            torch.bmm(left, s, out=y)
            np.tanh(out, out=out)

    return run


def floors(sizes: Sizes) -> dict[str, Callable[[int], object]]:
    """The bare library calls that no implementation of a stage can do without, by batch size."""
    n, horizon = sizes.n, sizes.horizon
    all_gates, half_gates = (len(cell_of(sizes, sizes.d, neurons).fold().b) for neurons in (n, n // 2))
    whole, half = chain(all_gates, n, 1), chain(half_gates, n // 2, 1)
    loop, pair = chain(all_gates, n, horizon), chain(half_gates, n // 2, 2 * horizon - sizes.k)
    values = np.random.default_rng(0).normal(size=(1024, horizon * sizes.d)).round(9)
    document = orjson.dumps({"time": 1.5, "value": 21.5 if sizes.d == 1 else [21.5] * sizes.d})
    return {
        "decode": lambda b: [orjson.loads(document) for _ in range(b)],
        "step": lambda b: (whole(b), half(b)),
        "forecast": lambda b: (loop(b), pair(b)),
        "encode": lambda b: orjson.dumps(values[:b], option=orjson.OPT_SERIALIZE_NUMPY),
    }


def calibration() -> Callable[[], object]:
    """A fixed product of matrices, [512, 512] in single precision: how fast this machine is just now."""
    a, out = torch.ones(512, 512), torch.empty(512, 512)
    return lambda: torch.mm(a, a, out=out)


def cpu(work: Callable[[], object]) -> float:
    """Seconds of CPU time of the whole process."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


@dataclass(frozen=True, slots=True)
class Costs:
    """Microseconds of CPU per sample by stage and by floor, of the calibration, and bytes of arrays per series."""

    stages: dict[str, float]
    floors: dict[str, float]
    reference: float
    held: float

    @property
    def sum(self) -> float:
        return sum(self.stages.values())


def take(subject: Subject, b: int, rounds: int) -> tuple[dict[str, float], dict[str, float], float]:
    """Least microseconds per sample of each stage and floor over the rounds, and of the calibration, interleaved."""
    ref, stages, least = calibration(), subject.stages(), floors(subject.stream.sizes)
    count = max(1, ROUND // b) if b > 1 else ALONE
    took: Taken = {name: [] for name in stages}
    bare: Taken = {name: [] for name in least}
    unit: list[float] = []
    for _ in range(rounds):
        unit.append(cpu(lambda: [ref() for _ in range(5)]) / 5)
        waves = [subject.wave(b) for _ in range(count)]
        for name, stage in stages.items():
            took[name].append(cpu(lambda stage=stage, waves=waves: [stage(wave) for wave in waves]))  # type: ignore[misc]
        for name, floor in least.items():
            bare[name].append(cpu(lambda floor=floor: [floor(b) for _ in range(count)]))  # type: ignore[misc]
    per = 1e6 / (count * b)
    return (
        {name: min(times) * per for name, times in took.items()},
        {name: min(times) * per for name, times in bare.items()},
        min(unit) * 1e6,
    )


def costs(stream: Stream, batches: Sequence[int], rounds: int) -> dict[int, Costs]:
    """By batch size, with one thread as in the daemon; a batch is no larger than the stream's series are many."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="streamer-bench-") as directory:
            subject = Subject(stream, Path(directory))
            held = sum(array.nbytes for array in arrays_of(subject.state)) / subject.state.room
            found = {
                b: Costs(*take(subject, b, rounds), held) for b in sorted({min(b, stream.max_series) for b in batches})
            }
            subject.journal.close()
    finally:
        torch.set_num_threads(threads)
    return found


def arrays_of(state: StreamState) -> list[NDArray[Any]]:
    """Everything that a stream's parts keep in arrays, a row per series."""
    return [array for part in state.parts() for array in part.arrays().values()]


def measure(settings: Settings, tell: Tell) -> list[Row]:
    """A row per stage, one for their sum and one for the calibration; a figure and a floor for each batch size."""
    tell(f"{settings.cell}, {settings.series} series")
    found = costs(subject.stream(settings.series, settings.cell), BATCHES, 3 if settings.quick else 7)
    asked = {b: found[min(b, settings.series)] for b in BATCHES}
    rows: list[Row] = []
    for name in next(iter(found.values())).stages:
        row: Row = {"stage": name}
        for b, cost in asked.items():
            row |= {f"us_{b}": cost.stages[name], f"floor_{b}": cost.floors.get(name)}
        rows.append(row)
    rows.append({"stage": "sum", **{f"us_{b}": cost.sum for b, cost in asked.items()}})
    rows.append({"stage": "reference", **{f"us_{b}": cost.reference for b, cost in asked.items()}})
    return rows
