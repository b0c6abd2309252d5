"""A data set in; error and time of successive retrainings, each afresh or going on from the live network, out.

`python -m tests.benchmarks.warm traffic_i94 pv_serf --seeds 0 1`. Each training reads the newest ticks, as the daemon's
does, and is followed by the gate. The live networks then forecast the ticks that come next, which no training has seen,
from states carried on: the mean absolute error over that of persistence, of the median series. Figures are geometric
means over all trainings after the first, which is the same for all.
"""

import argparse
import statistics
import struct
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from streamer.config import Stream
from streamer.config.stream import Model
from streamer.models import KINDS, Kind
from streamer.records import RECIPES, Recipe
from streamer.store.journal import Journal, Source
from streamer.store.outcomes import NetworkRow
from streamer.swap.gate import admit
from streamer.tools.bench.machine import describe
from streamer.train.dataset import gather
from streamer.train.process import candidate_of
from streamer.train.request import Request
from streamer.train.worker import candidate, live_errors
from tests.studies.accuracy.datasets import SPECS, Data, load

FIRST, LAST = 0.3, 0.95
"""Shares of the data at the first and at the last training."""
WINDOW = 20_000


class Retrained:
    """A stream whose trainings follow one another; `live` are its networks."""

    def __init__(self, data: Data, recipe: Recipe, folder: Path) -> None:
        spec = data.spec
        self.data, self.folder = data, folder
        self.stream = Stream(
            name=data.name, topics=["#"], interval=spec.interval, model=Model(k=spec.k, p=spec.p), **spec.stream
        )
        self.recipe = recipe
        self.live: dict[Kind, NetworkRow | None] = dict.fromkeys(KINDS)
        self.seconds = 0.0

    def request(self, upto: int, held_out: float) -> Request:
        """Of the ticks before `upto`, the newest share of them held out."""
        ticks = WINDOW + (round(held_out * WINDOW) if held_out < 0.2 else 0)
        record(self.folder, self.data, max(0, upto - ticks), upto)
        stream = self.stream
        return Request(
            directory=str(self.folder),
            stream=stream.name,
            series=list(range(1, self.data.x.shape[1] + 1)),
            most=10**7,
            window=ticks,
            max_gap=stream.max_gap,
            held_out=held_out,
            device="cpu",
            threads=1,
            sizes=stream.sizes,
            recipe=self.recipe,
            season=stream.season,
            interval=stream.interval,
        )

    def train(self, upto: int) -> None:
        """Both networks, and the gate."""
        request, reports = self.request(upto, 0.2), list[dict[str, Any]]()
        dataset = replace(gather(request, torch.device("cpu")), live=self.live)
        begun = time.process_time()
        for kind in KINDS:
            candidate(kind, request, dataset, reports.append)
        self.seconds += time.process_time() - begun
        for one in (candidate_of(report) for report in reports if report["event"] == "candidate"):
            if admit(one):
                self.live = {**self.live, one.kind: NetworkRow(one.kind, 1, {}, one.scales, one.weights)}

    def judge(self, begin: int, end: int) -> dict[Kind, float]:
        """Errors of the live networks over the ticks from `begin` to `end`, over those of persistence."""
        request = self.request(end, 1 - (min(begin, WINDOW) / (min(begin, WINDOW) + end - begin)))
        dataset = gather(request, torch.device("cpu"))
        every = dataset.buffers[KINDS[0]].origins(request.sizes.m, request.sizes.horizon, 4000)
        ends = torch.tensor([sum(len(part.x) for part in parts) for parts in dataset.raw.values()]).cumsum(0)
        dataset = replace(dataset, gate_origins=every, gate_series=torch.searchsorted(ends, every, right=True))
        return {kind: live_errors(row, request, dataset).ratio for kind, row in self.live.items() if row}


def record(folder: Path, data: Data, begin: int, end: int) -> None:
    """The ticks as a journal of the folder, in place of the one before."""
    for path in folder.iterdir():
        path.unlink()
    source = Source(data.name, "", 1, data.spec.interval)
    with closing(Journal.open(folder)) as journal, journal.transaction():
        for i, series in enumerate(data.x[begin:end].T, 1):
            journal.add_series([(i, source, str(i), "")])
            present = np.flatnonzero(~np.isnan(series))
            rows = ((begin + at, data.time[begin + at], struct.pack("<d", series[at])) for at in present.tolist())
            journal.append((i, tick, float(at), x) for tick, at, x in rows)


def chain(data: Data, recipe: Recipe, trainings: int) -> tuple[dict[Kind, list[float]], list[float]]:
    """Successive trainings: the error of the live networks after each, by kind, and seconds of each."""
    marks = np.linspace(FIRST, LAST, trainings + 1).round(6) * len(data.x)
    found: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    spent = []
    with tempfile.TemporaryDirectory(prefix="streamer-warm-") as folder:
        stream = Retrained(data, recipe, Path(folder))
        for begin, end in pairwise(marks.round().astype(int).tolist()):
            before = stream.seconds
            stream.train(begin)
            spent.append(stream.seconds - before)
            for kind, error in stream.judge(begin, end).items():
                found[kind].append(error)
    return found, spent


def main() -> None:
    """Print a line for each data set, seed and way of training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", nargs="+", choices=[*SPECS])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--trainings", type=int, default=11)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--windows", type=int, default=RECIPES["lstm"].windows)
    parser.add_argument("--warm", nargs="+", default=["0", "5"], help="Epochs of trainings that go on; 0: afresh.")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(describe())
    for name in given.series:
        data = load(given.data, name)
        for seed in given.seeds:
            for warm in given.warm:
                recipe = replace(
                    RECIPES["lstm"], epochs=given.epochs, windows=given.windows, warm_epochs=int(warm), seed=seed
                )
                found, spent = chain(data, recipe, given.trainings)
                errors = {kind: round(statistics.geometric_mean(one[1:]), 4) for kind, one in found.items()}
                print(
                    f"{name} seed={seed} warm={warm} {errors} CPU s a training: {statistics.mean(spent[1:]):.1f}, "
                    f"of the first: {spent[0]:.1f}",
                    found,
                    flush=True,
                )


if __name__ == "__main__":
    main()
