"""What is damaged in a journal beside its samples: rows of series, tables, and pages that no check at a start reads."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from streamer.errors import StateDamaged
from streamer.store.database import FILE, failures
from streamer.store.journal import Journal
from tests.streams import fast_lane, feed, resumed, sample, save, timed

PLAIN = timed()
NAMES = ("plant/a", "plant/b")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A directory with two series, a snapshot, and newer samples."""
    fast = fast_lane(tmp_path, PLAIN)
    feed(fast, [sample(name, t, t % 5) for t in range(20) for name in NAMES])
    save(fast)
    feed(fast, [sample(name, t, t % 5) for t in range(20, 30) for name in NAMES])
    fast.journal.close()
    return tmp_path


def execute(state: Path, sql: str) -> None:
    with closing(sqlite3.connect(state / FILE, isolation_level=None)) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute(sql)


@pytest.mark.parametrize(
    "change",
    [
        "topic = 'plant/c'",
        "topic = CAST(x'706c616e742fff' AS TEXT)",
        "anchor = anchor + 1e9",
        "anchor = NULL",
        "id = 9",
        "d = 7",
        "interval = -1.0",
        "stream = 'other'",
    ],
)
@pytest.mark.parametrize("ident", [1, 2])
def test_a_series_that_was_changed_begins_anew(
    state: Path, change: str, ident: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told and counted once and has an id that none had before; the other series goes on where it was."""
    execute(state, f"UPDATE series SET {change} WHERE id = {ident}")
    fast = resumed(state, PLAIN)
    assert fast.journal.damage.rows == {"series": 1}
    assert caplog.text.count("table=series") == 1
    (kept,) = fast.streams[0].series
    assert (kept.name, kept.tick) == (NAMES[2 - ident], 29)
    feed(fast, [sample(name, t, 0.5) for t in (30, 31) for name in NAMES])
    kept, new = fast.streams[0].series
    assert (kept.tick, new.name, new.tick) == (31, NAMES[ident - 1], 1)
    assert new.ident == (10 if change == "id = 9" else 3)
    fast.journal.close()
    again = resumed(state, PLAIN)
    assert [(one.ident, one.tick) for one in again.streams[0].series] == [(kept.ident, 31), (new.ident, 1)]
    assert not again.journal.damage.rows
    again.journal.close()


@pytest.mark.parametrize(
    "change",
    ["sql = replace(sql, 'topic', 'tupic')", "sql = CAST(x'ff' AS TEXT) || sql", "sql = replace(sql, 'BLOB', 'TEXT')"],
)
def test_other_tables_than_were_made(state: Path, change: str) -> None:
    """A journal whose tables have been damaged is set aside, and a new one begins."""
    execute(state, f"UPDATE sqlite_master SET {change} WHERE name IN ('series', 'log')")
    with closing(Journal.open(state)) as journal:
        assert journal.set_aside is not None
        assert journal.set_aside.exists()
        assert journal.next_series() == 1


def test_damage_that_is_found_late(state: Path) -> None:
    """What is found damaged in use, which no check at a start has seen, is set aside at the next start."""
    with closing(Journal.open(state)) as journal:
        assert journal.set_aside is None
        with pytest.raises(StateDamaged), failures(journal.path):
            raise malformed()
    with closing(Journal.open(state)) as journal:
        assert journal.set_aside is not None
    with closing(Journal.open(state)) as journal:
        assert journal.set_aside is None


def malformed() -> sqlite3.DatabaseError:
    """What SQLite raises where a page is not what it must be."""
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error
