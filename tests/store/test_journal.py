"""The journal on real files: what is committed comes back, what fails changes nothing and names the file."""

import asyncio
import sqlite3
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from streamer.errors import StateDamaged, StateError
from streamer.lanes import checkpoints
from streamer.records import Sizes
from streamer.store.database import CHECKPOINT_PAGES, FILE, LOCK, SNAPSHOTS, Durability, checkpoint, connect
from streamer.store.journal import Journal, SeriesRow, Source
from streamer.store.outcomes import Span, outcomes_after
from streamer.store.samples import SampleRow
from streamer.store.schema import MIGRATIONS
from tests.broker import until
from tests.store.rows import sample

PLAIN, TWO = Source("s", "", 1, 0.0), Source("s", "", 2, 0.0)
GARBAGE = "not a database, but long enough to have a header of its own" * 20


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "state")
    yield opened
    opened.close()


def added(journal: Journal, source: Source, topic: str, part: str = "") -> int:
    ident = journal.next_series()
    with journal.transaction():
        journal.add_series([(ident, source, topic, part)])
    return ident


def fill(journal: Journal, *rows: SampleRow) -> None:
    with journal.transaction():
        journal.append(rows)


def ticks(journal: Journal, series: int) -> list[int]:
    """All ticks of a series in the journal."""
    return [int(tick) for tick in journal.newest(series, 10**6, 10**9)[0]]


@pytest.mark.parametrize("d", [1, 3])
def test_round_trip(journal: Journal, d: int) -> None:
    """Samples come back bit by bit, oldest first, the newest `count` of them up to a tick."""
    ident = added(journal, Source("s", "", d, 1.0), "t")
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
    ident = added(journal, TWO, "t")
    found_ticks, values = journal.newest(ident, 10, 10)
    assert (len(found_ticks), len(values)) == (0, 0)
    assert journal.series(TWO) == []


def interrupted(journal: Journal, ident: int) -> None:
    """A transaction that writes to all it can and then fails."""
    with journal.transaction():
        journal.append([sample(ident, 1, 2.0)])
        journal.anchor([(5.0, ident)])
        journal.add_series([(ident + 1, TWO, "u", "")])
        raise KeyboardInterrupt


def test_rollback(journal: Journal) -> None:
    """An exception inside a transaction undoes all of it, and goes on as it is."""
    ident = added(journal, PLAIN, "t")
    fill(journal, sample(ident, 0, 1.0))
    with pytest.raises(KeyboardInterrupt):
        interrupted(journal, ident)
    assert ticks(journal, ident) == [0]
    with journal.transaction():
        journal.anchor([(7.0, ident)])
    assert journal.series(PLAIN) == [SeriesRow(ident, "t", "", 7.0, 1, 0, 1000.0, 1000.0)]


def test_series(journal: Journal) -> None:
    """Series of a source are listed in the order they appeared, with anchor, ticks spanned, newest tick and time."""
    source, other = Source("s", "value", 1, 2.0), Source("other", "value", 1, 2.0)
    b, a = (added(journal, source, topic) for topic in "ba")
    added(journal, source, "silent")
    elsewhere = added(journal, other, "b")
    with journal.transaction():
        journal.append([sample(a, 0, 1.0), sample(a, 8, 1.0), sample(b, 3, 1.0), sample(elsewhere, 0, 1.0)])
        journal.anchor([(1000.0, a), (990.0, b), (1.0, elsewhere)])
    assert journal.series(source) == [
        SeriesRow(b, "b", "", 990.0, 1, 3, 1003.0, 1003.0),
        SeriesRow(a, "a", "", 1000.0, 9, 8, 1008.0, 1000.0),
    ]


def test_anchor_laid_anew(journal: Journal) -> None:
    """The last anchor given is the one that is kept, of the named series alone."""
    a, b = (added(journal, PLAIN, topic) for topic in "ab")
    fill(journal, *(sample(ident, tick, 0.0) for ident in (a, b) for tick in range(5)))
    for anchors in ([(1.0, a), (2.0, b)], [(3.5, a)]):
        with journal.transaction():
            journal.anchor(anchors)
    assert [(one.topic, one.anchor, one.held) for one in journal.series(PLAIN)] == [("a", 3.5, 5), ("b", 2.0, 5)]


