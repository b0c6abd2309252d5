"""Rows of the table `series` in, each with a checksum of what it holds; those that hold something else are left out."""

import math
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Sequence

from streamer.store.damage import Damage
from streamer.store.samples import Samples

VIEW = """
CREATE TEMP VIEW sums AS SELECT id, sum_of_series(id, d, interval, anchor,
  CAST(stream || char(0) || topic || char(0) || part || char(0) || field AS BLOB)) AS checksum FROM main.series
"""
OF_SOURCE = """
SELECT id, topic, part, anchor,
  (SELECT substr(samples, 1, 16) FROM sound_chunks
    WHERE series = id AND length(samples) >= 8 * (d + 2) ORDER BY tick LIMIT 1),
  (SELECT substr(samples, (length(samples) / (8 * (d + 2)) - 1) * 8 * (d + 2) + 1, 16) FROM sound_chunks
    WHERE series = id AND length(samples) >= 8 * (d + 2) ORDER BY tick DESC LIMIT 1)
FROM series WHERE stream = ? AND field = ? AND d = ? AND interval = ? ORDER BY id
"""
"""The series of a source, each with tick and time of the oldest and the newest of its samples in chunks."""
SIGN = "UPDATE series SET checksum = (SELECT sums.checksum FROM sums WHERE sums.id = series.id) WHERE id = ?"


def watch(database: sqlite3.Connection) -> None:
    """From now on the connection has the view `sums`, of the checksums that rows should have."""
    database.create_function("sum_of_series", 5, sum_of_series, deterministic=True)
    database.execute(VIEW)


def sum_of_series(ident: int, d: int, interval: float, anchor: float | None, names: bytes) -> int:
    """The checksum of a row; -1, which is none, where a column holds what it cannot."""
    try:
        return zlib.crc32(
            names, zlib.crc32(struct.pack("<qqdd", ident, d, interval, math.nan if anchor is None else anchor))
        )
    except (struct.error, TypeError):
        return -1


def add(database: sqlite3.Connection, rows: Sequence[tuple[int, str, str, str, str, int, float]]) -> None:
    """New series: (id, stream, topic, part, field, d, interval)."""
    database.executemany(
        "INSERT INTO series (id, stream, topic, part, field, d, interval) VALUES (?, ?, ?, ?, ?, ?, ?)", rows
    )
    sign(database, (row[0] for row in rows))


def anchor(database: sqlite3.Connection, rows: Sequence[tuple[float, int]]) -> None:
    """Other times of tick 0: (time, id)."""
    database.executemany("UPDATE series SET anchor = ? WHERE id = ?", rows)
    sign(database, (ident for _, ident in rows))


def sign(database: sqlite3.Connection, idents: Iterable[int]) -> None:
    """Checksums of what these rows hold."""
    database.executemany(SIGN, ((ident,) for ident in idents))


def reserve(database: sqlite3.Connection, ident: int) -> None:
    """Have an id belong to no stream where it is of no series, so that new series get higher ones."""
    row = ident, "", str(ident), "", "", 1, 0.0
    database.execute(
        "INSERT OR IGNORE INTO series (id, stream, topic, part, field, d, interval) VALUES (?, ?, ?, ?, ?, ?, ?)", row
    )


def damaged(database: sqlite3.Connection) -> list[int]:
    """Ids of series that are not what was written."""
    found = database.execute("SELECT id FROM series JOIN sums USING (id) WHERE series.checksum <> sums.checksum")
    return [ident for (ident,) in found]


def leave_out(database: sqlite3.Connection, damaged: Iterable[int], damage: Damage, samples: Samples) -> None:
    """These series belong to no stream from now on; their samples stay, of ids that no other series gets."""
    for ident in damaged:
        damage.note("series", ident, 0)
        database.execute("DELETE FROM series WHERE id = ?", (ident,))
        reserve(database, ident)
    (settled,) = database.execute("SELECT coalesce(max(series), 0) FROM chunks").fetchone()
    samples.tail(0)
    reserve(database, max([settled, *(samples.tails or ())]))
