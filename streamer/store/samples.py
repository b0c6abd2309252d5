"""Accepted samples in, the rolling buffer out: a log in the order they came, and chunks in that of their series.

A buffer is read series by series, but written a sample of each series at a time: put straight to its place each sample
would write a page of its own. So a batch is one row of the log, and once the log holds enough, its samples are
*settled*: sorted, and added to the chunks of their series, a few with every batch. A series' samples are those of its
chunks, then those of the log that are newer.
"""

import sqlite3
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice, starmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.records import Floats, Ints

NEWEST = 2**62
"""Past every tick."""
ROOM = 960
"""Bytes of samples in a full chunk: SQLite takes a row of more than 1,002 off its page (file format, section 1.6)."""
FEW, MANY = 8, 64
"""Where less than FEW samples would fill it a chunk has MANY, on pages of its own."""
SETTLE = 2**15
"""Samples in the log from which it is settled."""
PER_SERIES = 16
"""As many for each series, where that is more: fewer would make short chunks, hence more pages."""

SampleRow = tuple[int, int, float, bytes]
"""Series, tick, time in seconds since 1970, and d float64, little-endian."""
End = tuple[int, float]
"""Tick and time of a sample, as END has them."""
END = struct.Struct("<qd")
Records = NDArray[np.void]
"""Samples of `record(d)`, one after another."""


@cache
def record(d: int) -> np.dtype[np.void]:
    """A sample in a chunk."""
    return np.dtype([("tick", "<i8"), ("time", "<f8"), ("x", "<f8", (d,))])


@cache
def logged(d: int) -> np.dtype[np.void]:
    """A sample in the log: its series, then as in a chunk."""
    return np.dtype([("series", "<i8"), ("sample", record(d))])


@dataclass(frozen=True, slots=True)
class Limits:
    """When a log is settled, and how long its chunks are: ROOM, FEW, SETTLE and PER_SERIES say what each limit is."""

    room: int
    few: int
    settle: int
    per_series: int


def full(size: int, room: int = ROOM, few: int = FEW) -> int:
    """How many samples of so many bytes make a full chunk."""
    return room // size if room // size >= few else MANY


