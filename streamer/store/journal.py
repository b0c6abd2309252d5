"""Accepted samples and trained models in, the rolling buffer out: one SQLite file in WAL mode.

The daemon writes; the training process reads through a connection of its own that cannot write. Samples are clustered
by (series, tick): that is the buffer's order and what keeps a sample from being stored twice.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from streamer.errors import StateError
from streamer.records import Floats, Ints, Kind

VERSION = 1
FILE = "journal.sqlite3"
LOCK = "lock"
VERSIONS_KEPT = 10
SCHEMA = """
CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  stream TEXT NOT NULL,
  topic TEXT NOT NULL,
  field TEXT NOT NULL, -- what of a payload is the value
  d INTEGER NOT NULL,
  interval REAL NOT NULL, -- 0: every message is a tick; another field, d or grid makes another series
  anchor REAL, -- time of tick 0 on the grid
  UNIQUE (stream, topic, field, d, interval)
) STRICT;
CREATE TABLE samples (
  series INTEGER NOT NULL REFERENCES series (id),
  tick INTEGER NOT NULL,
  time REAL NOT NULL,
  x BLOB NOT NULL, -- d float64, little-endian
  PRIMARY KEY (series, tick)
) STRICT, WITHOUT ROWID;
CREATE TABLE models (
  stream TEXT NOT NULL,
  kind TEXT NOT NULL,
  version INTEGER NOT NULL,
  sizes TEXT NOT NULL, -- JSON of the letters and the cell: weights fit no other sizes
  created REAL NOT NULL,
  swap TEXT NOT NULL, -- JSON: series id -> [first tick the states were warmed on, last tick before the swap]
  errors TEXT NOT NULL, -- JSON of E_p by model
  scales TEXT NOT NULL, -- JSON: series id -> [mean, standard deviation]
  weights BLOB NOT NULL, -- safetensors
  PRIMARY KEY (stream, kind, version)
) STRICT;
CREATE TABLE filters ( -- what the broker may still be subscribed to for this client
  client_id TEXT NOT NULL,
  filter TEXT NOT NULL,
  PRIMARY KEY (client_id, filter)
) STRICT, WITHOUT ROWID;
CREATE TABLE snapshots (
  stream TEXT NOT NULL,
  kind TEXT NOT NULL,
  version INTEGER NOT NULL,
  state BLOB NOT NULL, -- safetensors: ids, ticks, s, count, mean, m2
  PRIMARY KEY (stream, kind)
) STRICT;
"""

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


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One version of a network."""

    kind: Kind
    version: int
    created: float
    swap: Mapping[int, tuple[int, int]]
    errors: Mapping[str, float]
    scales: Mapping[int, tuple[Floats, Floats]]
    weights: bytes


class Journal:
    """The open file; every method that fails raises StateError."""

    def __init__(self, database: sqlite3.Connection, path: Path, lock: int | None = None) -> None:
        self.database, self.path, self.lock = database, path, lock

    @classmethod
    def open(cls, directory: Path) -> Self:
        """The journal in this directory, for writing; both are made if absent, readable by their owner alone.

        Raises StateError if another process writes there.
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
            path.touch(mode=0o600)
            database = sqlite3.connect(path, isolation_level=None)
            undo.callback(database.close)
            journal = cls(database, path, lock)
            journal.prepare()
            undo.pop_all()
        return journal

    def prepare(self) -> None:
        """WAL mode, and the tables if the file is new."""
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = NORMAL")
        (version,) = self.database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self.database.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
        elif version != VERSION:
            raise StateError(
                f"{self.path}: has version {version}, this program reads {VERSION}; name another state.path"
            )

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

    def add_series(self, source: Source, topic: str) -> int:
        """The id of a series, new or known."""
        key = (source.stream, topic, source.field, source.d, source.interval)
        with failures(self.path):
            self.database.execute(
                "INSERT OR IGNORE INTO series (stream, topic, field, d, interval) VALUES (?, ?, ?, ?, ?)", key
            )
            found = self.database.execute(
                "SELECT id FROM series WHERE stream = ? AND topic = ? AND field = ? AND d = ? AND interval = ?", key
            )
            return int(found.fetchone()[0])

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

    def newest(self, series: int, count: int, until: int) -> tuple[Ints, Floats]:
        """Ticks [T] and values [T, d] of the newest `count` samples of a series up to tick `until`, oldest first.

        Both are empty, values [0, 0], for a series without samples.
        """
        with failures(self.path):
            rows = self.database.execute(
                "SELECT tick, x FROM samples WHERE series = ? AND tick <= ? ORDER BY tick DESC LIMIT ?",
                (series, until, count),
            ).fetchall()
        rows.reverse()
        ticks = np.array([tick for tick, _ in rows], np.int64)
        return ticks, np.frombuffer(b"".join(x for _, x in rows)).reshape(len(rows), -1 if rows else 0)

    def add_model(self, stream: str, model: ModelRow, sizes: str) -> None:
        """A version that goes live; of each kind the newest VERSIONS_KEPT stay."""
        with self.transaction():
            self.database.execute(
                "INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    stream,
                    model.kind,
                    model.version,
                    sizes,
                    model.created,
                    json.dumps(model.swap),
                    json.dumps(model.errors),
                    json.dumps({key: (mean.tolist(), sd.tolist()) for key, (mean, sd) in model.scales.items()}),
                    model.weights,
                ),
            )
            self.database.execute(
                "DELETE FROM models WHERE stream = ?1 AND kind = ?2 AND version NOT IN"
                " (SELECT version FROM models WHERE stream = ?1 AND kind = ?2 ORDER BY version DESC LIMIT ?3)",
                (stream, model.kind, VERSIONS_KEPT),
            )

    def newest_model(self, stream: str, kind: Kind, sizes: str) -> ModelRow | None:
        """The live version of a kind, if it has these sizes."""
        with failures(self.path):
            row = self.database.execute(
                "SELECT version, created, swap, errors, scales, weights FROM models"
                " WHERE stream = ? AND kind = ? AND sizes = ? ORDER BY version DESC LIMIT 1",
                (stream, kind, sizes),
            ).fetchone()
        if row is None:
            return None
        version, created, swap, errors, scales, weights = row
        read: dict[str, Any] = json.loads(scales)
        return ModelRow(
            kind,
            version,
            created,
            {int(key): (first, last) for key, (first, last) in json.loads(swap).items()},
            json.loads(errors),
            {int(key): (np.array(mean), np.array(sd)) for key, (mean, sd) in read.items()},
            weights,
        )

    def newest_version(self, stream: str) -> int:
        """The highest version any network of the stream has had, 0 for none."""
        with failures(self.path):
            found = self.database.execute("SELECT coalesce(max(version), 0) FROM models WHERE stream = ?", (stream,))
            return int(found.fetchone()[0])

    def save_snapshots(self, rows: Sequence[tuple[str, Kind, int, bytes]]) -> None:
        """The states of all banks: (stream, kind, version, safetensors), in place of those before."""
        with self.transaction():
            self.database.executemany("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)", rows)

    def snapshot(self, stream: str, kind: Kind, version: int) -> bytes | None:
        """The saved state of a bank, if it was of this version."""
        with failures(self.path):
            row = self.database.execute(
                "SELECT state FROM snapshots WHERE stream = ? AND kind = ? AND version = ?", (stream, kind, version)
            ).fetchone()
        return row[0] if row else None


@contextmanager
def failures(path: Path) -> Iterator[None]:
    """Errors of the file system and of SQLite, in one line that names the file."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise StateError(f"{path}: {error}; check state.path, its owner and the space left") from error
