"""The journal's file: opens it for one writer, migrates it to the newest version, sets a damaged one aside."""

import errno
import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

from streamer.errors import StateBlocked, StateDamaged, StateError, StateLocked
from streamer.store.schema import MIGRATIONS, migrate, newest_shape, shape

FILE = "journal.sqlite3"
LOCK = "lock"
SUSPECT = "journal.suspect"
"""A file beside the journal that says: it was found damaged while in use."""
SNAPSHOTS = "snapshots"
SYNCHRONOUS = {"process": "NORMAL", "power": "FULL"}
"""In WAL mode a commit survives the death of the process with either, and a power cut with FULL."""
CHECKPOINT_PAGES = 4000
"""Pages of 4 KiB in the write-ahead log at which a commit makes a checkpoint: more take disk, fewer take time."""
LONG_PAGES = 5 * CHECKPOINT_PAGES
"""Pages in the write-ahead log above which a checkpoint blocks the writer, for some 20 ms."""
BLOCKED = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,  # without a free file descriptor
}
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
UNREADABLE = ("Could not decode to UTF-8", "unsupported file format")
"""How errors begin that have no code of their own: of text that is not UTF-8, and of a number in the file's header."""
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE}

Durability = Literal["process", "power"]


def only_writer(directory: Path) -> int:
    """Locks a state directory, which is created if absent; returns the lock's file descriptor.

    Raises StateLocked if another process holds the lock.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        message = f"{directory}: another streamer uses it; give each its own state.path and mqtt.client_id"
        raise StateLocked(message) from None
    return lock


def connect(path: Path, durability: Durability, migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """A connection that can write; the file is created if absent and migrated to the newest version.

    Raises StateDamaged if the file is damaged, or was found to be by the process before, StateError if a newer version
    wrote it.
    """
    path.touch(mode=0o600)
    database = sqlite3.connect(path, isolation_level=None)
    try:
        with failures(path):
            if path.with_name(SUSPECT).exists():
                raise StateDamaged(f"{path}: was found damaged while in use")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
            database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            if migrate(database, migrations) > len(migrations):
                message = f"{path}: was written by a newer streamer; run that one, or name another state.path"
                raise StateError(message)
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise StateDamaged(f"{path}: damaged ({found})")
            if shape(database) != newest_shape(migrations):
                raise StateDamaged(f"{path}: damaged (its tables are not those that were made)")
    except BaseException:
        database.close()
        raise
    return database


def checkpoint(path: Path, long_pages: int = LONG_PAGES) -> None:
    """Copies commits from the write-ahead log to the database, on a connection of its own: some 20 ms.

    SQLite restarts the log only once all of it is copied. Beside a writer that never pauses that would never happen,
    and the log would grow for ever; so once it is long, the writer has to wait. Raises StateError.
    """
    uri = f"{path.resolve().as_uri()}?mode=rw"  # a file that was deleted is not created anew
    with failures(path), closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as database:
        _, pages, _ = database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if pages > long_pages:
            database.execute("PRAGMA wal_checkpoint(FULL)")


def set_aside(path: Path) -> Path:
    """Renames a damaged journal and its companion files, so that they can be examined; returns the new path.

    The snapshots are renamed too: the next journal gives the ids of their series to others.
    """
    stamp = time.strftime("damaged-%Y%m%dT%H%M%SZ", time.gmtime())
    snapshots = path.with_name(SNAPSHOTS)
    if snapshots.exists():
        snapshots.rename(path.with_name(f"{SNAPSHOTS}.{stamp}"))
    path.with_name(SUSPECT).unlink(missing_ok=True)
    for suffix in ("-wal", "-shm", ""):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(path.with_name(f"{path.name}.{stamp}{suffix}"))
    return path.with_name(f"{path.name}.{stamp}")


def suspect(path: Path) -> None:
    """Notes that the journal is damaged, as far as the file system lets one."""
    with suppress(OSError):
        path.with_name(SUSPECT).touch(mode=0o600)


@contextmanager
def failures(path: Path) -> Iterator[None]:
    """Turns errors of SQLite and of the file system into StateError, with one line that names the file.

    A damaged journal is noted as suspect, so that the next start does not meet the same.
    """
    try:
        yield
    except UnicodeDecodeError as error:  # SQLite's message quotes what it cannot read
        suspect(path)
        raise StateDamaged(f"{path}: damaged (text that is not UTF-8)") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the primary code
        if code in DAMAGED or str(error).startswith(UNREADABLE):
            suspect(path)
            raise StateDamaged(f"{path}: {error}") from error
        kind = StateBlocked if code in BLOCKED else StateError
        raise kind(f"{path}: {error}; check state.path, its owner and the space left") from error
    except OSError as error:
        kind = StateBlocked if error.errno in NO_SPACE else StateError
        raise kind(f"{path}: {error}; check state.path, its owner and the space left") from error
