"""What `arrays()` gives of a stream's parts is all that decides their future."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.forecast.holt_winters import HoltWinters
from streamer.forecast.network import NetworkForecaster
from streamer.forecast.scale import Scale
from streamer.forecast.score import Scores
from streamer.models import KINDS, Kind, Sizes, build
from streamer.records import MODELS, CellName, Floats, TickBatch

ROWS, D, H = 70, 2, 6
ALLOWED = {np.dtype(name) for name in ("float32", "float64", "int64", "bool")}


class Part(Protocol):
    """What every part of a stream's state has in common."""

    def grow(self, rows: int) -> None: ...
    def arrays(self) -> dict[str, NDArray[Any]]: ...


def scores() -> Scores:
    return Scores([1, 3, H], H, D, 10)


def score(made: Scores, wave: TickBatch, rng: np.random.Generator) -> list[Floats]:
    made.truth(wave)
    due = ~np.isnan(wave.x[:, 0]) & (rng.random(len(wave.rows)) < 0.8)
    mean = rng.normal(size=(len(wave.rows), len(MODELS), H, D))
    mean[rng.random(len(wave.rows)) < 0.3, 2] = np.nan
    made.predicted(wave[due], mean[due])
    return [made.ranking(wave.rows), made.e_p(wave.rows), *made.by_lead()]


def baseline(season: int | None) -> Callable[[], HoltWinters]:
    return lambda: HoltWinters(D, H, season)


def smooth(made: HoltWinters, wave: TickBatch, rng: np.random.Generator) -> list[Floats]:
    made.learn(wave)
    return [made.forecast(wave)]


def bank(kind: Kind, cell: CellName) -> Callable[[], NetworkForecaster]:
    torch.manual_seed(0)
    network = build(kind, Sizes(d=D, m=10, k=3, p=2, n=7, cell=cell)).requires_grad_(False)
    return lambda: NetworkForecaster(network, Scale(D, 5), 1)


def step(made: NetworkForecaster, wave: TickBatch, rng: np.random.Generator) -> list[Floats]:
    made.step(wave.rows, wave.x, wave.fresh)
    return [made.forecast(wave.rows)]


def scale() -> Scale:
    return Scale(D, 5)


def follow(made: Scale, wave: TickBatch, rng: np.random.Generator) -> list[Any]:
    made.learn(wave.rows, wave.x)
    return [made.sd(wave.rows), made.to_scaled(wave.rows, wave.x)]


PARTS: dict[str, tuple[Callable[[], Part], Callable[[Any, TickBatch, np.random.Generator], list[Any]]]] = {
    "scores": (scores, score),
    "baseline": (baseline(None), smooth),
    "season": (baseline(4), smooth),
    "scale": (scale, follow),
    **{f"{kind}-{cell}": (bank(kind, cell), step) for kind in KINDS for cell in ("rnn", "lstm")},
}


def waves(rng: np.random.Generator, ticks: NDArray[np.int64], count: int) -> Iterator[TickBatch]:
    """Ticks of some rows each: measured, missing, or a fresh start after a gap."""
    for _ in range(count):
        rows = rng.permutation(ROWS)[: rng.integers(1, ROWS + 1)]
        fresh = (ticks[rows] < 0) | (rng.random(len(rows)) < 0.1)
        ticks[rows] += np.where(fresh, rng.integers(1, 30, len(rows)), 1)
        x = rng.normal(size=(len(rows), D)) + 1e3
        x[~fresh & (rng.random(len(rows)) < 0.2)] = np.nan
        time = ticks[rows].astype(np.float64)
        yield TickBatch(rows, x, ticks[rows], time, fresh, time)


@pytest.mark.parametrize("part", PARTS)
@settings(deadline=None, max_examples=5)
@given(st.integers(0, 2**32 - 1), st.integers(0, 20))
def test_a_copy_goes_on_alike(part: str, seed: int, before: int) -> None:
    """A new part with all rows written into its arrays goes on bit by bit as the old one does, whatever comes."""
    make, go = PARTS[part]
    rng, ticks, old, new = np.random.default_rng(seed), np.full(ROWS, -1), make(), make()
    old.grow(ROWS)
    new.grow(ROWS)
    for wave in waves(rng, ticks, before):
        go(old, wave, rng)
    for name, array in new.arrays().items():
        array[:] = old.arrays()[name]
    for wave in waves(rng, ticks, 12):
        turn = int(rng.integers(2**32))
        told = [go(one, wave, np.random.default_rng(turn)) for one in (old, new)]
        for a, b in zip(*told, strict=True):
            np.testing.assert_array_equal(a, b)
    for name, array in new.arrays().items():
        assert array.tobytes() == old.arrays()[name].tobytes(), name


@pytest.mark.parametrize("part", PARTS)
def test_a_row_per_series(part: str) -> None:
    """Every array has one row per series and one of the kinds of numbers that a snapshot can hold."""
    made = PARTS[part][0]()
    made.grow(5)
    made.grow(3)
    assert {len(array) for array in made.arrays().values()} == {5}
    assert {array.dtype for array in made.arrays().values()} <= ALLOWED
