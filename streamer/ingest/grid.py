"""Irregular samples in, one per tick out: late and duplicate ones are rejected, missing ticks become NaN."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from streamer.errors import Rejected
from streamer.records import Floats, Ints, Wave

LATEST = 253402300800.0
"""The year 10000 in seconds since 1970: no time beyond it can be written as RFC 3339."""


class Series:
    """One topic of a stream, and where its newest sample lies on the grid.

    Tick 0 is the first sample; with an interval, a sample belongs to the tick its time is nearest to. `anchor` is the
    time of tick 0 on that grid, laid anew through the first sample after a gap too long to bridge. `held` counts the
    ticks gone through, long gaps left out, and `trained` what it was when the series was last trained on.
    """

    __slots__ = ("anchor", "held", "ident", "out_topic", "row", "tick", "time", "topic", "trained")

    def __init__(self, row: int, ident: int, topic: str, out_topic: str) -> None:
        self.row, self.ident, self.topic, self.out_topic = row, ident, topic, out_topic
        self.tick = -1
        self.time = self.anchor = -math.inf
        self.held = self.trained = 0

    def place(self, time: float, interval: float | None, max_gap: int) -> int:
        """Ticks from the newest sample to this one (1: the next tick), the series now standing at it.

        Raises Rejected: late, duplicate.
        """
        if self.tick < 0:
            self.tick, self.time, self.anchor, self.held = 0, time, time, 1
            return 1
        if time <= self.time:
            if time == self.time:
                raise Rejected("duplicate", "its time is that of the newest sample")
            raise Rejected("late", f"{self.time - time:g} s before the newest sample")
        advance = 1 if interval is None else math.floor((time - self.anchor) / interval + 0.5) - self.tick
        if advance < 1:
            raise Rejected("duplicate", "a second sample of one tick")
        self.tick += advance
        self.time = time
        self.held += advance if advance <= max_gap + 1 else 1
        if interval is not None and advance > max_gap + 1:
            self.anchor = time - self.tick * interval
        return advance

    def spacing(self, tick: int, time: float) -> float:
        """Mean seconds between ticks up to this one."""
        return (time - self.anchor) / max(1, tick)


class Waves:
    """Accepted samples of one stream, gathered into waves of at most one tick per series."""

    def __init__(self, d: int, max_gap: int) -> None:
        self.missing, self.max_gap = (np.nan,) * d, max_gap
        self.columns: list[tuple[list[object], ...]] = []
        self.steps: dict[int, int] = {}

    def add(self, series: Series, values: tuple[float, ...], advance: int, arrived: float) -> None:
        """One sample that lies `advance` ticks after the one before it."""
        fresh = series.tick == 0 or advance > self.max_gap + 1
        for back in range(0 if fresh else advance - 1, 0, -1):
            self.put(series.row, self.missing, series.tick - back, np.nan, False, arrived)
        self.put(series.row, values, series.tick, series.time, fresh, arrived)

    def put(self, *cells: object) -> None:
        """One tick, in the first wave after the ticks of this series so far."""
        row: int = cells[0]  # type: ignore[assignment]
        wave = self.steps.get(row, 0)
        self.steps[row] = wave + 1
        if wave == len(self.columns):
            self.columns.append(tuple([] for _ in cells))
        for column, cell in zip(self.columns[wave], cells, strict=True):
            column.append(cell)

    def take(self) -> list[Wave]:
        """The waves gathered since the last call."""
        waves = [
            Wave(
                np.array(rows, np.int64),
                np.array(x, np.float64),
                np.array(tick, np.int64),
                np.array(time, np.float64),
                np.array(fresh, np.bool_),
                np.array(arrived, np.float64),
            )
            for rows, x, tick, time, fresh, arrived in self.columns
        ]
        self.columns, self.steps = [], {}
        return waves


def segments(ticks: Ints, values: Floats, max_gap: int) -> Iterable[NDArray[np.float64]]:
    """The stretches of one series [T, d] without a gap longer than max_gap, missing ticks filled with NaN."""
    if not len(ticks):
        return
    cuts = np.flatnonzero(np.diff(ticks) > max_gap + 1) + 1
    for at, x in zip(np.split(ticks, cuts), np.split(values, cuts), strict=True):
        whole = np.full((int(at[-1] - at[0]) + 1, values.shape[1]), np.nan)
        whole[at - at[0]] = x
        yield whole
