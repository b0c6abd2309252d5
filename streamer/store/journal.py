"""What the daemon must not forget, in one SQLite file in WAL mode: samples, series, subscriptions, deliveries.

The daemon writes; the training process reads through a connection of its own that cannot write.
"""

import logging
import os
import sqlite3
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Self

from streamer.errors import StateDamaged
from streamer.records import Floats, Ints
from streamer.store.database import FILE, LONG_PAGES, Durability, connect, failures, only_writer, set_aside
from streamer.store.samples import NEWEST, Limits, SampleRow, Samples

log = logging.getLogger("streamer.store")

REMEMBERED = 2**16
"""Deliveries that are remembered, at least."""
DELIVERY = struct.Struct("<H8s")


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A series as the journal knows it.

    `tick` and `time` are those of its newest sample, `held` the ticks it spans, `oldest` the time of its oldest.
    """

    ident: int
    topic: str
    part: str
    anchor: float
    held: int
    tick: int
    time: float
    oldest: float


@dataclass(frozen=True, slots=True)
class Source:
    """What makes two topics of one name different series: stream, field of the payload, elements, grid."""

    stream: str
    field: str
    d: int
    interval: float


class Journal:
    """The open file; every method that fails raises StateError, StateBlocked where it may work later.

    `committed` is when something was last written, in seconds since 1970, `set_aside` where a damaged file went, and
    `known` the newest series' id once it was asked for; `commits` counts transactions.
    """

    def __init__(
        self, database: sqlite3.Connection, path: Path, lock: int | None = None, limits: Limits | None = None
    ) -> None:
        self.database, self.path, self.lock = database, path, lock
        self.samples = Samples(database, limits)
        self.known: int | None = None
        self.commits = 0
        self.committed = 0.0
        self.set_aside: Path | None = None

    @classmethod
    def open(cls, directory: Path, durability: Durability = "process", limits: Limits | None = None) -> Self:
        """The journal in this directory, for writing; both are made if absent, readable by their owner alone.

        A damaged file is set aside under another name and a new one begun. Raises StateError if another process
        writes there.
        """
        path = directory / FILE
        with failures(path), ExitStack() as undo:
            lock = only_writer(directory)
            undo.callback(os.close, lock)
            aside = None
            try:
                database = connect(path, durability)
            except StateDamaged as damaged:
                aside = set_aside(path)
                log.error("%s; it is kept as %s, and a new journal begins", damaged, aside.name)
                database = connect(path, durability)
            journal = cls(database, path, lock, limits)
            journal.set_aside = aside
            undo.pop_all()
        return journal

    @classmethod
    def read(cls, directory: Path) -> Self:
        """The journal in this directory, for reading beside a running daemon, from any thread."""
        path = directory / FILE
        with failures(path):
            uri = f"{path.resolve().as_uri()}?mode=ro"
            return cls(sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False), path)

    def close(self) -> None:
        """Ends the connection, and lets another process write."""
        self.database.close()
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is committed together, or nothing."""
        with failures(self.path):
            self.database.execute("BEGIN")
            try:
                yield
                self.database.execute("COMMIT")
            except BaseException:
                self.samples.rolled_back()
                self.known = None
                if self.database.in_transaction:
                    self.database.execute("ROLLBACK")
                raise
        self.committed = time.time()
        self.commits += 1

    def leave_checkpoints(self) -> None:
        """Somebody else calls `checkpoint` often enough: commits do so only if that fails them for long."""
        with failures(self.path):
            self.database.execute(f"PRAGMA wal_autocheckpoint = {2 * LONG_PAGES}")

    def size_bytes(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        sizes = (self.path.with_name(self.path.name + suffix) for suffix in ("", "-wal"))
        return sum(file.stat().st_size for file in sizes if file.exists())

    def next_series(self) -> int:
        """An id that no series has had."""
        with failures(self.path):
            if self.known is None:
                self.known = int(self.database.execute("SELECT coalesce(max(id), 0) FROM series").fetchone()[0])
            return self.known + 1

    def add_series(self, rows: Iterable[tuple[int, Source, str, str]]) -> None:
        """New series (id, source, topic, part), within a transaction."""
        self.database.executemany(
            "INSERT INTO series (id, stream, topic, part, field, d, interval) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(ident, of.stream, topic, part, of.field, of.d, of.interval) for ident, of, topic, part in rows],
        )
        self.known = None

    def append(self, rows: Iterable[SampleRow]) -> None:
        """Samples (series, tick, time, values), of each series in the order of their ticks, within a transaction."""
        self.samples.append(rows, self.next_series() - 1)

    def anchor(self, rows: Iterable[tuple[float, int]]) -> None:
        """(time of tick 0, series) of series whose grid is laid, or laid anew, within a transaction."""
        self.database.executemany("UPDATE series SET anchor = ? WHERE id = ?", rows)

    def trim(self, oldest: Iterable[tuple[int, int]]) -> None:
        """Drop samples before a tick: (series, first tick to keep), within a transaction.

        Those that are not settled stay until later, as do a few that share a chunk with younger ones.
        """
        self.samples.trim(oldest)

    def sources(self) -> list[Source]:
        """All that there are series of."""
        with failures(self.path):
            rows = self.database.execute("SELECT DISTINCT stream, field, d, interval FROM series ORDER BY 1, 2, 3, 4")
            return list(starmap(Source, rows))

    def series(self, source: Source) -> list[SeriesRow]:
        """The series of this source that have samples, in the order they appeared."""
        found = []
        with failures(self.path):
            self.samples.tail(0)
            rows = self.database.execute(
                "SELECT id, topic, part, anchor,"
                " (SELECT substr(samples, 1, 16) FROM chunks WHERE series = id ORDER BY tick LIMIT 1),"
                " (SELECT substr(samples, -8 * (d + 2), 16) FROM chunks WHERE series = id ORDER BY tick DESC LIMIT 1)"
                " FROM series WHERE stream = ? AND field = ? AND d = ? AND interval = ? ORDER BY id",
                (source.stream, source.field, source.d, source.interval),
            )
            for ident, topic, part, anchor, first, last in rows:
                ends = self.samples.ends(ident, first, last)
                if ends is not None:
                    (begin, oldest), (tick, newest) = ends
                    found.append(SeriesRow(ident, topic, part, anchor, tick - begin + 1, tick, newest, oldest))
        return found

    def count(self, series: int) -> int:
        """How many samples there are of a series."""
        with failures(self.path):
            return self.samples.count(series)

    def filters(self, client_id: str) -> list[str]:
        """The topic filters that were subscribed to under this name."""
        with failures(self.path):
            rows = self.database.execute("SELECT filter FROM filters WHERE client_id = ? ORDER BY filter", (client_id,))
            return [row[0] for row in rows]

    def add_filters(self, client_id: str, filters: Iterable[str]) -> None:
        """Remember what is about to be subscribed to."""
        with self.transaction():
            rows = [(client_id, one) for one in filters]
            self.database.executemany("INSERT OR IGNORE INTO filters VALUES (?, ?)", rows)

    def deliveries(self) -> dict[int, bytes]:
        """Slot -> digest of the delivery that was last accepted in it."""
        with failures(self.path):
            rows = self.database.execute("SELECT deliveries FROM deliveries ORDER BY id")
            return dict(DELIVERY.iter_unpack(b"".join(packed for (packed,) in rows)))

    def deliver(self, digests: Mapping[int, bytes]) -> None:
        """Remember deliveries by slot, in place of those before, within a transaction."""
        (before,) = self.database.execute("SELECT coalesce(max(id), 0) FROM deliveries").fetchone()
        packed = b"".join(starmap(DELIVERY.pack, digests.items()))
        self.database.execute("INSERT INTO deliveries VALUES (?, ?)", (before + len(digests), packed))
        self.database.execute("DELETE FROM deliveries WHERE id <= ?", (before - REMEMBERED,))

    def forget_deliveries(self) -> None:
        """A new session counts packets anew; within a transaction."""
        self.database.execute("DELETE FROM deliveries")

    def newest(self, series: int, count: int, until: int = NEWEST) -> tuple[Ints, Floats]:
        """Ticks [T] and values [T, d] of the newest `count` samples of a series up to tick `until`, oldest first.

        Both are empty, values [0, 0], for a series without samples.
        """
        with failures(self.path):
            return self.samples.newest(series, count, until)

    def between(self, series: int, after: int, until: int, most: int) -> tuple[list[int], list[float], Floats]:
        """Ticks, times and values [T, d] of the oldest `most` samples with after < tick <= until."""
        with failures(self.path):
            return self.samples.between(series, after, until, most)