class Samples:
    """The samples of all series in one database.

    `settling` gives the chunks that are still to be written of the rows of the log up to `settled`, `share` how many of
    them go with each sample that is appended, and `waiting` counts the samples of the log, None where that is unknown.
    A connection that only reads looks at the log once: of what is committed later it may see a part.
    """

    def __init__(self, database: sqlite3.Connection, limits: Limits | None = None) -> None:
        self.database = database
        self.limits = limits or Limits(ROOM, FEW, SETTLE, PER_SERIES)
        self.waiting: int | None = None
        self.settling: Iterator[tuple[int, Records]] | None = None
        self.settled, self.share = 0, 0.0
        self.tails: dict[int, Records] | None = None

    def append(self, rows: Iterable[SampleRow], series: int) -> None:
        """Samples to the log, of each series in the order of their ticks, within a transaction.

        `series` is how many there are, about.
        """
        by_bytes: dict[int, list[SampleRow]] = {}
        for row in rows:
            by_bytes.setdefault(len(row[3]), []).append(row)
        if self.waiting is None:
            self.waiting = self.count_log()
        count = 0
        for width, some in by_bytes.items():
            packed = b"".join(starmap(packer(width), some))
            self.database.execute("INSERT INTO log (d, samples) VALUES (?, ?)", (width // 8, packed))
            count += len(some)
        self.waiting += count
        self.tails = None
        if self.settling is None and self.waiting >= max(self.limits.settle, self.limits.per_series * series):
            self.begin()
        if self.settling is not None:
            self.settle(self.settling, count)

    def rolled_back(self) -> None:
        """A transaction was undone: what is settled begins anew, and passes over what it finds settled already."""
        self.waiting = self.settling = self.tails = None

    def full(self, size: int) -> int:
        """How many samples of so many bytes make a full chunk here."""
        return full(size, self.limits.room, self.limits.few)

    def begin(self) -> None:
        """Sort the log into chunks."""
        (self.settled,) = self.database.execute("SELECT max(id) FROM log").fetchone()
        parts = list(self.sorted_log(self.full))
        chunks = sum(len(cuts) for _, _, cuts in parts)
        self.share = 2 * chunks / max(1, self.waiting or 0)  # done by half the time the log needs to fill again
        self.settling = pieces(parts)

    def settle(self, settling: Iterator[tuple[int, Records]], count: int) -> None:
        """Write the chunks that go with so many appended samples; after the last the log lets go of their rows."""
        due = int(self.share * count) + 1
        taken = list(islice(settling, due))
        for series, samples in taken:
            self.put(series, samples)
        if len(taken) < due:
            self.database.execute("DELETE FROM log WHERE id <= ?", (self.settled,))
            self.settling, self.waiting = None, self.count_log()

    def put(self, series: int, samples: Records) -> None:
        """Samples to the end of their series, as far as they are newer than its newest chunk; a short one is filled."""
        newest = self.database.execute(
            "SELECT tick, samples FROM chunks WHERE series = ? ORDER BY tick DESC LIMIT 1", (series,)
        ).fetchone()
        before = b""
        if newest is not None:
            if samples["tick"][0] <= newest[0]:
                samples = samples[samples["tick"] > newest[0]]
            if not len(samples):
                return
            if len(newest[1]) + samples.nbytes <= self.full(samples.itemsize) * samples.itemsize:
                self.database.execute("DELETE FROM chunks WHERE series = ? AND tick = ?", (series, newest[0]))
                before = newest[1]
        row = series, int(samples["tick"][-1]), before + samples.tobytes()
        self.database.execute("INSERT INTO chunks VALUES (?, ?, ?)", row)

    def trim(self, oldest: Iterable[tuple[int, int]]) -> None:
        """Drop chunks that lie before a tick as a whole: (series, first tick to keep), within a transaction."""
        self.database.executemany("DELETE FROM chunks WHERE series = ? AND tick < ?", oldest)

    def newest(self, series: int, count: int, until: int) -> tuple[Ints, Floats]:
        """Ticks [T] and values [T, d] of the newest `count` samples of a series up to tick `until`, oldest first."""
        log = self.tail(series)
        rows = self.database.execute(
            "SELECT series.d, samples FROM chunks JOIN series ON series.id = series WHERE series = ?1 AND tick <="
            " coalesce((SELECT min(tick) FROM chunks WHERE series = ?1 AND tick >= ?2), ?2) ORDER BY tick DESC",
            (series, until),
        )
        found, needed = list[Records](), count
        for d, packed in rows:
            found.append(np.frombuffer(packed, record(d)))
            needed -= int(np.count_nonzero(found[-1]["tick"] <= until))
            if needed <= 0:
                break
        samples = joined(found[::-1], log)
        samples = samples[samples["tick"] <= until]
        samples = samples[max(0, len(samples) - count) :]
        return samples["tick"].astype(np.int64), samples["x"].astype(np.float64)

    def between(self, series: int, after: int, until: int, most: int) -> tuple[list[int], list[float], Floats]:
        """Ticks, times and values [T, d] of the oldest `most` samples with after < tick <= until."""
        log = self.tail(series)
        rows = self.database.execute(
            "SELECT series.d, samples FROM chunks JOIN series ON series.id = series"
            " WHERE series = ? AND tick > ? ORDER BY tick LIMIT ?",
            (series, after, most),
        )
        found, needed = list[Records](), most
        for d, packed in rows:
            found.append(np.frombuffer(packed, record(d)))
            needed -= int(np.count_nonzero(found[-1]["tick"] > after))
            if needed <= 0 or found[-1]["tick"][-1] >= until:
                break
        samples = joined(found, log)
        ticks = samples["tick"]
        samples = samples[(ticks > after) & (ticks <= until)][:most]
        return samples["tick"].tolist(), samples["time"].tolist(), samples["x"].astype(np.float64)

    def tail(self, series: int) -> Records | None:
        """What the log has of a series. Whoever also reads chunks must do so after this, lest samples fall between."""
        if self.tails is None:
            self.tails = dict(pieces(self.sorted_log(lambda _: NEWEST)))
        return self.tails.get(series)

    def ends(self, series: int, first: bytes | None, last: bytes | None) -> tuple[End, End] | None:
        """(tick, time) of the oldest and the newest sample of a series; `first`, `last` are those of its chunks."""
        log = self.tail(series)
        found: list[End] = [END.unpack(end) for end in (first, last) if end is not None]
        if log is not None and found:
            log = log[log["tick"] > found[-1][0]]
        if log is not None and len(log):
            found += [(int(log["tick"][at]), float(log["time"][at])) for at in (0, -1)]
        return (min(found), max(found)) if found else None

    def count(self, series: int) -> int:
        """How many samples there are of a series."""
        log = self.tail(series)
        count, newest = self.database.execute(
            "SELECT coalesce(sum(length(samples) / (8 * (d + 2))), 0), coalesce(max(tick), -1) FROM chunks"
            " JOIN series ON series.id = series WHERE series = ?",
            (series,),
        ).fetchone()
        return int(count) + (0 if log is None else int((log["tick"] > newest).sum()))

    def count_log(self) -> int:
        """Samples in the log."""
        found = self.database.execute("SELECT coalesce(sum(length(samples) / (8 * (d + 3))), 0) FROM log")
        return int(found.fetchone()[0])

    def sorted_log(self, longest: Callable[[int], int]) -> Iterator[tuple[Ints, Records, Ints]]:
        """The log by number of elements: series [T] and samples [T], sorted by series, and where pieces begin.

        A piece is of one series and has at most as many samples as `longest` says of their size in bytes.
        """
        by_d: dict[int, list[bytes]] = {}
        for d, packed in self.database.execute("SELECT d, samples FROM log ORDER BY id"):
            by_d.setdefault(d, []).append(packed)
        for d, packed in by_d.items():
            every = np.frombuffer(b"".join(packed), logged(d))
            every = every[np.argsort(every["series"], kind="stable")]
            series = every["series"]
            first = np.flatnonzero(np.diff(series, prepend=-1))
            place = np.arange(len(series)) - np.repeat(first, np.diff(first, append=len(series)))
            yield series, every["sample"], np.flatnonzero(place % longest(record(d).itemsize) == 0)


def pieces(parts: Iterable[tuple[Ints, Records, Ints]]) -> Iterator[tuple[int, Records]]:
    """(series, samples) of each piece of a sorted log."""
    for series, samples, cuts in parts:
        ends = [*cuts[1:].tolist(), len(samples)]
        for ident, begin, end in zip(series[cuts].tolist(), cuts.tolist(), ends, strict=True):
            yield ident, samples[begin:end]


def joined(chunks: list[Records], log: Records | None) -> Records:
    """Chunks in their order, then what the log has that is newer; none at all is [0] of no elements."""
    if log is not None:
        chunks = [*chunks, log[log["tick"] > chunks[-1]["tick"][-1]] if chunks else log]
    return np.concatenate(chunks) if chunks else np.zeros(0, record(0))


@cache
def packer(width: int) -> Any:
    """What makes a sample of so many bytes of values a record of the log."""
    return struct.Struct(f"<qqd{width}s").pack
