"""The journal on real files: what is committed comes back, what fails changes nothing and names the file."""

import sqlite3
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import StateError
from streamer.records import Kind
from streamer.store.journal import FILE, LOCK, VERSION, VERSIONS_KEPT, Journal, ModelRow, SampleRow, SeriesRow, Source

PLAIN, TWO = Source("s", "", 1, 0.0), Source("s", "", 2, 0.0)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "state")
    yield opened
    opened.close()


def sample(series: int, tick: int, *values: float) -> SampleRow:
    return series, tick, 1000.0 + tick, struct.pack(f"<{len(values)}d", *values)


def fill(journal: Journal, *rows: SampleRow) -> None:
    with journal.transaction():
        journal.append(rows)


def ticks(journal: Journal, series: int) -> list[int]:
    """All ticks of a series in the journal."""
    return [int(tick) for tick in journal.newest(series, 10**6, 10**9)[0]]


@pytest.mark.parametrize("d", [1, 3])
def test_round_trip(journal: Journal, d: int) -> None:
    """Samples come back bit by bit, oldest first, the newest `count` of them up to a tick."""
    ident = journal.add_series(Source("s", "", d, 1.0), "t")
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(size=(5, d)) * 1e30, np.full((1, d), -0.0)])
    fill(journal, *(sample(ident, tick, *values[i]) for i, tick in enumerate([0, 1, 4, 5, 9, 10])))
    found_ticks, found = journal.newest(ident, 3, 9)
    assert found_ticks.tolist() == [4, 5, 9]
    assert found.tobytes() == values[2:5].tobytes()
    assert found.shape == (3, d)
    assert ticks(journal, ident) == [0, 1, 4, 5, 9, 10]


def test_no_samples(journal: Journal) -> None:
    """A series whose messages were all rejected has none, and asking for them is no error."""
    ident = journal.add_series(TWO, "t")
    found_ticks, values = journal.newest(ident, 10, 10)
    assert (len(found_ticks), len(values)) == (0, 0)
    assert journal.series(TWO) == []


def test_twice(journal: Journal) -> None:
    """The same tick of a series twice is a StateError, and nothing of that transaction is kept."""
    ident = journal.add_series(PLAIN, "t")
    fill(journal, sample(ident, 0, 1.0))
    with pytest.raises(StateError, match=FILE):
        fill(journal, sample(ident, 1, 2.0), sample(ident, 0, 3.0))
    assert journal.newest(ident, 9, 9)[1].tolist() == [[1.0]]
    fill(journal, sample(ident, 1, 2.0))
    assert ticks(journal, ident) == [0, 1]


def interrupted(journal: Journal, ident: int) -> None:
    """A transaction that writes to all it can and then fails."""
    with journal.transaction():
        journal.append([sample(ident, 1, 2.0)])
        journal.anchor([(5.0, ident)])
        journal.trim([(ident, 1)])
        raise KeyboardInterrupt


def test_rollback(journal: Journal) -> None:
    """An exception inside a transaction undoes all of it, and goes on as it is."""
    ident = journal.add_series(PLAIN, "t")
    fill(journal, sample(ident, 0, 1.0))
    with pytest.raises(KeyboardInterrupt):
        interrupted(journal, ident)
    assert ticks(journal, ident) == [0]
    with journal.transaction():
        journal.anchor([(7.0, ident)])
    assert journal.series(PLAIN) == [SeriesRow(ident, "t", 7.0, 1, 0, 1000.0)]


def test_trim(journal: Journal) -> None:
    """Trimming drops what is before a tick, in the named series alone."""
    a, b = (journal.add_series(PLAIN, topic) for topic in "ab")
    fill(journal, *(sample(ident, tick, 0.0) for ident in (a, b) for tick in range(5)))
    with journal.transaction():
        journal.trim([(a, 3)])
    assert (ticks(journal, a), ticks(journal, b)) == ([3, 4], [0, 1, 2, 3, 4])


