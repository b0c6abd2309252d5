"""Outcomes of trainings on real files: networks come back bit by bit, old ones go."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streamer.errors import StateError
from streamer.records import Kind, Sizes
from streamer.store.journal import Journal
from streamer.store.outcomes import (
    VERSIONS_KEPT,
    NetworkRow,
    Span,
    TrainingOutcome,
    add_outcome,
    network,
    newest_network,
    newest_version,
    outcomes_after,
    outgrown,
)

SMALL, LARGE = Sizes(n=6), Sizes(n=7)
KINDS: tuple[Kind, ...] = ("memoryless", "traditional")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "state")
    yield opened
    opened.close()


def row(kind: Kind, version: int, weights: bytes = b"w") -> NetworkRow:
    scales = {3: (np.array([0.1, -2.0]), np.array([1 / 3, 1e-9]))}
    return NetworkRow(kind, version, {kind: 0.25, "persistence": 1.0}, scales, weights)


def outcome(version: int, *kinds: Kind, weights: bytes = b"w") -> TrainingOutcome:
    spans = {3: Span(5, 70, 40), 4: Span(0, 9, 0)}
    return TrainingOutcome(version, 1000.0 + version / 3, spans, tuple(row(kind, version, weights) for kind in kinds))


def test_round_trip(journal: Journal) -> None:
    """An outcome comes back as it was written: when, spans; errors, scales and weights bit by bit."""
    written = outcome(1, *KINDS, weights=bytes(range(256)))
    add_outcome(journal, "s", SMALL, written)
    (found,) = outcomes_after(journal, "s", SMALL, 0)
    assert (found.version, found.created, found.spans) == (1, written.created, written.spans)
    assert [(one.kind, one.version, one.errors, one.weights) for one in found.networks] == [
        (one.kind, one.version, one.errors, one.weights) for one in written.networks
    ]
    for one in found.networks:
        assert list(one.scales) == [3]
        for read, given in zip(one.scales[3], row(one.kind, 1).scales[3], strict=True):
            assert read.tobytes() == given.tobytes()


def test_outcomes_after(journal: Journal) -> None:
    """Outcomes after a version come oldest first, of this stream alone, with the networks of these sizes; one that
    admitted none is among them."""
    add_outcome(journal, "s", SMALL, outcome(2, "memoryless"))
    add_outcome(journal, "s", SMALL, TrainingOutcome(10, 1.0, {}, ()))
    add_outcome(journal, "s", LARGE, outcome(11, "traditional"))
    add_outcome(journal, "r", SMALL, outcome(12, "memoryless"))
    found = [(one.version, len(one.networks)) for one in outcomes_after(journal, "s", SMALL, 1)]
    assert found == [(2, 1), (10, 0), (11, 0)]
    assert [one.version for one in outcomes_after(journal, "s", SMALL, 2)] == [10, 11]


def test_newest_model(journal: Journal) -> None:
    """The newest version of a kind and of these sizes is the live one; the newest version counts all of a stream."""
    assert (newest_network(journal, "s", "memoryless", SMALL), newest_version(journal, "s")) == (None, 0)
    add_outcome(journal, "s", SMALL, outcome(2, "memoryless"))
    add_outcome(journal, "s", SMALL, outcome(10, "memoryless"))
    add_outcome(journal, "s", LARGE, outcome(11, "memoryless"))
    add_outcome(journal, "s", SMALL, outcome(12, "traditional"))
    add_outcome(journal, "r", SMALL, outcome(13, "memoryless"))
    versions = {
        (kind, sizes.n): found.version
        for kind in KINDS
        for sizes in (SMALL, LARGE)
        if (found := newest_network(journal, "s", kind, sizes))
    }
    assert versions == {("memoryless", 6): 10, ("memoryless", 7): 11, ("traditional", 6): 12}
    assert (newest_version(journal, "s"), newest_version(journal, "r")) == (12, 13)
    with pytest.raises(StateError, match="UNIQUE"):
        add_outcome(journal, "s", SMALL, outcome(10, "memoryless"))


def test_model(journal: Journal) -> None:
    """A version is found with the time it went live, if it is there and has these sizes."""
    add_outcome(journal, "s", SMALL, outcome(2, "memoryless"))
    found = network(journal, "s", "memoryless", 2, SMALL)
    assert found is not None
    assert (found[0].version, found[1]) == (2, outcome(2).created)
    assert network(journal, "s", "memoryless", 2, LARGE) is None
    assert network(journal, "s", "traditional", 2, SMALL) is None
    assert network(journal, "s", "memoryless", 3, SMALL) is None


def test_a_gate_is_whole_or_not_there(journal: Journal) -> None:
    """Where a network cannot be written, nothing of its training is."""
    with pytest.raises(StateError):
        add_outcome(journal, "s", SMALL, outcome(1, "memoryless", "memoryless"))
    assert newest_version(journal, "s") == 0
    add_outcome(journal, "s", SMALL, outcome(1, "memoryless"))


@pytest.mark.parametrize("step", [1, 7])
def test_versions_kept(journal: Journal, step: int) -> None:
    """Of each kind of each stream the newest VERSIONS_KEPT versions stay, however many versions lie between."""
    added = range(1, step * (VERSIONS_KEPT + 3) + 1, step)
    add_outcome(journal, "r", SMALL, outcome(1, "memoryless"))
    for version in added:
        add_outcome(journal, "s", SMALL, outcome(version, *KINDS[: 1 if version == added[-1] else 2]))
    wanted = {"memoryless": added[-VERSIONS_KEPT:], "traditional": added[-VERSIONS_KEPT - 1 : -1]}
    rows = journal.database.execute("SELECT stream, kind, version FROM models ORDER BY stream, kind, version")
    assert rows.fetchall() == [("r", "memoryless", 1), *(("s", kind, v) for kind in KINDS for v in wanted[kind])]
    assert newest_version(journal, "s") == added[-1]


def test_gates_without_networks_go_in_the_end(journal: Journal) -> None:
    """A stream on which no network wins for long keeps its live ones, and not every verdict since."""
    add_outcome(journal, "s", SMALL, outcome(1, "memoryless"))
    for version in range(2, 40):
        add_outcome(journal, "s", SMALL, outcome(version))
    kept = [one.version for one in outcomes_after(journal, "s", SMALL, 0)]
    assert kept == [1, *range(40 - VERSIONS_KEPT, 40)]


def test_outgrown(journal: Journal) -> None:
    """The newest outcome tells whether it is of other sizes, also where it admitted no network; without one nothing is
    known to be."""
    assert not outgrown(journal, "s", SMALL)
    add_outcome(journal, "s", SMALL, outcome(1, *KINDS))
    assert (outgrown(journal, "s", SMALL), outgrown(journal, "s", LARGE)) == (False, True)
    add_outcome(journal, "s", LARGE, outcome(2))
    assert (outgrown(journal, "s", SMALL), outgrown(journal, "s", LARGE)) == (True, False)
    assert not outgrown(journal, "other", SMALL)
