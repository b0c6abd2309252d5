"""Readings of open ticks in, and out after a start: the whole as it was once, and what came since, stream by stream."""

from collections.abc import Iterable

import orjson

from streamer.store.damage import checksum
from streamer.store.database import failures
from streamer.store.journal import Journal


def write(journal: Journal, stream: str, fit: str, readings: bytes, whole: bytes | None) -> None:
    """Adds readings, or the whole in place of all of the stream; within a transaction."""
    if whole is not None:
        journal.database.execute("DELETE FROM readings WHERE stream = ?", (stream,))
    data = readings if whole is None else whole
    row = stream, fit, whole is not None, data, checksum(0, 0, data)
    journal.database.execute(
        "INSERT INTO readings (stream, fit, whole, readings, checksum) VALUES (?, ?, ?, ?, ?)", row
    )


def forget(journal: Journal, series: Iterable[tuple[str, str, str]]) -> None:
    """Adds that these series (stream, source, part) are forgotten, wherever readings are; within a transaction."""
    for stream, source, part in series:
        fits = journal.database.execute("SELECT DISTINCT fit FROM readings WHERE stream = ?", (stream,)).fetchall()
        for (fit,) in fits:
            write(journal, stream, fit, orjson.dumps([[source, part, None, None, False]]), None)


def outgrown(journal: Journal, stream: str, fit: str) -> bool:
    """Whether what there is of a stream is of other settings alone. Raises StateError."""
    with failures(journal.path):
        rows = journal.database.execute("SELECT DISTINCT fit FROM readings WHERE stream = ?", (stream,)).fetchall()
    return bool(rows) and (fit,) not in rows


def read(journal: Journal, stream: str, fit: str) -> tuple[bytes | None, list[bytes]]:
    """The whole, None where there is none of this fit, and the readings since then. Raises StateError."""
    with failures(journal.path):
        rows = journal.database.execute(
            "SELECT id, whole, readings, checksum FROM readings WHERE stream = ? AND fit = ? ORDER BY id", (stream, fit)
        ).fetchall()
    whole, since = None, []
    for ident, is_whole, data, written in rows:
        if checksum(0, 0, data) != written:
            journal.damage.note("readings", ident, 0)
        elif is_whole:
            whole = data
        else:
            since.append(data)
    return whole, since
