"""A journal that SQLite finds whole, with one row that is not what was written: a start does without it."""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from streamer.store.database import FILE, SNAPSHOTS
from streamer.store.journal import Journal
from streamer.store.samples import Limits
from streamer.swap.promote import promote
from streamer.train.weights import dump, parse
from tests.resume.streams import candidates
from tests.streams import NOW, fast_lane, feed, resumed, sample, save, timed

PLAIN = timed()
BOTH_KINDS = 1
"""A seed that gives candidates of both kinds."""


def nan_weights(data: bytes) -> bytes:
    """The same network with weights that are no numbers."""
    return dump({name: tensor * float("nan") for name, tensor in parse(data).items()})


DAMAGES: list[tuple[str, str, Callable[[bytes], bytes | str]]] = [
    ("models", "weights", lambda data: data[: len(data) // 2]),
    ("models", "weights", lambda data: b"\xff" * 8 + data[8:]),
    ("models", "weights", nan_weights),
    ("models", "weights", lambda _: b""),
    ("models", "scales", lambda _: "{"),
    ("models", "scales", lambda _: '{"1": [[1, 2, 3], null]}'),
    ("models", "scales", lambda _: '[1, "2"]'),
    ("models", "scales", lambda _: '{"1": [[1, 2], [3, 4]]}'),
    ("models", "errors", lambda _: '{"memoryless": []}'),
    ("models", "errors", lambda _: "nothing"),
    ("gates", "spans", lambda _: '{"1": 2}'),
    ("gates", "spans", lambda _: "]"),
    ("gates", "spans", lambda _: '{"1": ["x", {}, 0]}'),
    ("log", "samples", lambda data: data[:-5]),
    ("log", "samples", lambda data: data[:3]),
    ("log", "samples", lambda _: b""),
    ("chunks", "samples", lambda data: data[:-5]),
    ("chunks", "samples", lambda data: data[:3]),
    ("chunks", "samples", lambda data: data[-24:] + data[:-24]),
]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with samples in chunks and in the log, networks, and two snapshots."""
    directory = tmp_path_factory.mktemp("state")
    asyncio.run(fill(directory))
    return directory


async def fill(directory: Path) -> None:
    fast = fast_lane(directory, PLAIN, limits=Limits(settle=60, per_series=1))
    for t in range(80):
        feed(fast, [sample(f"plant/{i}", t, np.sin(t + i)) for i in range(3)])
        if t in (30, 60):
            proposed = candidates(fast.streams[0], BOTH_KINDS)
            assert len(proposed) == 2
            await promote(fast.streams[0], proposed, fast.journal, fast.lock, NOW)
        if t in (40, 70):
            save(fast)
    fast.journal.close()


@pytest.mark.parametrize("summed", [True, False])
@pytest.mark.parametrize("snapshots", [True, False])
@pytest.mark.parametrize(("table", "column", "damage"), DAMAGES)
def test_one_bad_row(
    state: Path,
    tmp_path: Path,
    table: str,
    column: str,
    damage: Callable[[bytes], bytes | str],
    snapshots: bool,
    summed: bool,
) -> None:
    """The stream resumes, with or without a snapshot, with or without checksums in the journal, forecasts the next
    samples, and takes them into the journal."""
    copy = tmp_path / "copy"
    shutil.copytree(state, copy)
    if not snapshots:
        shutil.rmtree(copy / SNAPSHOTS)
    with closing(sqlite3.connect(copy / FILE, isolation_level=None)) as database:
        kept = database.execute(f"SELECT {column} FROM {table}").fetchall()
        (whole,) = random.Random(f"{table} {column}").choice(kept)
        database.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (damage(whole), whole))
        if not summed:
            for each in ("log", "chunks", "models"):
                database.execute(f"UPDATE {each} SET checksum = NULL")
    fast = resumed(copy, PLAIN)
    for t in range(200, 203):
        out = feed(fast, [sample(f"plant/{i}", t, 0.5) for i in range(3)])
    assert {one["series"] for one in out} == {f"plant/{i}" for i in range(3)}
    assert all(value is not None for one in out for value in one["mean"])
    fast.journal.close()


@pytest.mark.parametrize("seed", range(40))
def test_one_flipped_bit(state: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, seed: int) -> None:
    """A bit that changed in a blob is noticed: its row is left out, counted once and told in one line, no value that
    was never sent is read, and the stream goes on."""
    rng, copy = random.Random(seed), tmp_path / "copy"
    shutil.copytree(state, copy)
    shutil.rmtree(copy / SNAPSHOTS)
    with closing(Journal.read(state)) as journal:
        sent = {ident: set(journal.newest(ident, 1000)[1].ravel().tolist()) for ident in (1, 2, 3)}
    table, column = rng.choice([("log", "samples"), ("chunks", "samples"), ("models", "weights")])
    with closing(sqlite3.connect(copy / FILE, isolation_level=None)) as database:
        (whole,) = rng.choice(database.execute(f"SELECT {column} FROM {table} WHERE length({column}) > 0").fetchall())
        at = rng.randrange(len(whole))
        bad = whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(8)]) + whole[at + 1 :]
        database.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (bad, whole))
    fast = resumed(copy, PLAIN)
    for ident, values in sent.items():
        assert set(fast.journal.newest(ident, 1000)[1].ravel().tolist()) <= values
    assert set(fast.journal.damage.rows) <= {table}
    if table != "models":  # of which only the newest are read
        assert fast.journal.damage.rows == {table: 1}
        assert caplog.text.count("is damaged and left out") == 1
    feed(fast, [sample(f"plant/{i}", t, 0.5) for i in range(3) for t in (200, 201)])
    fast.journal.close()
