"""Irregular samples in, one per tick out: late and duplicate ones are rejected, missing ticks become NaN."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from streamer.errors import Rejected
from streamer.ingest.clock import Clocks
from streamer.ingest.topics import joined
from streamer.records import Floats, Ints

NO_LABELS: Mapping[str, str] = MappingProxyType({})
CLOCK_STEP = 1e-6
"""Seconds between two messages that arrived, by the clock, at the same time or in the wrong order."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The time grid of a stream.

    interval: seconds between ticks; None makes every message a tick. max_gap: the longest run of missing ticks that is
    bridged, or filled; after a longer one a series starts anew. fill: a tick without a message has the last value.
    """

    interval: float | None
    max_gap: int
    fill: bool = False

    @property
    def longest(self) -> int:
        """The most ticks from one to the next without a new start; where all are filled, only too many are skipped."""
        return 1 if self.fill else self.max_gap + 1

    def date(self, series: "Series", arrived: float) -> float:
        """The time of a sample that has none of its own: its arrival.

        Where every message is a tick it is later than the sample before it, so that a clock set back loses none.
        """
        return arrived if self.interval is not None else max(arrived, series.time + CLOCK_STEP)

    def tick(self, series: "Series", time: float) -> int:
        """The tick that a time is nearest to; for grids with an interval."""
        assert self.interval is not None
        return math.floor((time - series.anchor) / self.interval + 0.5)

    def time(self, series: "Series") -> float:
        """The time of the tick that a series stands at: that of its sample, of a filled one that of the grid."""
        if not series.filled:
            return series.time
        assert self.interval is not None
        return series.anchor + series.tick * self.interval

    def over(self, series: "Series", ahead: int = 0) -> float:
        """When the tick after that, or one so many further ahead, is over: an interval past it."""
        assert self.interval is not None
        return series.anchor + (series.tick + ahead + 2) * self.interval

    def overdue(self, series: "Series", time: float) -> int:
        """How many ticks after that are over by this time and may be filled: as one by one, to the last bit of it."""
        assert self.interval is not None
        most = self.max_gap - series.filled
        count = min(max(0, int((time - series.anchor) / self.interval) - series.tick - 1), most)
        while count and self.over(series, count - 1) > time:
            count -= 1
        while count < most and self.over(series, count) <= time:
            count += 1
        return count


class Series:
    """One topic of a stream, or one part of its multiseries messages, and where its newest sample lies on the grid.

    Tick 0 is the first sample. With an interval, a sample belongs to the tick its time is nearest to. `anchor` is the
    time of tick 0 on that grid, laid anew through the first sample after a gap too long to bridge. `held` counts its
    samples and filled ticks, not those bridged; `asked` is its value when a training was last asked for, `trained` that
    when the newest one that has ended was. `filled` counts the ticks since the newest sample, which have its value.
    `part` is empty where a message is one series. `extra` is JSON, after a comma, that each forecast message carries.
    """

    __slots__ = (
        "anchor", "asked", "extra", "filled", "held", "ident", "labels", "name", "part", "row", "tick", "time",
        "topic", "trained",
    )  # fmt: skip

    PLACE: Mapping[str, type[np.generic]] = {
        "ident": np.int64, "tick": np.int64, "time": np.float64, "anchor": np.float64, "held": np.int64,
        "trained": np.int64, "filled": np.int64,
    }  # fmt: skip
    """What a snapshot holds of a series."""

    def __init__(self, row: int, ident: int, topic: str, part: str = "", labels: Mapping[str, str] = NO_LABELS) -> None:
        self.row, self.ident, self.topic = row, ident, topic
        self.part, self.name, self.labels = part, joined(topic, part), labels
        self.extra = b',"labels":' + orjson.dumps(self.labels) if self.labels else b""
        self.tick = -1
        self.time = self.anchor = -math.inf
        self.held = self.asked = self.trained = self.filled = 0

    @property
    def growth(self) -> int:
        """Samples and filled ticks since a training was last asked for."""
        return self.held - self.asked

    @property
    def sampled(self) -> int:
        """The tick of its newest sample."""
        return self.tick - self.filled

    def place(self, time: float, grid: Grid) -> int:
        """Ticks from where the series stands to this sample (1: the next tick), the series now standing at it.

        Where ticks are filled, the next tick takes a sample of one that has a value already: what changed is not lost.
        Raises Rejected: late, duplicate.
        """
        advance = 1
        if self.tick >= 0:
            if time <= self.time:
                if time == self.time:
                    raise Rejected("duplicate", "its time is that of the newest sample")
                raise Rejected("late", f"{self.time - time:g} s before the newest sample")
            if grid.interval is not None:
                advance = grid.tick(self, time) - self.tick
                if advance < 1 and not (grid.fill and advance + grid.max_gap > 0):
                    raise Rejected("duplicate", "a second sample of one tick; streams[].aggregate takes them together")
                advance = max(1, advance)
        self.stand(self.tick + advance, time, grid)
        return advance

    def begin_anew(self, advance: int, grid: Grid) -> int:
        """Have the newest sample, `advance` ticks after the one before, lie too far ahead to be bridged: so many ticks.

        A replay, which knows ticks and times, does the same.
        """
        assert grid.interval is not None
        self.tick += grid.longest + 1 - advance
        self.anchor = self.time - self.tick * grid.interval
        return grid.longest + 1

    def replay(self, tick: int, time: float, grid: Grid) -> int:
        """The same for a sample that was placed at this tick before.

        The first one that there is, where it is not of tick 0, counts as one after a long gap.
        """
        advance = tick - self.tick if self.tick >= 0 or tick == 0 else grid.longest + 1
        self.stand(tick, time, grid)
        return advance

    def stand(self, tick: int, time: float, grid: Grid) -> None:
        """Move on to a later tick, whose sample is of this time."""
        advance = tick - self.tick
        if self.tick < 0 or advance > grid.longest:
            if grid.interval is not None:
                self.anchor = time - tick * grid.interval
            elif self.tick < 0:
                self.anchor = time
        self.held += 1
        self.tick, self.time, self.filled = tick, time, 0

    def fill(self, count: int) -> None:
        """Move on by so many ticks that have the value of the newest sample."""
        self.tick += count
        self.held += count
        self.filled += count

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


class SeriesIndex:
    """The series of a stream by row; where its messages are multiseries, also by topic and part, and by name.

    clocks: those whose messages are late, again and again. looked: rows that lanes/mixed.py has looked at.
    """

    def __init__(self, multiseries: bool) -> None:
        self.clocks = Clocks()
        self.looked: set[int] = set()
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


def segments(
    ticks: Ints, values: Floats, max_gap: int, *, fill: bool = False, until: int | None = None
) -> Iterable[NDArray[np.float64]]:
    """The stretches of one series [T, d] without a gap longer than max_gap.

    Missing ticks are NaN; or, with fill, each sample is repeated up to the next one, the newest up to the tick `until`,
    but at most max_gap times.
    """
    if not len(ticks):
        return
    cuts = np.flatnonzero(np.diff(ticks) > max_gap + 1) + 1
    end = ticks[-1] if until is None else until
    lengths = np.minimum(np.diff(ticks, append=end + 1), max_gap + 1)
    for at, x, length in zip(*(np.split(column, cuts) for column in (ticks, values, lengths)), strict=True):
        if fill:
            yield np.repeat(x, length, 0)
            continue
        whole = np.full((int(at[-1] - at[0]) + 1, values.shape[1]), np.nan)
        whole[at - at[0]] = x
        yield whole


class Stretch(NamedTuple):
    """Consecutive ticks of one series: their numbers [T] and values x [T, d], NaN where missing.

    times [T]: of ticks with a sample of their own, NaN for the others.
    """

    ticks: Ints
    times: Floats
    x: Floats

    def after(self, count: int) -> "Stretch":
        """Without so many of the first ticks."""
        return Stretch(self.ticks[count:], self.times[count:], self.x[count:])

    def dated(self, interval: float) -> Floats:
        """A time for every tick [T], from that of the first sample and the seconds between two ticks."""
        known = int(np.argmax(~np.isnan(self.times)))
        found: Floats = self.times[known] + (np.arange(len(self.times)) - known) * interval
        return found


def stretches(ticks: Ints, times: Floats, values: Floats, grid: Grid, *, until: int | None = None) -> Iterable[Stretch]:
    """The stretches of one series without a long gap, as `segments` has them."""
    table = np.column_stack([ticks, times, values])
    for part in segments(ticks, table, grid.max_gap, fill=grid.fill, until=until):
        numbers = int(part[0, 0]) + np.arange(len(part))
        yield Stretch(numbers, np.where(numbers == part[:, 0], part[:, 1], np.nan), part[:, 2:])