def test_series_ids(journal: Journal) -> None:
    """A series has one id; another stream, topic, part, field, d or interval makes another series."""
    keys: list[Any] = [
        (Source("s", "", 1, 0.0), "t"),
        (Source("s", "", 1, 0.0), "u"),
        (Source("r", "", 1, 0.0), "t"),
        (Source("s", "value", 1, 0.0), "t"),
        (Source("s", "", 2, 0.0), "t"),
        (Source("s", "", 1, 1.0), "t"),
        (Source("s", "", 1, 0.1), "t"),
        (Source("s", "*", 1, 0.1), "t", "a"),
        (Source("s", "*", 1, 0.1), "t", "b"),
    ]
    idents = [added(journal, *key) for key in keys]
    assert len(set(idents)) == len(keys)
    with pytest.raises(StateError, match="UNIQUE"):
        added(journal, *keys[-1])
    fill(journal, *(sample(ident, 0, *[1.0] * source.d) for ident, (source, *_) in zip(idents, keys, strict=True)))
    assert [[row.ident for row in journal.series(source)] for source, *_ in keys[1:-1]] == [
        idents[:2],
        *([ident] for ident in idents[2:-2]),
        idents[-2:],
    ]
    assert [row.part for row in journal.series(keys[-1][0])] == ["a", "b"]
    assert set(journal.sources()) == {source for source, *_ in keys}


def held(journal: Journal) -> int:
    """Bytes of the file itself, without its write-ahead log."""
    return journal.path.stat().st_size


