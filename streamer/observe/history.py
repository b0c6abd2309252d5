"""The journal in, samples and networks of the past out, read by connections of their own that cannot write."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.forecast.guard import Guard
from streamer.observe import answers
from streamer.observe.words import gate
from streamer.records import Floats, Ints, TickBatch
from streamer.store.damage import whole
from streamer.store.database import failures
from streamer.store.journal import Journal
from streamer.store.samples import NEWEST, Records, Samples, logged

NETWORKS = (
    "SELECT stream, kind, version, created, errors FROM models JOIN gates USING (stream, version)"
    " ORDER BY created DESC LIMIT 100"
)
JUDGED = 500
"""Samples before those shown that tell what is far outside."""


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
    return answers.History(ident, ticks.tolist(), times.tolist(), np.asarray(shown).tolist(), [])


def marked(directory: Path, ident: int, count: int, interval: float | None) -> answers.History:
    """The same of one series, and which values the guard clips that has seen some more before. Raises StateError."""
    with closing(Journal.read(directory)) as journal, failures(journal.path):
        ticks, times, values = Few(journal.database, [ident]).newest(ident, count + JUDGED, NEWEST)
    found = history(ident, ticks[-count:], times[-count:], values[-count:])
    outside = clipped(ticks, times, values, interval) if len(ticks) else np.zeros(0, np.bool_)
    return replace(found, clipped=ticks[-count:][outside[-count:]].tolist())


def clipped(ticks: Ints, times: Floats, values: Floats, interval: float | None) -> NDArray[np.bool_]:
    """Which of the samples ticks [T], times [T], values [T, d] a guard clips that begins with them, [T]."""
    guard = Guard(values.shape[1], interval)
    guard.grow(1)
    row, no, found = np.zeros(1, np.int64), np.zeros(1, np.bool_), np.zeros(len(ticks), np.bool_)
    for i, (tick, time, x) in enumerate(zip(ticks, times, values, strict=True)):
        now = np.array([time])
        calm = guard.calm(TickBatch(row, x[None], np.array([tick]), now, no, now))
        found[i] = (calm.ticks.x != x).any()
    return found


def networks(directory: Path, live: Mapping[str, Mapping[str, int]]) -> list[answers.Network]:
    """The newest networks of all streams; `live`: versions by stream and kind. Raises StateError."""
    found = []
    with closing(Journal.read(directory)) as journal, failures(journal.path):
        rows = journal.database.execute(NETWORKS).fetchall()
    for stream, kind, version, created, errors in rows:
        known = read(errors)
        ratio, before = known.get("ratio"), known.get("before")
        speaks = live.get(stream, {}).get(kind) == version
        words = gate("swapped", ratio, before)
        found.append(answers.Network(stream, kind, version, created, speaks, ratio, before, words))
    return found


def read(errors: str) -> dict[str, float]:
    """Errors by name; none of a row that is damaged."""
    try:
        return {str(name): float(error) for name, error in json.loads(errors).items()}
    except (ValueError, TypeError, AttributeError):
        return {}
