"""`streamer study forecasters`: comparison models beside the paper's two networks, on the waves and on CSV files."""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streamer.study.learning import Lessons, learn
from streamer.study.report import Report
from streamer.study.rivals import RIVALS
from streamer.study.rivals.contract import Rival
from streamer.study.scope import Scope
from streamer.study.sources import H, M, Series, Source, csv_series, paper_waves, units

QUICK, FULL = Lessons(200, 64, 5e-3, 0.5), Lessons(2_000, 64, 5e-3, 0.5)
POINTS, QUICK_POINTS = 10_000, 5_000
TESTS, QUICK_TESTS = 1_000, 300
NEAR = 10
"""kp of the paper's nearer error; the farther one is over all H."""
TIMED = 256
"""Windows that are forecast at once for the time of a forecast."""


def study(scope: Scope) -> Report:
    """Every rival learns every source; errors by test series, the time of the training and of a forecast."""
    sources: dict[str, Callable[[int], Source]] = {
        "waves": partial(paper_waves, points=QUICK_POINTS if scope.quick else POINTS)
    }
    sources.update({path.stem: partial(csv_file_of, path) for path in scope.csv})
    found = {
        rival: [
            scope.each(f"{name}: {rival}", partial(trial, rival, made, scope.quick)) for name, made in sources.items()
        ]
        for rival in RIVALS
    }
    return Report(
        ("model", *columns(found), "training, s", "forecast, µs"),
        [line(rival, groups, columns(found)) for rival, groups in found.items() if any(groups)],
        (
            f"windows of {M} samples from zero, {(QUICK if scope.quick else FULL).steps} steps of 64 windows, Adam, one"
            " cycle to 5e-3. Models that feed back learn 10 values, the others all 40.",
            f"waves: E_p, eq. (15), for kp = {NEAR} / {H}. CSV files: mean absolute error over that of persistence, at"
            f" lead 1 / over {H} leads, on the newest 40 %; windows relative to their last value and deviation.",
            f"seeds: {', '.join(map(str, scope.seeds))}; ± is half the range. Times are CPU times of one thread, a"
            f" forecast's that of {H} values from {M} samples, {TIMED} at once.",
        ),
    )


def csv_file_of(path: Path, seed: int) -> Source:
    """The series of a file, which is the same for every seed."""
    return csv_series(path)


def trial(rival: str, made: Callable[[int], Source], quick: bool, seed: int) -> dict[str, Any]:
    """Train one rival on one source; its errors by test series, and what it cost."""
    source, how = made(seed), QUICK if quick else FULL
    torch.manual_seed(seed)
    model, rng = RIVALS[rival](M, H, source.c), np.random.default_rng(seed)

    def loss() -> Tensor:
        some = source.batch(rng, how.batch)
        if not source.taught[0].scaled:
            return model.loss(some.x, some.y, some.u)
        level, unit = units(some.x)
        return model.loss((some.x - level) / unit, (some.y - level) / unit, some.u)

    begun = time.process_time()
    learn(model, loss, how)
    seconds = time.process_time() - begun
    errors = {name: error(model, series, QUICK_TESTS if quick else TESTS) for name, series in source.tests.items()}
    return {"errors": errors, "seconds": seconds, "microseconds": cost(model, source)}


@torch.no_grad()
def error(model: Rival, series: Series, most: int) -> list[float]:
    """E_p of the nearer and of all leads; for a scaled series the errors over those of persistence (lead 1, all)."""
    some = series.spread(most)
    if not series.scaled:
        square = (model.forecast(some.x, H, some.u) - some.y).square()
        return [float(square[:, :h].mean().sqrt()) for h in (NEAR, H)]
    level, unit = units(some.x)
    said = model.forecast((some.x - level) / unit, H, some.u) * unit + level
    size, still = ((guess - some.y).abs() for guess in (said, level))
    return [float(size[:, :h].mean() / still[:, :h].mean()) for h in (1, H)]


@torch.no_grad()
def cost(model: Rival, source: Source) -> float:
    """Microseconds of one forecast of H values, when TIMED are made at once; the least of three."""
    some = source.batch(np.random.default_rng(0), TIMED)
    taken = []
    for _ in range(3):
        begun = time.process_time()
        model.forecast(some.x, H, some.u)
        taken.append(time.process_time() - begun)
    return 1e6 * min(taken) / TIMED


def columns(found: dict[str, list[list[dict[str, Any]]]]) -> list[str]:
    """The test series that anything was measured on."""
    return list(
        dict.fromkeys(name for groups in found.values() for group in groups for one in group for name in one["errors"])
    )


def line(rival: str, groups: list[list[dict[str, Any]]], names: list[str]) -> list[str]:
    """A row of the table."""
    every = [one for group in groups for one in group]
    shown = [said([one["errors"][name] for one in every if name in one["errors"]]) for name in names]
    costs = [
        f"{statistics.fmean(one[key] for one in every):.3g}" if every else "" for key in ("seconds", "microseconds")
    ]
    return [rival, *shown, *costs]


def said(errors: list[list[float]]) -> str:
    """Both errors, means over seeds, the farther one with half its range."""
    if not errors:
        return ""
    near, far = zip(*errors, strict=True)
    spread = f" ± {(max(far) - min(far)) / 2:.3f}" if len(far) > 1 else ""
    return f"{statistics.fmean(near):.3f} / {statistics.fmean(far):.3f}{spread}"
