"""Accepted samples in, the rolling buffer out: one SQLite file in WAL mode.

The daemon writes; the training process reads through a connection of its own that cannot write. Samples are clustered
by (series, tick): that is the buffer's order and what keeps a sample from being stored twice.
"""

import errno
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np

from streamer.errors import StateBlocked, StateDamaged, StateError
from streamer.records import Floats, Ints
from streamer.store.schema import MIGRATIONS, migrate

log = logging.getLogger("streamer.store")

FILE = "journal.sqlite3"
LOCK = "lock"
SNAPSHOTS = "snapshots"
NEWEST = 2**62
"""Past every tick."""
SYNCHRONOUS = {"process": "NORMAL", "power": "FULL"}
"""A commit in WAL mode outlives the process in either mode, and a power cut in the second."""
CHECKPOINT_PAGES = 4000
"""Pages of 4 KiB in the write-ahead log before they go to the database: more cost disk, fewer cost time, as each series
has its newest page in the log once a commit and in the database once a checkpoint."""
BLOCKED = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EIO}

Durability = Literal["process", "power"]
SampleRow = tuple[int, int, float, bytes]


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A series as the journal knows it; `tick` and `time` are those of its newest sample, `held` the ticks it spans."""

    ident: int
    topic: str
    anchor: float
    held: int
    tick: int
    time: float


@dataclass(frozen=True, slots=True)
class Source:
    """What makes two topics of one name different series: stream, field of the payload, elements, grid."""

    stream: str
    field: str
    d: int
    interval: float


class Journal:
    """The open file; every method that fails raises StateError, StateBlocked where it may work later.

    `committed` is when something was last written, in seconds since 1970, and `set_aside` where a damaged file went.
    """

    def __init__(self, database: sqlite3.Connection, path: Path, lock: int | None = None) -> None:
        self.database, self.path, self.lock = database, path, lock
        self.committed = 0.0
        self.set_aside: Path | None = None

    @classmethod
    def open(cls, directory: Path, durability: Durability = "process") -> Self:
        """The journal in this directory, for writing; both are made if absent, readable by their owner alone.

        A damaged file is set aside under another name and a new one begun. Raises StateError if another process
        writes there.
        """
        path = directory / FILE
        with failures(path), ExitStack() as undo:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            undo.callback(os.close, lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                message = f"{directory}: another streamer uses it; give each its own state.path and mqtt.client_id"
                raise StateError(message) from None
            aside = None
            try:
                database = connect(path, durability)
            except StateDamaged as damaged:
                aside = set_aside(path)
                log.error("%s; it is kept as %s, and a new journal begins", damaged, aside.name)
                database = connect(path, durability)
            journal = cls(database, path, lock)
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
                if self.database.in_transaction:
                    self.database.execute("ROLLBACK")
                raise
        self.committed = time.time()

    def size_bytes(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        sizes = (self.path.with_name(self.path.name + suffix) for suffix in ("", "-wal"))
        return sum(file.stat().st_size for file in sizes if file.exists())

    def next_series(self) -> int:
        """An id that no series has had."""
        with failures(self.path):
            return int(self.database.execute("SELECT coalesce(max(id), 0) + 1 FROM series").fetchone()[0])

    def add_series(self, rows: Iterable[tuple[int, Source, str]]) -> None:
        """New series (id, source, topic), within a transaction."""
        self.database.executemany(
            "INSERT INTO series (id, stream, topic, field, d, interval) VALUES (?, ?, ?, ?, ?, ?)",
            [(ident, of.stream, topic, of.field, of.d, of.interval) for ident, of, topic in rows],
        )

    def append(self, rows: Iterable[SampleRow]) -> None:
        """Samples (series, tick, time, values), within a transaction."""
        self.database.executemany("INSERT INTO samples VALUES (?, ?, ?, ?)", rows)

    def anchor(self, rows: Iterable[tuple[float, int]]) -> None:
        """(time of tick 0, series) of series whose grid is laid, or laid anew, within a transaction."""
        self.database.executemany("UPDATE series SET anchor = ? WHERE id = ?", rows)

    def trim(self, oldest: Iterable[tuple[int, int]]) -> None:
        """Drop samples before a tick: (series, first tick to keep), within a transaction."""
        self.database.executemany("DELETE FROM samples WHERE series = ? AND tick < ?", oldest)

    def series(self, source: Source) -> list[SeriesRow]:
        """The series of this source that have samples, in the order they appeared."""
        with failures(self.path):
            rows = self.database.execute(
                "SELECT series.id, topic, anchor, newest.tick - oldest.tick + 1, newest.tick, newest.time FROM series"
                " JOIN samples AS newest ON newest.series = series.id"
                " AND newest.tick = (SELECT max(tick) FROM samples WHERE samples.series = series.id)"
                " JOIN samples AS oldest ON oldest.series = series.id"
                " AND oldest.tick = (SELECT min(tick) FROM samples WHERE samples.series = series.id)"
                " WHERE stream = ? AND field = ? AND d = ? AND interval = ? ORDER BY series.id",
                (source.stream, source.field, source.d, source.interval),
            )
            return [SeriesRow(*row) for row in rows]

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
            return dict(self.database.execute("SELECT slot, digest FROM deliveries"))

    def deliver(self, digests: Mapping[int, bytes]) -> None:
        """Remember deliveries by slot, in place of those before, within a transaction."""
        self.database.executemany("INSERT OR REPLACE INTO deliveries VALUES (?, ?)", digests.items())

    def forget_deliveries(self) -> None:
        """A new session counts packets anew; within a transaction."""
        self.database.execute("DELETE FROM deliveries")

    def newest(self, series: int, count: int, until: int = NEWEST) -> tuple[Ints, Floats]:
        """Ticks [T] and values [T, d] of the newest `count` samples of a series up to tick `until`, oldest first.

        Both are empty, values [0, 0], for a series without samples.
        """
        with failures(self.path):
            rows = self.database.execute(
                "SELECT tick, x FROM samples WHERE series = ? AND tick <= ? ORDER BY tick DESC LIMIT ?",
                (series, until, count),
            ).fetchall()
        rows.reverse()
        return np.array([tick for tick, _ in rows], np.int64), unpacked([x for _, x in rows])

    def between(self, series: int, after: int, until: int, most: int) -> tuple[list[int], list[float], Floats]:
        """Ticks, times and values [T, d] of the oldest `most` samples with after < tick <= until."""
        with failures(self.path):
            rows = self.database.execute(
                "SELECT tick, time, x FROM samples WHERE series = ? AND tick > ? AND tick <= ? ORDER BY tick LIMIT ?",
                (series, after, until, most),
            ).fetchall()
        return [row[0] for row in rows], [row[1] for row in rows], unpacked([row[2] for row in rows])


def unpacked(blobs: list[bytes]) -> Floats:
    """Values [T, d] of samples, [0, 0] for none."""
    return np.frombuffer(b"".join(blobs)).reshape(len(blobs), -1 if blobs else 0)


def connect(path: Path, durability: Durability) -> sqlite3.Connection:
    """A connection that writes, the file made and brought to the newest version.

    Raises StateDamaged where SQLite finds fault with the file.
    """
    path.touch(mode=0o600)
    database = sqlite3.connect(path, isolation_level=None)
    try:
        with failures(path):
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
            database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            if migrate(database) > len(MIGRATIONS):
                message = f"{path}: was written by a newer streamer; run that one, or name another state.path"
                raise StateError(message)
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise StateDamaged(f"{path}: damaged ({found})")
    except BaseException:
        database.close()
        raise
    return database


def set_aside(path: Path) -> Path:
    """Rename a damaged file and its companions, so that they can be looked at; the file's new path.

    The snapshots go with it: the next journal gives their series' ids to others.
    """
    stamp = time.strftime("damaged-%Y%m%dT%H%M%SZ", time.gmtime())
    snapshots = path.with_name(SNAPSHOTS)
    if snapshots.exists():
        snapshots.rename(path.with_name(f"{SNAPSHOTS}.{stamp}"))
    for suffix in ("-wal", "-shm", ""):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(path.with_name(f"{path.name}.{stamp}{suffix}"))
    return path.with_name(f"{path.name}.{stamp}")


@contextmanager
def failures(path: Path) -> Iterator[None]:
    """Errors of the file system and of SQLite, in one line that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the primary one
        if code in DAMAGED:
            raise StateDamaged(f"{path}: {error}") from error
        kind = StateBlocked if code in BLOCKED else StateError
        raise kind(f"{path}: {error}; check state.path, its owner and the space left") from error
    except OSError as error:
        kind = StateBlocked if error.errno in NO_SPACE else StateError
        raise kind(f"{path}: {error}; check state.path, its owner and the space left") from error
