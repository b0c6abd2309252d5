"""Journals with one byte or one value changed: run by hand (pytest -m slow -s). DAMAGED sets another number."""

import asyncio
import logging
import os
import random
import shutil
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from streamer.errors import StateDamaged, StateError
from streamer.lanes.fast import FastLane
from streamer.resume.fold import resume
from streamer.store.database import FILE, SNAPSHOTS
from streamer.store.samples import Limits
from streamer.swap.promote import promote
from tests.resume.streams import candidates
from tests.resume.test_damaged_rows import BOTH_KINDS, PLAIN
from tests.streams import NOW, fast_lane, feed, sample, save

NEWER = "was written by a newer streamer"
JOURNALS = int(os.environ.get("DAMAGED", "100000"))
NAMES = ("plant/a", "plant/b")
VALUES: list[object] = [None, -1, 0, 2**62, -(2**63), 1e300, float("nan"), "", "x\0y", "[]", b"", b"\xff" * 9]
"""What a column may hold instead."""


async def fill(directory: Path) -> None:
    """Samples in chunks and in the log, networks, deliveries, and a snapshot before the newest of them."""
    fast = fast_lane(directory, PLAIN, limits=Limits(settle=30, per_series=1))
    for t in range(60):
        feed(fast, [sample(name, t, np.sin(t)) for name in NAMES])
        if t == 35:
            await promote(fast.streams[0], candidates(fast.streams[0], BOTH_KINDS), fast.journal, fast.lock, NOW)
        if t == 50:
            save(fast)
    fast.journal.close()


def flip(file: Path, rng: random.Random) -> str:
    """One byte of the file is another one."""
    data = bytearray(file.read_bytes())
    at = rng.randrange(len(data))
    data[at] ^= rng.randrange(1, 256)
    file.write_bytes(data)
    return f"byte {at}"


def change(file: Path, rng: random.Random) -> str:
    """One column of one row holds something else, as far as the table takes it."""
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        table = rng.choice([name for (name,) in tables])
        column = rng.choice([row[1] for row in database.execute(f"PRAGMA table_info({table})")])
        keys = [key for (key,) in database.execute(f"SELECT {column} FROM {table}")]
        if not keys:
            return f"{table} is empty"
        value = rng.choice(VALUES)
        try:
            database.execute(
                f"UPDATE OR IGNORE {table} SET {column} = ? WHERE {column} IS ?", (value, rng.choice(keys))
            )
        except sqlite3.IntegrityError:
            return f"{table}.{column} refuses"
    return f"{table}.{column}"


def outcome(directory: Path, caplog: pytest.LogCaptureFixture) -> str:
    """What a start makes of the journal, or the second one where the first met damage that no check finds."""
    fast = fast_lane(directory, PLAIN)
    try:
        go_on(fast)
    except StateDamaged:
        fast.journal.close()
        fast = fast_lane(directory, PLAIN)
        assert fast.journal.set_aside is not None
        go_on(fast)
    told = any(record.levelno >= logging.WARNING for record in caplog.records)
    aside, rows = fast.journal.set_aside is not None, bool(fast.journal.damage.rows)
    assert told or not (aside or rows)
    fast.journal.close()
    return "set aside" if aside else "a row left out" if rows else "told" if told else "as it was"


def go_on(fast: FastLane) -> None:
    """Resume, and forecast the next samples."""
    (stream,) = fast.streams
    resume(stream, fast.known(stream, fast.streams), fast.journal, threading.Event())
    fast.take_over(fast.streams)
    out = feed(fast, [sample(name, t, 0.5) for t in (200, 201) for name in NAMES])
    assert {one["series"] for one in out} >= set(NAMES), stream.counts.rejected


@pytest.mark.slow
@pytest.mark.parametrize("thousand", range(JOURNALS // 1000))
def test_damaged_journals(tmp_path: Path, caplog: pytest.LogCaptureFixture, thousand: int) -> None:
    """Every one starts, whole, in part, or with a new journal, and takes and forecasts the next samples; what is
    left out or set aside is told. A file whose version was changed to one of the future is refused."""
    asyncio.run(fill(tmp_path / "whole"))
    caplog.set_level(logging.WARNING, "streamer")
    found: Counter[str] = Counter()
    for seed in range(1000 * thousand, 1000 * (thousand + 1)):
        rng, copy = random.Random(seed), tmp_path / "copy"
        shutil.copytree(tmp_path / "whole", copy)
        if rng.random() < 0.5:
            shutil.rmtree(copy / SNAPSHOTS)
        damage = rng.choice([flip, change])(copy / FILE, rng)
        caplog.clear()
        try:
            found[outcome(copy, caplog)] += 1
        except (StateError, AssertionError) as error:
            if NEWER not in str(error):
                error.add_note(f"seed {seed}: {damage}")
                raise
            found["refused as newer"] += 1
        shutil.rmtree(copy)
    print(f"journals from {1000 * thousand}: {dict(found)}")
