"""Accepted samples in, the rolling buffer of a series out: a log in order of arrival, and chunks per series.

A batch has one sample of each of many series. In a table sorted by series each of them would write a page of its own.
So a batch is one row of the log. Once the log has enough samples they are *settled*: sorted by series and added to the
chunks of their series, a few chunks with every batch. The samples of a series are those of its chunks, followed by
those of the log that are newer.
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
from streamer.store.damage import whole

NEWEST = 2**62
"""Greater than every tick."""
ROOM = 960
"""Bytes of samples in a full chunk: SQLite moves rows above 1,002 bytes to other pages (file format, section 1.6)."""
FEW, MANY = 8, 64
"""Where ROOM holds fewer than FEW samples, a full chunk has MANY samples, on pages of its own."""
SETTLE = 2**15
"""Samples in the log at which settling begins."""
PER_SERIES = 16
"""The same per series, if that is more in all: shorter chunks would touch more pages."""

SampleRow = tuple[int, int, float, bytes]
"""Series, tick, time in seconds since 1970, and values as d float64, little-endian."""
End = tuple[int, float]
"""Tick and time of the oldest or the newest sample."""
END = struct.Struct("<qd")
"""An End as the first bytes of a record."""
Records = NDArray[np.void]
"""An array of samples, of dtype `record(d)`."""


@cache
def record(d: int) -> np.dtype[np.void]:
    """The dtype of a sample in a chunk."""
    return np.dtype([("tick", "<i8"), ("time", "<f8"), ("x", "<f8", (d,))])


@cache
def logged(d: int) -> np.dtype[np.void]:
    """The dtype of a sample in the log: its series, then the sample as in a chunk."""
    return np.dtype([("series", "<i8"), ("sample", record(d))])


@dataclass(frozen=True, slots=True)
class Limits:
    """When the log is settled, and how long the chunks are: ROOM, FEW, SETTLE and PER_SERIES say what each limit is."""

    room: int = ROOM
    few: int = FEW
    settle: int = SETTLE
    per_series: int = PER_SERIES


def full(size: int, room: int = ROOM, few: int = FEW) -> int:
    """The number of samples in a full chunk; `size` is the bytes of one."""
    return room // size if room // size >= few else MANY


class Samples:
    """The samples of all series in one database.

    `waiting` is the number of samples in the log, None while unknown. During settling, `settling` yields the chunks
    still to be written from the log's rows up to id `settled`, and `share` is the number of chunks to write per
    appended sample. `batch` is the id of the newest row of the log, once it was appended or asked for. `tails` caches
    the log by series. A connection that only reads fills that cache once, so it may see only some of the samples that
    are committed later.
    """

    def __init__(self, database: sqlite3.Connection, limits: Limits | None = None) -> None:
        self.database = database
        self.limits = limits or Limits()
        self.waiting: int | None = None
        self.settling: Iterator[tuple[int, Records]] | None = None
        self.settled, self.batch, self.share = 0, 0, 0.0
        self.tails: dict[int, Records] | None = None

    def append(self, rows: Iterable[SampleRow], series: int, handed_over: int | None = None) -> None:
        """Adds samples to the log, those of a series in order of tick, within a transaction.

        `series` is the approximate number of series. Rows of the log after `handed_over` stay there when settled.
        """
        by_bytes: dict[int, list[SampleRow]] = {}
        for row in rows:
            by_bytes.setdefault(len(row[3]), []).append(row)
        if self.waiting is None:
            self.waiting = self.count_log()
        count = 0
        for width, some in by_bytes.items():
            packed = b"".join(starmap(packer(width), some))
            added = self.database.execute(
                "INSERT INTO log (d, samples, handed_over, checksum) VALUES (?1, ?2, ?3, checksum(?1, 0, ?2))",
                (width // 8, packed, handed_over),
            )
            self.batch = added.lastrowid or 0
            count += len(some)
        self.waiting += count
        self.tails = None
        if self.settling is None and self.waiting >= max(self.limits.settle, self.limits.per_series * series):
            self.begin()
        if self.settling is not None:
            self.settle(self.settling, count, handed_over)

    def rolled_back(self) -> None:
        """Resets after a rollback: settling begins anew, and skips the samples that it finds in chunks."""
        self.waiting = self.settling = self.tails = None

    def full(self, size: int) -> int:
        """How many samples of so many bytes make a full chunk here."""
        return full(size, self.limits.room, self.limits.few)

    def begin(self) -> None:
        """Begins settling: sorts the log into chunks."""
        (self.settled,) = self.database.execute("SELECT max(id) FROM log").fetchone()
        parts = list(self.sorted_log(self.full))
        chunks = sum(len(cuts) for _, _, cuts in parts)
        self.share = 2 * chunks / max(1, self.waiting or 0)  # settling ends before the log is half full again
        self.settling = pieces(parts)

    def settle(self, settling: Iterator[tuple[int, Records]], count: int, handed_over: int | None) -> None:
        """Writes the chunks due for `count` appended samples; after the last one, deletes their rows of the log.

        Rows whose forecasts are not handed over stay, and are skipped when they are settled again.
        """
        due = int(self.share * count) + 1
        taken = list(islice(settling, due))
        for series, samples in taken:
            self.put(series, samples)
        if len(taken) < due:
            gone = self.settled if handed_over is None else min(self.settled, handed_over)
            self.database.execute("DELETE FROM log WHERE id <= ?", (gone,))
            self.settling, self.waiting = None, self.count_log(after=self.settled)

    def put(self, series: int, samples: Records) -> None:
        """Adds the samples that are newer than the newest chunk: to that chunk if they fit, else as a new one."""
        newest = self.database.execute(
            "SELECT tick, samples FROM sound_chunks WHERE series = ? ORDER BY tick DESC LIMIT 1", (series,)
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
        self.database.execute("INSERT OR REPLACE INTO chunks VALUES (?1, ?2, ?3, checksum(?1, ?2, ?3))", row)

    def trim(self, oldest: Iterable[tuple[int, int]]) -> None:
        """Drops chunks that lie entirely before a tick: (series, first tick to keep), within a transaction."""
        self.database.executemany("DELETE FROM chunks WHERE series = ? AND tick < ?", oldest)

    def newest(self, series: int, count: int, until: int) -> tuple[Ints, Floats, Floats]:
        """Ticks [T], times [T] and values [T, d] of the newest `count` samples up to tick `until`, oldest first."""
        log = self.tail(series)
        rows = self.database.execute(
            "SELECT series.d, samples FROM sound_chunks JOIN series ON series.id = series WHERE series = ?1 AND tick <="
            " coalesce((SELECT min(tick) FROM sound_chunks WHERE series = ?1 AND tick >= ?2), ?2) ORDER BY tick DESC",
            (series, until),
        )
        found, needed = list[Records](), count
        for d, packed in rows:
            found.append(whole(packed, record(d)))
            needed -= int(np.count_nonzero(found[-1]["tick"] <= until))
            if needed <= 0:
                break
        samples = joined(found[::-1], log)
        samples = samples[samples["tick"] <= until]
        samples = samples[max(0, len(samples) - count) :]
        return samples["tick"].astype(np.int64), samples["time"].astype(np.float64), samples["x"].astype(np.float64)

    def between(self, series: int, after: int, until: int, most: int) -> tuple[list[int], list[float], Floats]:
        """Ticks, times and values [T, d] of the oldest `most` samples with after < tick <= until."""
        log = self.tail(series)
        rows = self.database.execute(
            "SELECT series.d, samples FROM sound_chunks JOIN series ON series.id = series"
            " WHERE series = ? AND tick > ? ORDER BY tick LIMIT ?",
            (series, after, most),
        )
        found, needed = list[Records](), most
        for d, packed in rows:
            found.append(whole(packed, record(d)))
            needed -= int(np.count_nonzero(found[-1]["tick"] > after))
            if needed <= 0 or (found[-1]["tick"] >= until).any():
                break
        samples = joined(found, log)
        ticks = samples["tick"]
        samples = samples[(ticks > after) & (ticks <= until)][:most]
        return samples["tick"].tolist(), samples["time"].tolist(), samples["x"].astype(np.float64)

    def tail(self, series: int) -> Records | None:
        """The samples of a series in the log, None if there are none.

        A caller that also reads chunks must read them afterwards, or it misses samples that are settled in between.
        """
        if self.tails is None:
            self.tails = dict(pieces(self.sorted_log(lambda _: NEWEST)))
        return self.tails.get(series)

    def ends(self, series: int, first: bytes | None, last: bytes | None) -> tuple[End, End] | None:
        """Ends of a series, its oldest and its newest sample; `first` and `last` are the packed ends of its chunks."""
        log = self.tail(series)
        found: list[End] = [END.unpack(end) for end in (first, last) if end is not None]
        if log is not None and found:
            log = log[log["tick"] > found[-1][0]]
        if log is not None and len(log):
            found += [(int(log["tick"][at]), float(log["time"][at])) for at in (0, -1)]
        return (min(found), max(found)) if found else None

    def count(self, series: int) -> int:
        """Number of samples of a series."""
        log = self.tail(series)
        count, newest = self.database.execute(
            "SELECT coalesce(sum(length(samples) / (8 * (d + 2))), 0), coalesce(max(tick), -1) FROM sound_chunks"
            " JOIN series ON series.id = series WHERE series = ?",
            (series,),
        ).fetchone()
        return int(count) + (0 if log is None else int((log["tick"] > newest).sum()))

    def handed_over(self) -> int | None:
        """The newest row of the log up to which forecasts are known to be handed over, None where nothing is known."""
        mark: int | None
        self.batch, mark = self.database.execute("SELECT coalesce(max(id), 0), max(handed_over) FROM log").fetchone()
        return mark

    def first_after(self, batch: int) -> dict[int, int]:
        """The first tick of each series in the rows of the log after this one."""
        first: dict[int, int] = {}
        for d, packed in self.database.execute(
            "SELECT d, samples FROM sound_log WHERE id > ? ORDER BY id DESC", (batch,)
        ):
            some = whole(packed, logged(d))[::-1]
            first |= zip(some["series"].tolist(), some["sample"]["tick"].tolist(), strict=True)
        return first

    def count_log(self, after: int = 0) -> int:
        """Number of samples in the rows of the log after this one."""
        found = self.database.execute(
            "SELECT coalesce(sum(length(samples) / (8 * (d + 3))), 0) FROM log WHERE id > ?", (after,)
        )
        return int(found.fetchone()[0])

    def sorted_log(self, longest: Callable[[int], int]) -> Iterator[tuple[Ints, Records, Ints]]:
        """Yields, for each d, the log sorted by series: series [T], samples [T], indices at which pieces begin.

        A piece has samples of one series, at most `longest(bytes of one sample)` of them.
        """
        by_d: dict[int, list[bytes]] = {}
        for d, packed in self.database.execute("SELECT d, samples FROM sound_log ORDER BY id"):
            by_d.setdefault(d, []).append(whole(packed, logged(d)).tobytes())
        for d, packed in by_d.items():
            every = np.frombuffer(b"".join(packed), logged(d))
            every = every[np.argsort(every["series"], kind="stable")]
            series = every["series"]
            first = np.flatnonzero(np.diff(series, prepend=-1))
            place = np.arange(len(series)) - np.repeat(first, np.diff(first, append=len(series)))
            yield series, every["sample"], np.flatnonzero(place % longest(record(d).itemsize) == 0)


def pieces(parts: Iterable[tuple[Ints, Records, Ints]]) -> Iterator[tuple[int, Records]]:
    """Yields (series, samples) of each piece of a sorted log."""
    for series, samples, cuts in parts:
        ends = [*cuts[1:].tolist(), len(samples)]
        for ident, begin, end in zip(series[cuts].tolist(), cuts.tolist(), ends, strict=True):
            yield ident, samples[begin:end]


def joined(chunks: list[Records], log: Records | None) -> Records:
    """Chunks in order, then the newer samples of the log; without any, an array of length 0 with d = 0."""
    chunks = [chunk for chunk in chunks if len(chunk)]
    if log is not None:
        chunks = [*chunks, log[log["tick"] > chunks[-1]["tick"][-1]] if chunks else log]
    if not chunks:
        return np.zeros(0, record(0))
    samples = np.concatenate(chunks)
    later = np.diff(samples["tick"]) > 0
    if not later.all():  # a damaged row; a reader that goes on from its last tick would never end
        newest = np.maximum.accumulate(samples["tick"])
        samples = samples[np.concatenate([[True], samples["tick"][1:] > newest[:-1]])]
    return samples


@cache
def packer(width: int) -> Any:
    """Packs series, tick, time and values of `width` bytes into a record of the log."""
    return struct.Struct(f"<qqd{width}s").pack
