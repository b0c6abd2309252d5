"""Rows of the journal that are not what was written: noticed by their checksum, left out, counted, told in a line.

SQLite finds a file whole in which a byte of a blob has changed. Rows of an earlier file format have no checksum.
"""

import logging
import sqlite3
import struct
import zlib
from collections import Counter

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger("streamer.store")

TOLD = 1000
"""Damaged rows that are remembered, so that each is counted and told once."""
SINCE = 6
"""Version of the file format whose rows have checksums."""
VIEWS = """
CREATE TEMP VIEW sound_log AS SELECT * FROM main.log WHERE sound('log', id, d, 0, samples, checksum);
CREATE TEMP VIEW sound_chunks AS
  SELECT * FROM main.chunks WHERE sound('chunks', tick, series, tick, samples, checksum);
"""
OLDER_VIEWS = """
CREATE TEMP VIEW sound_log AS SELECT * FROM main.log;
CREATE TEMP VIEW sound_chunks AS SELECT * FROM main.chunks;
"""


def checksum(one: int, other: int, data: bytes) -> int:
    """Of a blob and two numbers that say what it is."""
    return zlib.crc32(data, zlib.crc32(struct.pack("<qq", one, other)))


def whole(packed: bytes, of: np.dtype[np.void]) -> NDArray[np.void]:
    """The whole samples of a blob: one that was cut loses its last sample and no other row."""
    return np.frombuffer(packed[: len(packed) // of.itemsize * of.itemsize], of)


class Damage:
    """The damaged rows that were met, by table; readers in other threads share it with the writer."""

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.told: set[tuple[str, int, int]] = set()

    def watch(self, database: sqlite3.Connection) -> None:
        """From now on the connection has the views sound_log and sound_chunks, and a function `checksum`."""
        database.create_function("checksum", 3, checksum, deterministic=True)
        database.create_function("sound", 6, self.sound)
        (version,) = database.execute("PRAGMA user_version").fetchone()
        database.executescript(VIEWS if version >= SINCE else OLDER_VIEWS)

    def sound(self, table: str, row: int, one: int, other: int, data: bytes, written: int | None) -> bool:
        """Whether a row is what was written."""
        if written is None or (isinstance(data, bytes) and checksum(one, other, data) == written):
            return True
        self.note(table, row, one)
        return False

    def note(self, table: str, row: int, one: int) -> None:
        """A row is damaged: count and tell it, once."""
        if (table, row, one) not in self.told and len(self.told) < TOLD:
            self.told.add((table, row, one))
            self.rows[table] += 1
            log.error("a row of the journal is damaged and left out: table=%s row=%d,%d", table, row, one)
