"""Irregular samples in, one per tick out: late and duplicate ones are rejected, missing ticks become NaN."""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
import orjson
from numpy.typing import NDArray

from streamer.errors import Rejected
from streamer.ingest.topics import joined
from streamer.records import Floats, Ints, TickBatch

NO_LABELS: Mapping[str, str] = MappingProxyType({})


class Series:
    """One topic of a stream, or one part of what its messages hold, and where its newest sample lies on the grid.

    Tick 0 is the first sample; with an interval, a sample belongs to the tick its time is nearest to. `anchor` is the
    time of tick 0 on that grid, laid anew through the first sample after a gap too long to bridge. `held` counts the
    ticks gone through, long gaps left out, and `trained` what it was when the series was last trained on. `part` is
    empty where a message is one series; `extra` is what its forecasts say beside the usual, as JSON after a comma.
    """

    __slots__ = (
        "anchor", "extra", "held", "ident", "labels", "name", "part", "row", "tick", "time", "topic",
        "trained",
    )  # fmt: skip

    def __init__(self, row: int, ident: int, topic: str, part: str = "", labels: Mapping[str, str] = NO_LABELS) -> None:
        self.row, self.ident, self.topic = row, ident, topic
        self.part, self.name, self.labels = part, joined(topic, part), labels
        self.extra = b',"labels":' + orjson.dumps(self.labels) if self.labels else b""
        self.tick = -1
        self.time = self.anchor = -math.inf
        self.held = self.trained = 0

    def place(self, time: float, interval: float | None, max_gap: int) -> int:
        """Ticks from the newest sample to this one (1: the next tick), the series now standing at it.

        Raises Rejected: late, duplicate.
        """
        advance = 1
        if self.tick >= 0:
            if time <= self.time:
                if time == self.time:
                    raise Rejected("duplicate", "its time is that of the newest sample")
                raise Rejected("late", f"{self.time - time:g} s before the newest sample")
            if interval is not None:
                advance = math.floor((time - self.anchor) / interval + 0.5) - self.tick
                if advance < 1:
                    raise Rejected("duplicate", "a second sample of one tick")
        self.stand(self.tick + advance, time, interval, max_gap)
        return advance

    def stand(self, tick: int, time: float, interval: float | None, max_gap: int) -> None:
        """Move on to a later tick, whose sample is of this time."""
        advance = tick - self.tick
        if self.tick < 0:
            self.anchor, self.held = time, 1
        elif advance <= max_gap + 1:
            self.held += advance
        else:
            self.held += 1
            if interval is not None:
                self.anchor = time - tick * interval
        self.tick, self.time = tick, time

    def spacing(self, tick: int, time: float) -> float:
        """Mean seconds between ticks up to this one."""
        return (time - self.anchor) / max(1, tick)


class TickBatcher:
    """Accepted samples of one stream, gathered into waves of at most one tick per series."""

    def __init__(self, d: int, max_gap: int) -> None:
        self.missing, self.max_gap = (np.nan,) * d, max_gap
        self.waves: list[list[tuple[object, ...]]] = []
        self.steps: dict[int, int] = {}

    def add(self, series: Series, values: tuple[float, ...], advance: int, arrived: float) -> None:
        """One sample that lies `advance` ticks after the one before it."""
        row, tick = series.row, series.tick
        fresh = tick == 0 or advance > self.max_gap + 1
        if advance > 1 and not fresh:
            for back in range(advance - 1, 0, -1):
                self.put(row, (row, self.missing, tick - back, np.nan, False, arrived))
        self.put(row, (row, values, tick, series.time, fresh, arrived))

    def put(self, row: int, cells: tuple[object, ...]) -> None:
        """One tick, in the first wave after the ticks of this series so far."""
        wave = self.steps.get(row, 0)
        self.steps[row] = wave + 1
        if wave == len(self.waves):
            self.waves.append([])
        self.waves[wave].append(cells)

    def take(self) -> list[TickBatch]:
        """The waves gathered since the last call."""
        kinds = (np.int64, np.float64, np.int64, np.float64, np.bool_, np.float64)
        waves = []
        for ticks in self.waves:
            columns = zip(zip(*ticks, strict=True), kinds, strict=True)
            waves.append(TickBatch(*(np.array(column, kind) for column, kind in columns)))
        self.waves, self.steps = [], {}
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
