"""The journal, one SQLite file in WAL mode: series, samples, subscriptions, deliveries. The daemon writes it."""

import logging
import os
import sqlite3
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from typing import Self

from streamer.config import Stream
from streamer.errors import StateDamaged, StateError
from streamer.records import Floats, Ints
from streamer.store import names
from streamer.store.damage import Damage
from streamer.store.database import FILE, LONG_PAGES, Durability, connect, failures, only_writer, set_aside
from streamer.store.handover import Handover
from streamer.store.samples import NEWEST, Limits, SampleRow, Samples

log = logging.getLogger("streamer.store")

DELIVERIES_KEPT = 2**16
"""Least number of deliveries that the journal keeps."""
DELIVERY = struct.Struct("<H8s")
"""Slot and digest of a delivery."""


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A series in the journal.

    `tick` and `time` are those of its newest sample, `oldest` is the time of its oldest sample, `held` the number of
    ticks from the oldest to the newest. `anchor` is the time of tick 0.
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
    """The settings under which a topic's samples form one series: another stream, field, d or grid makes another."""

    stream: str
    field: str
    d: int
    interval: float

    @classmethod
    def of(cls, config: Stream) -> Self:
        """That of a stream's series."""
        return cls(config.name, config.payload.field, config.sizes.d, config.interval or 0.0)