def test_series(journal: Journal) -> None:
    """Series of a source are listed in the order they appeared, with anchor, ticks spanned, newest tick and time."""
    source, other = Source("s", "value", 1, 2.0), Source("other", "value", 1, 2.0)
    b, a = (journal.add_series(source, topic) for topic in "ba")
    journal.add_series(source, "silent")
    elsewhere = journal.add_series(other, "b")
    with journal.transaction():
        journal.append([sample(a, 0, 1.0), sample(a, 8, 1.0), sample(b, 3, 1.0), sample(elsewhere, 0, 1.0)])
        journal.anchor([(1000.0, a), (990.0, b), (1.0, elsewhere)])
    assert journal.series(source) == [SeriesRow(b, "b", 990.0, 1, 3, 1003.0), SeriesRow(a, "a", 1000.0, 9, 8, 1008.0)]


def test_anchor_laid_anew(journal: Journal) -> None:
    """The last anchor given is the one that is kept, of the named series alone; trimming shortens what is held."""
    a, b = (journal.add_series(PLAIN, topic) for topic in "ab")
    fill(journal, *(sample(ident, tick, 0.0) for ident in (a, b) for tick in range(5)))
    for anchors in ([(1.0, a), (2.0, b)], [(3.5, a)]):
        with journal.transaction():
            journal.anchor(anchors)
            journal.trim([(a, 3)])
    assert journal.series(PLAIN) == [SeriesRow(a, "a", 3.5, 2, 4, 1004.0), SeriesRow(b, "b", 2.0, 5, 4, 1004.0)]


def test_series_ids(journal: Journal) -> None:
    """A series keeps its id; another stream, topic, field, d or interval makes another series."""
    keys = [
        (Source("s", "", 1, 0.0), "t"),
        (Source("s", "", 1, 0.0), "u"),
        (Source("r", "", 1, 0.0), "t"),
        (Source("s", "value", 1, 0.0), "t"),
        (Source("s", "", 2, 0.0), "t"),
        (Source("s", "", 1, 1.0), "t"),
        (Source("s", "", 1, 0.1), "t"),
    ]
    idents = [journal.add_series(*key) for key in keys]
    assert len(set(idents)) == len(keys)
    assert [journal.add_series(*key) for key in reversed(keys)] == idents[::-1]
    fill(journal, *(sample(ident, 0, 1.0) for ident in idents))
    assert [[row.ident for row in journal.series(source)] for source, _ in keys[1:]] == [
        idents[:2],
        *([ident] for ident in idents[2:]),
    ]


def test_survives_closing(tmp_path: Path) -> None:
    """What was committed is there when the journal is opened again."""
    first = Journal.open(tmp_path)
    ident = first.add_series(PLAIN, "t")
    fill(first, sample(ident, 0, 4.0))
    first.close()
    again = Journal.open(tmp_path)
    assert again.newest(ident, 9, 9)[1].tolist() == [[4.0]]
    again.close()


def model(kind: Kind, version: int, weights: bytes = b"w") -> ModelRow:
    scales = {3: (np.array([0.1, -2.0]), np.array([1 / 3, 1e-9]))}
    return ModelRow(
        kind, version, 1000.0 + version / 3, {3: (5, 70), 4: (0, 9)}, {kind: 0.25, "persistence": 1.0}, scales, weights
    )


def test_models(journal: Journal) -> None:
    """A network comes back as it was written: when, swap, errors, scales and weights, bit by bit."""
    journal.add_model("s", model("memoryless", 1, bytes(range(256))), "small")
    found = journal.newest_model("s", "memoryless", "small")
    assert found is not None
    wanted = model("memoryless", 1, bytes(range(256)))
    assert (found.kind, found.version, found.created) == ("memoryless", 1, wanted.created)
    assert (found.swap, found.errors, found.weights) == (wanted.swap, wanted.errors, wanted.weights)
    assert list(found.scales) == [3]
    for read, written in zip(found.scales[3], wanted.scales[3], strict=True):
        assert read.tobytes() == written.tobytes()


