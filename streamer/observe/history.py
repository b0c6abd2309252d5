"""The journal in, samples and networks of the past out, read by connections of their own that cannot write."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from streamer.observe import answers
from streamer.observe.words import gate
from streamer.store.damage import whole
from streamer.store.database import failures
from streamer.store.journal import Journal
from streamer.store.samples import NEWEST, Records, Samples, logged

NETWORKS = (
    "SELECT stream, kind, version, created, errors FROM models JOIN gates USING (stream, version)"
    " ORDER BY created DESC LIMIT 100"
)


class Few(Samples):
    """The samples of a few series: of the log, no others are kept in memory."""

    def __init__(self, database: sqlite3.Connection, idents: Sequence[int]) -> None:
        super().__init__(database)
        found: dict[int, list[Records]] = {}
        for d, packed in database.execute("SELECT d, samples FROM sound_log ORDER BY id"):
            batch = whole(packed, logged(d))
            few = batch[np.isin(batch["series"], idents)]
            for ident, one in zip(few["series"].tolist(), few, strict=True):
                found.setdefault(ident, []).append(one["sample"])
        self.tails = {ident: np.array(some) for ident, some in found.items()}


def newest(directory: Path, idents: Sequence[int], count: int) -> dict[int, answers.History]:
    """The newest `count` samples of each of these series. Raises StateError."""
    with closing(Journal.read(directory)) as journal, failures(journal.path):
        samples = Few(journal.database, idents)
        return {ident: history(ident, *samples.newest(ident, count, NEWEST)) for ident in idents}


def history(ident: int, ticks: Any, times: Any, values: Any) -> answers.History:
    """Samples as they are answered: ticks [T], times [T], values [T, d]."""
    shown = values[:, 0] if values.shape[1] == 1 else values
    return answers.History(ident, ticks.tolist(), times.tolist(), np.asarray(shown).tolist())


def networks(directory: Path, live: Mapping[str, Mapping[str, int]]) -> list[answers.Network]:
    """The newest networks of all streams; `live`: versions by stream and kind. Raises StateError."""
    found = []
    with closing(Journal.read(directory)) as journal, failures(journal.path):
        rows = journal.database.execute(NETWORKS).fetchall()
    for stream, kind, version, created, errors in rows:
        known = read(errors)
        error, persistence = known.get(kind), known.get("persistence")
        speaks = live.get(stream, {}).get(kind) == version
        words = gate(error, persistence)
        found.append(answers.Network(stream, kind, version, created, speaks, error, persistence, words))
    return found


def read(errors: str) -> dict[str, float]:
    """E_p by model; none of a row that is damaged."""
    try:
        return {str(name): float(error) for name, error in json.loads(errors).items()}
    except (ValueError, TypeError, AttributeError):
        return {}
