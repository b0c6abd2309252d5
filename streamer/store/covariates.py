"""What covariates' messages said in, in the order in which they came, and to which series at which of its ticks; out
again after a start and for a training."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.ingest.outlook import Told
from streamer.records import Floats
from streamer.store.damage import checksum
from streamer.store.database import failures
from streamer.store.journal import Journal
from streamer.store.samples import NEWEST

PLACE = np.dtype([("series", "<i8"), ("tick", "<i8"), ("anchor", "<f8")])
"""The id of a series, the tick that it stood at, and the time of its tick 0 then."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a message said of a covariate: points [n, 2], times and values; whole: all that is known on its topic.

    places: of the series that it was told to, a row of PLACE each.
    """

    name: str
    topic: str
    whole: bool
    points: Floats
    places: NDArray[np.void]
    ident: int = 0


def write(journal: Journal, stream: str, rows: Sequence[Row]) -> int:
    """Adds rows, within a transaction; the id of the last."""
    ident = 0
    for row in rows:
        points, places = row.points.astype("<f8").tobytes(), row.places.tobytes()
        fields = (
            stream,
            row.name,
            row.topic,
            row.whole,
            points,
            places,
            checksum(len(points), row.whole, points + places),
        )
        added = journal.database.execute(
            "INSERT INTO covariates (stream, name, topic, whole, points, places, checksum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            fields,
        )
        ident = added.lastrowid or 0
        replace_last(journal, stream, row, ident)
    return ident


def replace_last(journal: Journal, stream: str, row: Row, ident: int) -> None:
    """Drops the row before this one, of its covariate and topic, where nobody would know of it any more: it was told to
    the same series at the same ticks, and this one has other values of the same times, or a single one, as of now."""
    if not row.whole:
        return
    found = journal.database.execute(
        "SELECT id, points FROM covariates WHERE id = (SELECT max(id) FROM covariates"
        " WHERE stream = ? AND name = ? AND topic = ? AND id < ?) AND whole AND places = ? AND length(points) = ?",
        (stream, row.name, row.topic, ident, row.places.tobytes(), row.points.nbytes),
    ).fetchone()
    if found is None:
        return
    before, points = found
    if len(row.points) == 1 or np.array_equal(np.frombuffer(points, "<f8")[::2], row.points[:, 0]):
        journal.database.execute("DELETE FROM covariates WHERE id = ?", (before,))


def trim(journal: Journal, stream: str, rows: Sequence[Row], keep: int, until: int) -> None:
    """Drops all but the newest `keep` of the covariates and topics of these rows, none after the id `until`."""
    for name, topic in {(row.name, row.topic) for row in rows}:
        journal.database.execute(
            "DELETE FROM covariates WHERE stream = ?1 AND name = ?2 AND topic = ?3 AND id <= ?5 AND id <= (SELECT id"
            " FROM covariates WHERE stream = ?1 AND name = ?2 AND topic = ?3 ORDER BY id DESC LIMIT 1 OFFSET ?4)",
            (stream, name, topic, keep, until),
        )


def by_series(journal: Journal, stream: str, names: Sequence[str], since: Mapping[int, int]) -> dict[int, list[Told]]:
    """What these series, by id, were told of covariates with these names, each from a tick on, in order. Raises
    StateError."""
    told: dict[int, list[Told]] = defaultdict(list)
    first = min(since.values(), default=NEWEST)
    for row in read(journal, stream):
        if row.name in names:
            for ident, tick, anchor in row.places[row.places["tick"] >= first].tolist():
                if tick >= since.get(ident, NEWEST):
                    told[ident].append(Told(names.index(row.name), tick, anchor, row.points))
    return told


def newest(journal: Journal, stream: str) -> int:
    """The id of the newest row of a stream, 0 for none."""
    with failures(journal.path):
        return int(
            journal.database.execute(
                "SELECT coalesce(max(id), 0) FROM covariates WHERE stream = ?", (stream,)
            ).fetchone()[0]
        )


def read(journal: Journal, stream: str) -> Iterator[Row]:
    """The rows of a stream, in order; damaged ones are left out and counted. Raises StateError."""
    with failures(journal.path):
        found = journal.database.execute(
            "SELECT id, name, topic, whole, points, places, checksum FROM covariates WHERE stream = ? ORDER BY id",
            (stream,),
        )
        for ident, name, topic, whole, points, places, written in found:
            if checksum(len(points), whole, points + places) != written:
                journal.damage.note("covariates", ident, 0)
                continue
            table = np.frombuffer(points, "<f8").reshape(-1, 2).astype(np.float64)
            yield Row(name, topic, bool(whole), table, np.frombuffer(places, PLACE), ident)