def test_newest_model(journal: Journal) -> None:
    """The newest version of a kind and of these sizes is the live one; the newest version counts all of a stream."""
    assert (journal.newest_model("s", "memoryless", "small"), journal.newest_version("s")) == (None, 0)
    journal.add_model("s", model("memoryless", 2), "small")
    journal.add_model("s", model("memoryless", 10), "small")
    journal.add_model("s", model("memoryless", 11), "large")
    journal.add_model("s", model("traditional", 12), "small")
    journal.add_model("r", model("memoryless", 13), "small")
    kinds: tuple[Kind, ...] = ("memoryless", "traditional")
    versions = {
        (kind, sizes): row.version
        for kind in kinds
        for sizes in ("small", "large")
        if (row := journal.newest_model("s", kind, sizes))
    }
    assert versions == {("memoryless", "small"): 10, ("memoryless", "large"): 11, ("traditional", "small"): 12}
    assert (journal.newest_version("s"), journal.newest_version("r")) == (12, 13)
    with pytest.raises(StateError):
        journal.add_model("s", model("memoryless", 10), "small")


def versions(journal: Journal) -> list[tuple[str, str, int]]:
    """What networks the journal holds."""
    rows = journal.database.execute("SELECT stream, kind, version FROM models ORDER BY stream, kind, version")
    return [(stream, kind, version) for stream, kind, version in rows]


@pytest.mark.parametrize(
    "step",
    [
        1,
        7,
    ],
)
def test_versions_kept(journal: Journal, step: int) -> None:
    """Of each kind of each stream the newest VERSIONS_KEPT versions stay, however many versions lie between."""
    kinds: tuple[Kind, ...] = ("memoryless", "traditional")
    added = range(1, step * (VERSIONS_KEPT + 3) + 1, step)
    journal.add_model("r", model("memoryless", 1), "small")
    for version in added:
        for kind in kinds[: 1 if version == added[-1] else 2]:
            journal.add_model("s", model(kind, version), "small")
    wanted = {"memoryless": added[-VERSIONS_KEPT:], "traditional": added[-VERSIONS_KEPT - 1 : -1]}
    assert versions(journal) == [("r", "memoryless", 1), *(("s", kind, v) for kind in kinds for v in wanted[kind])]
    assert journal.newest_version("s") == added[-1]


def test_filters(tmp_path: Path) -> None:
    """Filters are remembered by client, each once, also after the journal was closed."""
    with closing(Journal.open(tmp_path)) as journal:
        assert journal.filters("a") == []
        journal.add_filters("a", ["plant/#", "+/x"])
        journal.add_filters("b", ["b"])
        journal.add_filters("a", iter(["plant/#", "new"]))
    with closing(Journal.open(tmp_path)) as journal:
        assert journal.filters("a") == ["+/x", "new", "plant/#"]
        assert journal.filters("b") == ["b"]


def orphan(journal: Journal, ident: int) -> None:
    """A transaction that fails in COMMIT: one of its samples is of a series there is not."""
    with journal.transaction():
        journal.database.execute("PRAGMA defer_foreign_keys = ON")
        journal.append([sample(ident, 0, 1.0), sample(ident + 1, 0, 1.0)])


def test_failing_commit(journal: Journal) -> None:
    """Where COMMIT itself fails nothing of the transaction is kept, and none stays open: the next one goes through."""
    ident = journal.add_series(PLAIN, "t")
    journal.database.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(StateError, match=f"{FILE}: FOREIGN KEY"):
        orphan(journal, ident)
    assert not journal.database.in_transaction
    assert ticks(journal, ident) == []
    fill(journal, sample(ident, 1, 2.0))
    assert ticks(journal, ident) == [1]


def test_second_writer(tmp_path: Path) -> None:
    """A second daemon on one directory is refused in a line that says so; the first goes on, readers come and go."""
    first = Journal.open(tmp_path)
    ident = first.add_series(PLAIN, "t")
    for _ in range(2):
        with pytest.raises(StateError, match=rf"^{tmp_path}: another streamer uses it; [^\n]*state\.path[^\n]*$"):
            Journal.open(tmp_path)
    Journal.read(tmp_path).close()
    fill(first, sample(ident, 0, 1.0))
    assert ticks(first, ident) == [0]
    with pytest.raises(StateError, match="another streamer"):
        Journal.open(tmp_path)
    first.close()
    with closing(Journal.open(tmp_path)) as again:
        assert ticks(again, ident) == [0]


