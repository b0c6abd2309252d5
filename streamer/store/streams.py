"""Streams of a state directory: which there are, one under another name, and the directory without one."""

import os

from streamer.store import names, snapshots
from streamer.store.database import SNAPSHOTS, failures
from streamer.store.journal import Journal, Source

TABLES = ("models", "gates", "readings", "covariates")
"""Tables, beside `series`, whose rows are of a stream."""


def held(journal: Journal) -> list[str]:
    """The streams that journal or snapshots hold anything of. Raises StateError."""
    union = " UNION ".join(f"SELECT stream FROM {table}" for table in ("series", *TABLES))  # noqa: S608
    with failures(journal.path):
        found = {stream for (stream,) in journal.database.execute(union)}
        return sorted(found - {""} | snapshots.streams(journal.path.parent))


def listed(journal: Journal, source: Source) -> list[tuple[int, str, str]]:
    """(id, topic, part) of every series of a source. Raises StateError."""
    with failures(journal.path):
        return journal.database.execute(
            "SELECT id, topic, part FROM series WHERE stream = ? AND field = ? AND d = ? AND interval = ? ORDER BY id",
            (source.stream, source.field, source.d, source.interval),
        ).fetchall()


def rename(journal: Journal, old: str, new: str) -> None:
    """Give what is of one stream to another one, which has no series; what else there is of that goes.

    Snapshots have two names until the journal has the new one: whoever is interrupted may begin again. Raises
    StateError.
    """
    directory = journal.path.parent
    with failures(directory / SNAPSHOTS):
        snapshots.delete(directory, new)
        for number, path in snapshots.files(directory / SNAPSHOTS, old):
            os.link(path, path.with_name(f"{new}.{number}.safetensors"))
    with journal.transaction():
        idents = journal.database.execute("SELECT id FROM series WHERE stream = ?", (old,)).fetchall()
        journal.database.execute("UPDATE series SET stream = ? WHERE stream = ?", (new, old))
        names.sign(journal.database, (ident for (ident,) in idents))
        for table in TABLES:
            journal.database.execute(f"DELETE FROM {table} WHERE stream = ?", (new,))  # noqa: S608
            journal.database.execute(f"UPDATE {table} SET stream = ? WHERE stream = ?", (new, old))  # noqa: S608
    with failures(directory / SNAPSHOTS):
        snapshots.delete(directory, old)


def purge(journal: Journal, stream: str) -> None:
    """Delete what there is of a stream beside its series. Raises StateError."""
    with journal.transaction():
        for table in TABLES:
            journal.database.execute(f"DELETE FROM {table} WHERE stream = ?", (stream,))  # noqa: S608
    with failures(journal.path.parent / SNAPSHOTS):
        snapshots.delete(journal.path.parent, stream)