def test_checkpoints_elsewhere(journal: Journal) -> None:
    """Where somebody else makes them, a commit that is large enough for one leaves it; theirs empties the log."""
    ident = added(journal, Source("s", "", 1024, 1.0), "t")
    journal.leave_checkpoints()
    before = held(journal)
    for _ in range(2):
        fill(journal, *(sample(ident, tick, *[1.0] * 1024) for tick in range(CHECKPOINT_PAGES // 2)))
    assert held(journal) == before
    checkpoint(journal.path)
    assert held(journal) > before + 4096 * CHECKPOINT_PAGES


def test_a_long_log_begins_anew(journal: Journal) -> None:
    """A log that is written to meanwhile goes on to grow; once it is long, the checkpoint waits for the writer."""
    ident = added(journal, Source("s", "", 1024, 1.0), "t")
    rows = [sample(ident, tick, *[1.0] * 1024) for tick in range(200)]
    fill(journal, *rows[:100])
    before, making = held(journal), Thread(target=checkpoint, args=(journal.path, 10))
    with journal.transaction():
        journal.append(rows[100:102])
        making.start()
        while held(journal) == before:
            assert making.is_alive()
    making.join()
    length = journal.size_bytes() - held(journal)
    fill(journal, *rows[102:140])
    assert journal.size_bytes() - held(journal) == length


async def test_the_daemon_makes_checkpoints(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many commits the daemon brings the write-ahead log to the file, in a thread."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SECONDS", 0.01)
    monkeypatch.setattr(checkpoints, "CHECKPOINT_COMMITS", 2)
    making = asyncio.create_task(checkpoints.checkpoints(journal))
    await asyncio.sleep(0)
    before = held(journal)
    for _ in range(2):
        fill(journal, *(sample(1, tick, 1.0) for tick in range(1000)))
    await until(lambda: held(journal) > before)
    making.cancel()


def test_survives_closing(tmp_path: Path) -> None:
    """What was committed is there when the journal is opened again."""
    first = Journal.open(tmp_path)
    ident = added(first, PLAIN, "t")
    fill(first, sample(ident, 0, 4.0))
    first.close()
    again = Journal.open(tmp_path)
    assert again.newest(ident, 9, 9)[1].tolist() == [[4.0]]
    again.close()


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
    """A transaction that fails in COMMIT: beside a sample it has a network of a training there was not."""
    with journal.transaction():
        journal.database.execute("PRAGMA defer_foreign_keys = ON")
        journal.append([sample(ident, 0, 1.0)])
        journal.database.execute("INSERT INTO models VALUES ('s', 'memoryless', 1, '', '', '', x'', 0)")


def test_failing_commit(journal: Journal) -> None:
    """Where COMMIT itself fails nothing of the transaction is kept, and none stays open: the next one goes through."""
    ident = added(journal, PLAIN, "t")
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
    ident = added(first, PLAIN, "t")
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


def test_reader(journal: Journal) -> None:
    """A reader beside the open writer sees what is committed and nothing else, and cannot write."""
    ident = added(journal, PLAIN, "t")
    with journal.transaction():
        journal.append([sample(ident, 0, 1.0)])
        with closing(Journal.read(journal.path.parent)) as early:
            assert ticks(early, ident) == []
    reader = Journal.read(journal.path.parent)
    assert ticks(reader, ident) == [0]
    with pytest.raises(StateError, match="readonly"):
        added(reader, PLAIN, "u")
    with pytest.raises(StateError, match="readonly"):
        fill(reader, sample(ident, 1, 1.0))
    reader.close()
    fill(journal, sample(ident, 1, 1.0))
    assert ticks(journal, ident) == [0, 1]


def test_private(tmp_path: Path) -> None:
    """The directory has mode 0700, every file in it 0600, while the writer is open."""
    journal = Journal.open(tmp_path / "a" / "b")
    fill(journal, sample(added(journal, PLAIN, "t"), 0, 1.0))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a" / "b").iterdir()}
    journal.close()
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    assert modes == {LOCK: 0o600, FILE: 0o600, f"{FILE}-wal": 0o600, f"{FILE}-shm": 0o600}


def test_newer_version(tmp_path: Path) -> None:
    """A journal of a newer version is refused by name, and left as it is."""
    Journal.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = (tmp_path / FILE).read_bytes()
    for _ in range(2):  # the second time as well: a refused journal is not left locked
        with pytest.raises(StateError, match=rf"{FILE}: was written by a newer streamer.*state\.path"):
            Journal.open(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_damaged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is no database is kept under another name, its snapshots with it, and a new journal begins."""
    (tmp_path / FILE).write_text(GARBAGE)
    (tmp_path / SNAPSHOTS).mkdir()
    (tmp_path / SNAPSHOTS / "s.1.safetensors").touch()
    with closing(Journal.open(tmp_path)) as journal:
        assert journal.set_aside is not None
        assert journal.set_aside.read_text() == GARBAGE
        fill(journal, sample(added(journal, PLAIN, "t"), 0, 1.0))
    assert not (tmp_path / SNAPSHOTS).exists()
    assert len(list(tmp_path.glob(f"{SNAPSHOTS}.damaged-*/s.1.safetensors"))) == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert journal.set_aside.name in caplog.text
    with closing(Journal.open(tmp_path)) as again:
        assert again.set_aside is None
        assert ticks(again, 1) == [0]


def test_damaged_page(tmp_path: Path) -> None:
    """Damage inside a file that still opens as a database is found at the start, too."""
    with closing(Journal.open(tmp_path)) as journal:
        ident = added(journal, PLAIN, "t")
        fill(journal, *(sample(ident, tick, 1.0) for tick in range(2000)))
    whole = bytearray((tmp_path / FILE).read_bytes())
    whole[4096:8192] = bytes(4096)
    (tmp_path / FILE).write_bytes(whole)
    with closing(Journal.open(tmp_path)) as journal:
        assert journal.set_aside is not None
        assert journal.set_aside.read_bytes() == whole


def test_damaged_for_a_reader(tmp_path: Path) -> None:
    """A reader leaves a damaged file alone and names it."""
    (tmp_path / FILE).write_text(GARBAGE)
    with pytest.raises(StateDamaged, match=FILE), closing(Journal.read(tmp_path)) as reader:
        reader.series(PLAIN)
    assert (tmp_path / FILE).read_text() == GARBAGE


@pytest.mark.parametrize(("durability", "synchronous"), [("process", 1), ("power", 2)])
def test_durability(tmp_path: Path, durability: Durability, synchronous: int) -> None:
    """`power` has every commit flushed to the disk (FULL), `process` leaves that to the system (NORMAL)."""
    with closing(Journal.open(tmp_path, durability)) as journal:
        assert journal.database.execute("PRAGMA synchronous").fetchone() == (synchronous,)
        assert journal.database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def version(path: Path) -> tuple[int, set[str]]:
    """Of the file, and its tables."""
    with closing(sqlite3.connect(path)) as database:
        (number,) = database.execute("PRAGMA user_version").fetchone()
        return number, {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_migration(tmp_path: Path) -> None:
    """An older file is brought forward with what it holds, one whole step after another: where a step fails the file
    is as the step before left it, and goes on from there once the step is mended."""
    with closing(Journal.open(tmp_path)) as journal:
        fill(journal, sample(added(journal, PLAIN, "t"), 0, 1.0))
    first, tables = version(tmp_path / FILE)
    steps = (*MIGRATIONS, "CREATE TABLE one (x);", "CREATE TABLE two (x); INSERT INTO nowhere VALUES (1);")
    for _ in range(2):
        with pytest.raises(StateError, match=f"{FILE}: no such table: nowhere"):
            connect(tmp_path / FILE, "process", steps)
        assert version(tmp_path / FILE) == (first + 1, tables | {"one"})
    connect(tmp_path / FILE, "process", (*steps[:-1], "CREATE TABLE two (x);")).close()
    with closing(Journal.read(tmp_path)) as journal:
        assert ticks(journal, 1) == [0]
    assert version(tmp_path / FILE) == (first + 2, tables | {"one", "two"})


def test_version_1(tmp_path: Path) -> None:
    """A journal of version 1 keeps its samples and networks: spans, preference and time of a swap become gates."""
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
        database.execute("INSERT INTO series VALUES (3, 's', 't', '', 1, 0.0, 7.0)")
        database.execute("INSERT INTO samples VALUES (3, 0, 1000.0, ?)", (struct.pack("<d", 4.0),))
        sizes, scales = Sizes().fingerprint(), '{"3": [[0.5], [2.0]]}'
        for version, kind, error in ((1, "memoryless", 2.0), (2, "memoryless", 0.5), (2, "traditional", 0.25)):
            errors = f'{{"{kind}": {error}, "persistence": 1.0}}'
            row = "s", kind, version, sizes, 1000.0 + version, '{"3": [5, 70], "4": [0, 9]}', errors, scales, b"w"
            database.execute("INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        database.commit()
    with closing(Journal.open(tmp_path)) as journal:
        assert journal.newest(3, 9)[1].tolist() == [[4.0]]
        first, second = outcomes_after(journal, "s", Sizes(), 0)
    spans = {3: Span(5, 70, 0), 4: Span(0, 9, 0)}
    assert (first.created, first.spans) == (1001.0, spans)
    assert (second.created, second.spans) == (1002.0, spans)
    assert [(one.kind, one.errors, one.weights) for one in second.networks] == [
        ("memoryless", {"memoryless": 0.5, "persistence": 1.0}, b"w"),
        ("traditional", {"traditional": 0.25, "persistence": 1.0}, b"w"),
    ]


def test_version_2(tmp_path: Path) -> None:
    """A journal of version 2 keeps every sample, in chunks that have room on their page, and what was delivered."""
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.executescript("".join(MIGRATIONS[:2]) + "PRAGMA user_version = 2;")
        database.execute("INSERT INTO series VALUES (3, 's', 't', 'value', 2, 1.0, 7.0)")
        database.execute("INSERT INTO series VALUES (4, 's', 'u', 'value', 2, 1.0, 7.0)")
        for tick in range(99, -1, -1):
            one = sample(3, 3 * tick, float(tick), -float(tick))
            database.execute("INSERT INTO samples VALUES (?, ?, ?, ?)", one)
        database.executemany("INSERT INTO deliveries VALUES (?, ?)", [(300, b"12345678"), (5, b"abcdefgh")])
        database.commit()
    with closing(Journal.open(tmp_path)) as journal:
        (row,) = journal.series(Source("s", "value", 2, 1.0))
        assert row == SeriesRow(3, "t", "", 7.0, 298, 297, 1297.0, 1000.0)
        found = journal.between(3, -1, 10**6, 10**6)
        assert found[0] == list(range(0, 300, 3))
        assert found[1] == [1000.0 + tick for tick in found[0]]
        assert found[2].tolist() == [[float(tick), -float(tick)] for tick in range(100)]
        assert journal.database.execute("SELECT count(*) FROM chunks").fetchone() == (4,)
        assert journal.deliveries() == {5: b"abcdefgh", 300: b"12345678"}
        with journal.transaction():
            journal.deliver({5: b"87654321"})
        assert journal.deliveries() == {5: b"87654321", 300: b"12345678"}


def test_version_3(tmp_path: Path) -> None:
    """An outcome in a journal of version 3 is of the sizes of the newest network that there was by then, if any."""
    with closing(connect(tmp_path / FILE, "process", MIGRATIONS[:3])) as database:
        for version in (1, 2, 3, 4):
            database.execute("INSERT INTO gates VALUES ('s', ?, 0.0, NULL, '{}')", (version,))
        for version, sizes in ((2, Sizes(n=6)), (4, Sizes(n=7))):
            row = "s", "memoryless", version, sizes.fingerprint(), "{}", "{}", b"w"
            database.execute("INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        database.commit()
    with closing(Journal.open(tmp_path)) as journal:
        found = journal.database.execute("SELECT sizes FROM gates ORDER BY version").fetchall()
    assert found == [(None,), *[(Sizes(n=6).fingerprint(),)] * 2, (Sizes(n=7).fingerprint(),)]


def test_no_directory(tmp_path: Path) -> None:
    """A state path that is a file, and a journal to read that is not there, are StateErrors that name it."""
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=f"{tmp_path}/file"):
        Journal.open(tmp_path / "file")
    with pytest.raises(StateError, match=f"{tmp_path}/none: holds no journal"):
        Journal.read(tmp_path / "none")
