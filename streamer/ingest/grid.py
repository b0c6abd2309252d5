"""Irregular samples in, one per tick out: late and duplicate ones are rejected, missing ticks become NaN."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from streamer.errors import Rejected
from streamer.ingest.topics import joined
from streamer.records import Floats, Ints, TickBatch

NO_LABELS: Mapping[str, str] = MappingProxyType({})
CLOCK_STEP = 1e-6
"""Seconds between two messages that arrived, by the clock, at the same time or in the wrong order."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The time grid of a stream.

    interval: seconds between ticks; None makes every message a tick. max_gap: the longest run of missing ticks that is
    bridged; after a longer one a series starts anew.
    """

    interval: float | None
    max_gap: int

    def date(self, series: "Series", arrived: float) -> float:
        """The time of a sample that has none of its own: its arrival.

        Where every message is a tick it is later than the sample before it, so that a clock set back loses none.
        """
        return arrived if self.interval is not None else max(arrived, series.time + CLOCK_STEP)

    def intervals(self, series: Sequence["Series"], tick: Ints, time: Floats) -> Floats:
        """Seconds between two samples of each of these series, as far as it knows at its tick: [b]."""
        if self.interval is not None:
            return np.full(len(series), self.interval)
        places = zip(series, tick.tolist(), time.tolist(), strict=True)
        return np.array([one.spacing(at, moment) for one, at, moment in places])


class Series:
    """One topic of a stream, or one part of its multiseries messages, and where its newest sample lies on the grid.

    Tick 0 is the first sample. With an interval, a sample belongs to the tick its time is nearest to. `anchor` is the
    time of tick 0 on that grid, laid anew through the first sample after a gap too long to bridge. `held` counts the
    ticks gone through, long gaps left out; `asked` is its value when a training was last asked for, `trained` that when
    the newest one that has ended was. `part` is empty where a message is one series. `extra` is JSON, after a comma,
    that each forecast message carries.
    """

    __slots__ = (
        "anchor", "asked", "extra", "held", "ident", "labels", "name", "part", "row", "tick", "time",
        "topic", "trained",
    )  # fmt: skip

    PLACE: Mapping[str, type[np.generic]] = {
        "ident": np.int64, "tick": np.int64, "time": np.float64, "anchor": np.float64, "held": np.int64,
        "trained": np.int64,
    }  # fmt: skip
    """What a snapshot holds of a series."""

    def __init__(self, row: int, ident: int, topic: str, part: str = "", labels: Mapping[str, str] = NO_LABELS) -> None:
        self.row, self.ident, self.topic = row, ident, topic
        self.part, self.name, self.labels = part, joined(topic, part), labels
        self.extra = b',"labels":' + orjson.dumps(self.labels) if self.labels else b""
        self.tick = -1
        self.time = self.anchor = -math.inf
        self.held = self.asked = self.trained = 0

    @property
    def growth(self) -> int:
        """Ticks gone through since a training was last asked for."""
        return self.held - self.asked

    def place(self, time: float, grid: Grid) -> int:
        """Ticks from the newest sample to this one (1: the next tick), the series now standing at it.

        Raises Rejected: late, duplicate.
        """
        advance = 1
        if self.tick >= 0:
            if time <= self.time:
                if time == self.time:
                    raise Rejected("duplicate", "its time is that of the newest sample")
                raise Rejected("late", f"{self.time - time:g} s before the newest sample")
            if grid.interval is not None:
                advance = math.floor((time - self.anchor) / grid.interval + 0.5) - self.tick
                if advance < 1:
                    raise Rejected("duplicate", "a second sample of one tick")
        self.stand(self.tick + advance, time, grid)
        return advance

    def replay(self, tick: int, time: float, grid: Grid) -> int:
        """The same for a sample that was placed at this tick before.

        The first one that there is, where it is not of tick 0, counts as one after a long gap.
        """
        advance = tick - self.tick if self.tick >= 0 or tick == 0 else grid.max_gap + 2
        self.stand(tick, time, grid)
        return advance

    def stand(self, tick: int, time: float, grid: Grid) -> None:
        """Move on to a later tick, whose sample is of this time."""
        advance = tick - self.tick
        if self.tick < 0:
            self.anchor, self.held = time, 1
        elif advance <= grid.max_gap + 1:
            self.held += advance
        else:
            self.held += 1
            if grid.interval is not None:
                self.anchor = time - tick * grid.interval
        self.tick, self.time = tick, time

    def restore(self, place: Mapping[str, Any]) -> None:
        """Stand where a snapshot says; keys as in PLACE, any of them may be absent."""
        for name, value in place.items():
            setattr(self, name, value)
        self.asked = self.trained

    def ask(self) -> None:
        """A training on what there is now is asked for."""
        self.asked = self.held

    def train_to(self, held: int) -> None:
        """A training has ended that was asked for when `held` was this."""
        self.asked = self.trained = held

    def spacing(self, tick: int, time: float) -> float:
        """Mean seconds between ticks up to this one."""
        return (time - self.anchor) / max(1, tick)


class SeriesIndex:
    """The series of a stream by row; where its messages are multiseries, also by topic and part, and by name."""

    def __init__(self, multiseries: bool) -> None:
        self.multiseries = multiseries
        self.rows: list[Series] = []
        self.parts: dict[tuple[str, str], Series] = {}
        self.names: set[str] = set()

    def add(self, series: Series) -> None:
        """A series at the next row."""
        if self.multiseries:
            self.parts[series.topic, series.part] = series
            self.names.add(series.name)
        self.rows.append(series)


class TickBatcher:
    """Accepted samples of one stream, gathered into tick batches of at most one tick per series."""

    def __init__(self, d: int, grid: Grid) -> None:
        self.missing, self.longest = (np.nan,) * d, grid.max_gap + 1
        self.batches: list[list[tuple[object, ...]]] = []
        self.depths: dict[int, int] = {}

    def add(self, series: Series, values: tuple[float, ...], advance: int, arrived: float) -> int:
        """One sample that lies `advance` ticks after the one before it: how many missing ticks it is after."""
        row, tick = series.row, series.tick
        fresh, bridged = tick == 0 or advance > self.longest, 0
        if advance > 1 and not fresh:
            bridged = advance - 1
            for back in range(bridged, 0, -1):
                self.put(row, (row, self.missing, tick - back, np.nan, False, arrived))
        self.put(row, (row, values, tick, series.time, fresh, arrived))
        return bridged

    def put(self, row: int, cells: tuple[object, ...]) -> None:
        """One tick, in the first tick batch after those that have ticks of this series."""
        depth = self.depths.get(row, 0)
        self.depths[row] = depth + 1
        if depth == len(self.batches):
            self.batches.append([])
        self.batches[depth].append(cells)

    def take(self) -> list[TickBatch]:
        """The tick batches gathered since the last call."""
        kinds = (np.int64, np.float64, np.int64, np.float64, np.bool_, np.float64)
        taken = []
        for ticks in self.batches:
            columns = zip(zip(*ticks, strict=True), kinds, strict=True)
            taken.append(TickBatch(*(np.array(column, kind) for column, kind in columns)))
        self.batches, self.depths = [], {}
        return taken


def segments(ticks: Ints, values: Floats, max_gap: int) -> Iterable[NDArray[np.float64]]:
    """The stretches of one series [T, d] without a gap longer than max_gap, missing ticks filled with NaN."""
    if not len(ticks):
        return
    cuts = np.flatnonzero(np.diff(ticks) > max_gap + 1) + 1
    for at, x in zip(np.split(ticks, cuts), np.split(values, cuts), strict=True):
        whole = np.full((int(at[-1] - at[0]) + 1, values.shape[1]), np.nan)
        whole[at - at[0]] = x
        yield whole
