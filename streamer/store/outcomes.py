"""Outcomes of trainings in the journal: which networks went live, when, on which tick of every series."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamer.models import KINDS
from streamer.records import Floats, Kind, Sizes
from streamer.store.damage import checksum
from streamer.store.database import failures
from streamer.store.journal import Journal

log = logging.getLogger("streamer.store")

VERSIONS_KEPT = 10
DAMAGE = (ValueError, TypeError, AttributeError)
"""What reading JSON of another shape raises."""
COLUMNS = "kind, version, errors, scales, weights, models.checksum"


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """One version of a network: `scales` has mean and standard deviation by series id, `errors` E_p by model, and what
    the gate compared (`Errors.ratio`): `ratio`, and that of the network `before`, as far as they are known."""

    kind: Kind
    version: int
    errors: Mapping[str, float]
    scales: Mapping[int, tuple[Floats, Floats]]
    weights: bytes


@dataclass(frozen=True, slots=True)
class Span:
    """One series at a swap: its states were warmed from tick `first` on; `last` is its newest tick before the swap.

    `trained`: the ticks that it held when the training was asked for.
    """

    first: int
    last: int
    trained: int


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """What came of a training: the networks admitted, perhaps none."""

    version: int
    created: float
    spans: Mapping[int, Span]
    networks: tuple[NetworkRow, ...]


def add_outcome(journal: Journal, stream: str, sizes: Sizes, outcome: TrainingOutcome) -> None:
    """One transaction; the newest VERSIONS_KEPT outcomes and networks of each kind stay. Raises StateError."""
    with journal.transaction():
        spans = {key: (span.first, span.last, span.trained) for key, span in outcome.spans.items()}
        journal.database.execute(
            "INSERT INTO gates (stream, version, created, spans, sizes) VALUES (?, ?, ?, ?, ?)",
            (stream, outcome.version, outcome.created, json.dumps(spans), sizes.fingerprint()),
        )
        for row in outcome.networks:
            scales = {key: (mean.tolist(), sd.tolist()) for key, (mean, sd) in row.scales.items()}
            texts = sizes.fingerprint(), json.dumps(row.errors), json.dumps(scales)
            journal.database.execute(
                "INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (stream, row.kind, row.version, *texts, row.weights, sum_of(row.version, *texts[1:], row.weights)),
            )
            journal.database.execute(
                "DELETE FROM models WHERE stream = ?1 AND kind = ?2 AND version NOT IN"
                " (SELECT version FROM models WHERE stream = ?1 AND kind = ?2 ORDER BY version DESC LIMIT ?3)",
                (stream, row.kind, VERSIONS_KEPT),
            )
        journal.database.execute(
            "DELETE FROM gates WHERE stream = ?1 AND version <= ?2"
            " AND version NOT IN (SELECT version FROM models WHERE stream = ?1)",
            (stream, outcome.version - VERSIONS_KEPT),
        )


def outcomes_after(journal: Journal, stream: str, sizes: Sizes, version: int) -> list[TrainingOutcome]:
    """What happened after a version, oldest first, with the networks that have these sizes. Raises StateError."""
    with failures(journal.path):
        rows = journal.database.execute(
            "SELECT version, created, spans FROM gates WHERE stream = ? AND version > ? ORDER BY version",
            (stream, version),
        ).fetchall()
        models = journal.database.execute(
            f"SELECT {COLUMNS} FROM models WHERE stream = ? AND sizes = ? AND version > ?",  # noqa: S608
            (stream, sizes.fingerprint(), version),
        ).fetchall()
    by_version: dict[int, list[NetworkRow]] = {}
    for model in models:
        if row := network_row(journal, model):
            by_version.setdefault(row.version, []).append(row)
    return [
        TrainingOutcome(number, created, spans_of(spans), tuple(by_version.get(number, [])))
        for number, created, spans in rows
    ]


def newest_network(journal: Journal, stream: str, kind: Kind, sizes: Sizes) -> NetworkRow | None:
    """The live version of a kind, if it has these sizes. Raises StateError."""
    with failures(journal.path):
        row = journal.database.execute(
            f"SELECT {COLUMNS} FROM models"  # noqa: S608
            " WHERE stream = ? AND kind = ? AND sizes = ? ORDER BY version DESC LIMIT 1",
            (stream, kind, sizes.fingerprint()),
        ).fetchone()
    return row and network_row(journal, row)


def network(journal: Journal, stream: str, kind: Kind, version: int, sizes: Sizes) -> tuple[NetworkRow, float] | None:
    """One version and when it went live, if it is there and has these sizes. Raises StateError."""
    with failures(journal.path):
        row = journal.database.execute(
            f"SELECT {COLUMNS}, created FROM models JOIN gates USING (stream, version)"  # noqa: S608
            " WHERE stream = ? AND kind = ? AND version = ? AND models.sizes = ?",
            (stream, kind, version, sizes.fingerprint()),
        ).fetchone()
    found = network_row(journal, row[:-1]) if row else None
    return (found, row[-1]) if found else None


def newest_version(journal: Journal, stream: str) -> int:
    """The highest version of the stream, 0 for none. Raises StateError."""
    with failures(journal.path):
        found = journal.database.execute("SELECT coalesce(max(version), 0) FROM gates WHERE stream = ?", (stream,))
        return int(found.fetchone()[0])


def outgrown(journal: Journal, stream: str, sizes: Sizes) -> bool:
    """Whether the newest outcome is known to be of other sizes. Raises StateError."""
    with failures(journal.path):
        found = journal.database.execute(
            "SELECT sizes FROM gates WHERE stream = ? ORDER BY version DESC LIMIT 1", (stream,)
        ).fetchone()
    return bool(found and found[0] and found[0] != sizes.fingerprint())


def sum_of(version: int, errors: str, scales: str, weights: bytes) -> int:
    """The checksum of a network."""
    return checksum(version, len(weights), b"".join([errors.encode(), scales.encode(), weights]))


def network_row(journal: Journal, row: tuple[Any, ...]) -> NetworkRow | None:
    """One row of COLUMNS; None, which is logged and counted, for one that is damaged."""
    kind, version, errors, scales, weights, written = row
    try:
        if written is not None and sum_of(version, errors, scales, weights) != written:
            raise ValueError("its checksum is another one")
        read: dict[str, Any] = json.loads(scales)
        by_series = {int(key): (floats(mean), floats(sd)) for key, (mean, sd) in read.items()}
        by_model = {str(name): float(error) for name, error in json.loads(errors).items()}
    except DAMAGE as error:
        journal.damage.note("models", version, KINDS.index(kind) if kind in KINDS else -1)
        log.error("network kind=%s version=%s is damaged and left out: %.200s", kind, version, error)
        return None
    return NetworkRow(kind, version, by_model, by_series, weights)


def floats(values: Any) -> Floats:
    """A list of finite numbers. Raises ValueError, TypeError."""
    found = np.array(values, np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ValueError("a scale that is no list of numbers")
    return found


def spans_of(text: str) -> dict[int, Span]:
    """What `add_outcome` wrote of them; none, which is logged, where that cannot be read."""
    try:
        return {int(key): Span(*map(int, span)) for key, span in json.loads(text).items()}
    except DAMAGE as error:
        log.error("the outcome of a training is damaged, its swap is taken as before all samples: %.200s", error)
        return {}
