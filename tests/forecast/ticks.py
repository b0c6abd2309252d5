"""Tick batches for tests."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.records import Floats, TickBatch


def ticks_of(
    rows: Sequence[int] | NDArray[np.int64],
    x: Floats,
    tick: int | Sequence[int] | NDArray[np.int64] = 0,
    fresh: bool | Sequence[bool] | NDArray[np.bool_] = False,
) -> TickBatch:
    """One tick of each of these rows: x [b, d], NaN where missing; its number is its time too."""
    at = np.broadcast_to(np.array(tick, np.int64), len(rows)).copy()
    time = at.astype(np.float64)
    return TickBatch(np.array(rows, np.int64), x, at, time, np.broadcast_to(np.array(fresh), len(rows)).copy(), time)


def at_random(rng: np.random.Generator, ticks: NDArray[np.int64], count: int, d: int) -> Iterator[TickBatch]:
    """Ticks of some rows each: measured, missing, or a fresh start after a gap; `ticks` has the newest of each row."""
    for _ in range(count):
        rows = rng.permutation(len(ticks))[: rng.integers(1, len(ticks) + 1)]
        fresh = (ticks[rows] < 0) | (rng.random(len(rows)) < 0.1)
        ticks[rows] += np.where(fresh, rng.integers(1, 30, len(rows)), 1)
        x = rng.normal(size=(len(rows), d)) + 1e3
        x[~fresh & (rng.random(len(rows)) < 0.2)] = np.nan
        yield ticks_of(rows, x, ticks[rows], fresh)
