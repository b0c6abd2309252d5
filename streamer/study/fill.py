"""`streamer study fill`: a bidirectional LSTM fills gaps of past data, beside what only knows what came before.

Axes: b windows, T samples of a window, of which those of a gap are missing.
"""

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from streamer.study.forecasters import POINTS, QUICK_POINTS, csv_file_of
from streamer.study.learning import Lessons, learn
from streamer.study.reader import Reader
from streamer.study.report import Report
from streamer.study.scope import Scope
from streamer.study.sources import LEAST, Series, Source, paper_waves

NEURONS = 32
QUICK, FULL = Lessons(200, 32, 1e-2, 0.5), Lessons(1_000, 32, 1e-2, 0.5)
TESTS = 500
SHORTEST, LONGEST = 5, 30
"""Samples of a gap."""
EDGE = 10
"""Samples at both ends of a window that are never missing."""


class Smoother(nn.Module):
    """y = P·s + Q·σ: s read forwards, σ backwards (Schuster and Paliwal 1997). An element is (value, measured?)."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead, self.behind = Reader("lstm", 2, NEURONS, 1), Reader("lstm", 2, NEURONS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x [b, T, 2] -> values [b, T]."""
        return (self.ahead(x)[0] + self.behind(x.flip(1))[0].flip(1))[..., 0]  # type: ignore[no-any-return]


class Ahead(nn.Module):
    """The same without the half that comes from the future: what a forecaster may know."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = Reader("lstm", 2, NEURONS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x [b, T, 2] -> values [b, T]."""
        return self.ahead(x)[0][..., 0]  # type: ignore[no-any-return]


def interpolated(x: Tensor) -> Tensor:
    """A straight line over each gap: x [b, T, 2] -> [b, T]."""
    rows = []
    for value, measured in x.double().numpy().transpose(0, 2, 1):
        at = np.flatnonzero(measured)
        rows.append(np.interp(np.arange(len(value)), at, value[at]))
    return torch.from_numpy(np.stack(rows)).float()


MODELS: dict[str, Callable[[], nn.Module] | None] = {
    "straight line": None,
    "LSTM": Ahead,
    "bidirectional LSTM": Smoother,
}


def study(scope: Scope) -> Report:
    """Every model on every source: root mean square error in the gaps."""
    sources: dict[str, Callable[[int], Source]] = {
        "waves": partial(paper_waves, points=QUICK_POINTS if scope.quick else POINTS)
    }
    sources.update({path.stem: partial(csv_file_of, path) for path in scope.csv})
    how, rows = QUICK if scope.quick else FULL, list[list[str]]()
    for source, made in sources.items():
        found = {name: scope.each(f"{source}: {name}", partial(trial, name, made, how)) for name in MODELS}
        series = dict.fromkeys(name for some in found.values() for one in some for name in one)
        rows += [[name, *(said([one[name] for one in some]) for some in found.values())] for name in series]
    return Report(
        ("series", *MODELS),
        rows,
        (
            f"gaps of {SHORTEST} to {LONGEST} samples in windows of 110; root mean square error in the gaps, in units"
            " of the series (waves: the noise, sd 0.15, is in it).",
            f"n = {NEURONS} each way, {how.steps} steps of {how.batch} windows.",
            f"seeds: {', '.join(map(str, scope.seeds))}; ± is half the range.",
        ),
    )


def gaps(rng: np.random.Generator, b: int, t: int) -> Tensor:
    """Which samples were measured, 1 or 0, [b, T]: one gap in each window."""
    length = rng.integers(SHORTEST, LONGEST + 1, b)
    first = EDGE + (rng.random(b) * (t - 2 * EDGE - length)).astype(int)
    at = np.arange(t)[None]
    return torch.from_numpy(((at < first[:, None]) | (at >= (first + length)[:, None])).astype(np.float32))


def scaled(x: Tensor, measured: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(x in units of what was measured, 0 in gaps, with `measured`) [b, T, 2], and these units: mean and deviation."""
    count = measured.sum(1, keepdim=True)
    mean = (x * measured).sum(1, keepdim=True) / count
    unit = (((x - mean) * measured).square().sum(1, keepdim=True) / count).sqrt().clamp(min=LEAST)
    return torch.stack([(x - mean) / unit * measured, measured], 2), mean, unit


def trial(name: str, made: Callable[[int], Source], how: Lessons, seed: int) -> dict[str, float]:
    """Train one model on one source; its root mean square error in the gaps, by test series."""
    source, rng = made(seed), np.random.default_rng(seed)
    torch.manual_seed(seed)
    make = MODELS[name]
    if make is None:
        return {series: error(interpolated, held) for series, held in source.tests.items()}
    model = make()

    def loss() -> Tensor:
        some = source.batch(rng, how.batch)
        x = torch.cat([some.x, some.y], 1)
        measured = gaps(rng, *x.shape)
        read, mean, unit = scaled(x, measured)
        missed: Tensor = (model(read) - (x - mean) / unit) * (1 - measured)
        return missed.square().sum() / (1 - measured).sum()

    learn(model, loss, how)
    return {series: error(model, held) for series, held in source.tests.items()}


@torch.no_grad()
def error(model: Callable[[Tensor], Tensor], series: Series) -> float:
    """The root mean square error in one gap in each of TESTS windows, in units of the series."""
    some = series.spread(TESTS)
    x = torch.cat([some.x, some.y], 1)
    measured = gaps(np.random.default_rng(0), *x.shape)
    read, mean, unit = scaled(x, measured)
    gone = (1 - measured).bool()
    return float((model(read) * unit + mean - x)[gone].square().mean().sqrt())


def said(errors: list[Any]) -> str:
    """Mean over seeds, with half the range."""
    if not errors:
        return ""
    spread = f" ± {(max(errors) - min(errors)) / 2:.3g}" if len(errors) > 1 else ""
    return f"{statistics.fmean(errors):.4g}{spread}"