class Journal:
    """The open journal; every method that fails raises StateError, or StateBlocked if a later try may succeed.

    `committed` is the time of the last commit, in seconds since 1970, and `commits` the number of commits. `set_aside`
    is the new path of a damaged file. `known` caches the newest series' id. `handover`, `damage`: see there.
    """

    def __init__(
        self, database: sqlite3.Connection, path: Path, lock: int | None = None, limits: Limits | None = None,
        damage: Damage | None = None,
    ) -> None:  # fmt: skip
        self.database, self.path, self.lock = database, path, lock
        self.damage = damage or Damage()
        self.damage.watch(database)
        names.watch(database)
        self.samples = Samples(database, limits)
        self.handover = Handover()
        self.inode = path.stat().st_ino
        self.known: int | None = None
        self.commits = 0
        self.committed = 0.0
        self.set_aside: Path | None = None

    @classmethod
    def open(cls, directory: Path, durability: Durability = "process", limits: Limits | None = None) -> Self:
        """Opens the journal in this directory for writing; both are created if absent, readable by their owner only.

        A damaged journal is renamed and a new one created. Raises StateError if another process writes there.
        """
        path = directory / FILE
        with failures(path), ExitStack() as undo:
            lock = only_writer(directory)
            undo.callback(os.close, lock)
            try:
                journal = cls.begin(path, durability, lock, limits)
            except StateDamaged as damaged:
                aside = set_aside(path)
                log.error("%s; it is kept as %s, and a new journal begins", damaged, aside.name)
                journal = cls.begin(path, durability, lock, limits)
                journal.set_aside = aside
            undo.pop_all()
        return journal

    @classmethod
    def begin(cls, path: Path, durability: Durability, lock: int, limits: Limits | None) -> Self:
        """The journal in this file without series that are damaged. Raises StateDamaged."""
        with ExitStack() as undo:
            database = undo.enter_context(closing(connect(path, durability)))
            journal = cls(database, path, lock, limits)
            if bad := names.damaged(database):
                with journal.transaction():
                    names.leave_out(database, bad, journal.damage, journal.samples)
            undo.pop_all()
        return journal

    @classmethod
    def read(cls, directory: Path, damage: Damage | None = None) -> Self:
        """Opens the journal in this directory for reading, from any thread, also while a daemon writes it; `damage`
        counts its damaged rows. Raises StateError."""
        if not (path := directory / FILE).exists():
            raise StateError(f"{directory}: holds no journal; name the state.path of a daemon that has run")
        with failures(path):
            uri = f"{path.resolve().as_uri()}?mode=ro"
            with ExitStack() as undo:
                database = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
                undo.enter_context(closing(database))
                journal = cls(database, path, damage=damage)
                undo.pop_all()
            return journal

    def close(self) -> None:
        """Closes the file and releases the lock."""
        self.database.close()
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits everything inside together; rolls all of it back if an exception leaves."""
        with failures(self.path):
            self.database.execute("BEGIN")
            try:
                yield
                self.check_file()
                self.database.execute("COMMIT")
            except BaseException:
                self.samples.rolled_back()
                self.known = None
                if self.database.in_transaction:
                    self.database.execute("ROLLBACK")
                raise
        self.committed = time.time()
        self.commits += 1

    def check_file(self) -> None:
        """Raises StateError if the file is no longer the one that was opened: what is committed would be lost."""
        try:
            found = self.path.stat().st_ino
        except FileNotFoundError:
            found = None
        if found != self.inode:
            raise StateError(f"{self.path}: was deleted or replaced while in use; a restart begins with what is there")

    def leave_checkpoints(self) -> None:
        """Leaves checkpoints to a caller of `checkpoint`; commits make one only if that falls far behind."""
        with failures(self.path):
            self.database.execute(f"PRAGMA wal_autocheckpoint = {2 * LONG_PAGES}")

    def size_bytes(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        sizes = (self.path.with_name(self.path.name + suffix) for suffix in ("", "-wal"))
        return sum(file.stat().st_size for file in sizes if file.exists())

    def next_series(self) -> int:
        """The smallest id above those of all series."""
        with failures(self.path):
            if self.known is None:
                self.known = int(self.database.execute("SELECT coalesce(max(id), 0) FROM series").fetchone()[0])
            return self.known + 1

    def add_series(self, rows: Iterable[tuple[int, Source, str, str]]) -> None:
        """Adds new series (id, source, topic, part), within a transaction."""
        new = [(ident, of.stream, topic, part, of.field, of.d, of.interval) for ident, of, topic, part in rows]
        names.add(self.database, new)
        self.known = None

    def append(self, rows: Iterable[SampleRow]) -> None:
        """Adds samples (series, tick, time, values), those of a series in order of tick, within a transaction."""
        self.samples.append(rows, self.next_series() - 1, self.handover.mark)

    def begin_handover(self) -> dict[int, int]:
        """From now on `handover` is kept; the first tick of each series whose forecasts the broker may not have.

        Of batches of before it was kept nothing is known: they count as handed over.
        """
        with failures(self.path):
            mark = self.samples.handed_over()
            self.handover.begin(self.samples.batch if mark is None else mark)
            return {} if mark is None else self.samples.first_after(mark)

    def hand_over(self, messages: int) -> None:
        """So many more messages wait for the broker, of the batches up to the newest."""
        self.handover.put(self.samples.batch, messages)

    def end_handover(self) -> None:
        """Writes down how far it is, as no batch will."""
        with self.transaction():
            self.database.execute(
                "UPDATE log SET handed_over = ? WHERE id = (SELECT max(id) FROM log)", (self.handover.mark,)
            )

    def anchor(self, rows: Sequence[tuple[float, int]]) -> None:
        """Sets anchors: (time of tick 0, series), for grids that are new or laid anew; within a transaction."""
        names.anchor(self.database, rows)

    def trim(self, oldest: Iterable[tuple[int, int]]) -> None:
        """Drops samples before a tick: (series, first tick to keep), within a transaction.

        Samples still in the log, and those that share a chunk with newer ones, stay until a later call.
        """
        self.samples.trim(oldest)

    def sources(self) -> list[Source]:
        """The sources of all series."""
        with failures(self.path):
            rows = self.database.execute(
                "SELECT DISTINCT stream, field, d, interval FROM series WHERE stream > '' ORDER BY 1, 2, 3, 4"
            )
            return list(starmap(Source, rows))

    def series(self, source: Source) -> list[SeriesRow]:
        """The series of this source that have samples, in order of id."""
        found = []
        with failures(self.path):
            self.samples.tail(0)
            rows = self.database.execute(names.OF_SOURCE, (source.stream, source.field, source.d, source.interval))
            for ident, topic, part, anchor, first, last in rows:
                ends = self.samples.ends(ident, first, last)
                if ends is not None:
                    (begin, oldest), (tick, newest) = ends
                    found.append(SeriesRow(ident, topic, part, anchor, tick - begin + 1, tick, newest, oldest))
        return found

    def count(self, series: int) -> int:
        """Number of samples of a series."""
        with failures(self.path):
            return self.samples.count(series)

    def filters(self, client_id: str) -> list[str]:
        """The topic filters that this client may still be subscribed to on the broker."""
        with failures(self.path):
            rows = self.database.execute("SELECT filter FROM filters WHERE client_id = ? ORDER BY filter", (client_id,))
            return [row[0] for row in rows]

    def add_filters(self, client_id: str, filters: Iterable[str]) -> None:
        """Records filters; called before they are subscribed to."""
        with self.transaction():
            rows = [(client_id, one) for one in filters]
            self.database.executemany("INSERT OR IGNORE INTO filters VALUES (?, ?)", rows)

    def deliveries(self) -> dict[int, bytes]:
        """Slot -> digest of the delivery last accepted in it."""
        with failures(self.path):
            rows = self.database.execute("SELECT deliveries FROM deliveries ORDER BY id")
            return dict(DELIVERY.iter_unpack(b"".join(packed for (packed,) in rows)))

    def deliver(self, digests: Mapping[int, bytes]) -> None:
        """Records deliveries by slot, which replace earlier ones of the same slots; within a transaction."""
        (before,) = self.database.execute("SELECT coalesce(max(id), 0) FROM deliveries").fetchone()
        packed = b"".join(starmap(DELIVERY.pack, digests.items()))
        self.database.execute("INSERT INTO deliveries VALUES (?, ?)", (before + len(digests), packed))
        self.database.execute("DELETE FROM deliveries WHERE id <= ?", (before - DELIVERIES_KEPT,))

    def forget_deliveries(self) -> None:
        """Deletes all deliveries: in a new session packet identifiers start anew. Within a transaction."""
        self.database.execute("DELETE FROM deliveries")

    def newest(self, series: int, count: int, until: int = NEWEST) -> tuple[Ints, Floats]:
        """Ticks [T] and values [T, d] of the newest `count` samples of a series up to tick `until`, oldest first.

        Both are empty, values [0, 0], for a series without samples.
        """
        ticks, _, values = self.dated(series, count, until)
        return ticks, values

    def dated(self, series: int, count: int, until: int = NEWEST) -> tuple[Ints, Floats, Floats]:
        """Ticks, times and values of the same samples."""
        with failures(self.path):
            return self.samples.newest(series, count, until)

    def between(self, series: int, after: int, until: int, most: int) -> tuple[list[int], list[float], Floats]:
        """Ticks, times and values [T, d] of the oldest `most` samples with after < tick <= until."""
        with failures(self.path):
            return self.samples.between(series, after, until, most)