def test_killed_writer(tmp_path: Path) -> None:
    """A daemon that is killed leaves no lock behind, though the file of it stays."""
    script = (
        "import os, pathlib, sys; from streamer.store.journal import Journal;"
        " journal = Journal.open(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode == -9
    assert (tmp_path / LOCK).exists()
    Journal.open(tmp_path).close()


def test_refused_file_is_not_locked(tmp_path: Path) -> None:
    """Where the file cannot be opened the directory is not left locked: it opens once the cause is gone."""
    (tmp_path / FILE).mkdir()
    with pytest.raises(StateError, match=FILE):
        Journal.open(tmp_path)
    (tmp_path / FILE).rmdir()
    Journal.open(tmp_path).close()


def test_snapshots(journal: Journal) -> None:
    """A snapshot replaces that of its stream and kind, and is given back for its version only."""
    journal.save_snapshots([("s", "memoryless", 1, b"a"), ("s", "traditional", 1, b"b"), ("r", "memoryless", 1, b"c")])
    journal.save_snapshots([("s", "memoryless", 2, b"d")])
    assert journal.snapshot("s", "memoryless", 1) is None
    assert journal.snapshot("s", "memoryless", 2) == b"d"
    assert journal.snapshot("s", "traditional", 1) == b"b"
    assert journal.snapshot("r", "memoryless", 1) == b"c"


def test_reader(journal: Journal) -> None:
    """A reader beside the open writer sees what is committed and nothing else, and cannot write."""
    ident = journal.add_series(PLAIN, "t")
    reader = Journal.read(journal.path.parent)
    with journal.transaction():
        journal.append([sample(ident, 0, 1.0)])
        assert ticks(reader, ident) == []
    assert ticks(reader, ident) == [0]
    with pytest.raises(StateError, match="readonly"):
        reader.add_series(PLAIN, "u")
    with pytest.raises(StateError, match="readonly"):
        fill(reader, sample(ident, 1, 1.0))
    reader.close()
    fill(journal, sample(ident, 1, 1.0))
    assert ticks(journal, ident) == [0, 1]


def test_private(tmp_path: Path) -> None:
    """The directory has mode 0700, every file in it 0600, while the writer is open."""
    journal = Journal.open(tmp_path / "a" / "b")
    fill(journal, sample(journal.add_series(PLAIN, "t"), 0, 1.0))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a" / "b").iterdir()}
    journal.close()
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    assert modes == {LOCK: 0o600, FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600}


def test_other_version(tmp_path: Path) -> None:
    """A journal of another version is refused by name, and left as it is."""
    Journal.open(tmp_path).close()
    database = sqlite3.connect(tmp_path / FILE)
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    before = (tmp_path / FILE).read_bytes()
    for _ in range(2):  # the second time as well: a refused journal is not left locked
        with pytest.raises(StateError, match=rf"{FILE}: has version {VERSION + 1}.*state\.path"):
            Journal.open(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_no_database(tmp_path: Path) -> None:
    """A file that is no database is refused by name, and left as it is."""
    (tmp_path / FILE).write_text("not a database, but long enough to have a header of its own" * 20)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StateError, match=FILE):
        Journal.open(tmp_path)
    reader = Journal.read(tmp_path)
    with pytest.raises(StateError, match=FILE):
        reader.series(PLAIN)
    reader.close()
    assert (tmp_path / FILE).read_bytes() == before


def test_no_directory(tmp_path: Path) -> None:
    """A state path that is a file, and a journal to read that is not there, are StateErrors that name it."""
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=f"{tmp_path}/file"):
        Journal.open(tmp_path / "file")
    with pytest.raises(StateError, match=FILE):
        Journal.read(tmp_path / "none")


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12)), unique=True, max_size=20), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_newest_against_an_oracle(keys: list[tuple[int, int]], count: int) -> None:
    """Whatever the order of arrival, the newest samples of a series are those with the highest ticks."""
    with TemporaryDirectory() as directory, closing(Journal.open(Path(directory))) as journal:
        idents = [journal.add_series(PLAIN, topic) for topic in "abc"]
        fill(journal, *(sample(idents[i], tick, float(100 * i + tick)) for i, tick in keys))
        for i, ident in enumerate(idents):
            wanted = sorted(tick for one, tick in keys if one == i and tick <= 10)[-count:]
            found, values = journal.newest(ident, count, 10)
            assert found.tolist() == wanted
            assert values.ravel().tolist() == [100 * i + tick for tick in wanted]
