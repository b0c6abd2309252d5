"""The rolling buffer against a dictionary: whatever is settled, trimmed, undone or reopened in between."""

from collections import defaultdict
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.store.database import FILE
from streamer.store.journal import Journal, Source
from streamer.store.samples import Limits, SampleRow, record
from tests.store.rows import sample

D = {1: 1, 2: 1, 3: 2}
"""Elements of each series."""
SMALL = Limits(room=4 * record(1).itemsize, few=1, settle=10, per_series=2)
"""Chunks of four, settled from ten samples on: a few batches go through all that happens."""


class Undone(Exception):
    """What a transaction fails with here."""


def begun(directory: Path) -> Journal:
    """A journal with the series of D."""
    journal = Journal.open(directory, limits=SMALL)
    with journal.transaction():
        journal.add_series((ident, Source("s", "", d, 0.0), f"t/{ident}", "") for ident, d in D.items())
    return journal


def append(journal: Journal, rows: list[SampleRow], *, fails: bool = False) -> None:
    """One batch, undone at its end if it is to fail."""
    try:
        with journal.transaction():
            journal.append(rows)
            if fails:
                raise Undone
    except Undone:
        pass


def check(journal: Journal, wanted: dict[int, dict[int, float]], first: dict[int, int]) -> None:
    """The journal has what is wanted, once, in order; and what may have been trimmed only without a gap after it."""
    for ident, d in D.items():
        ticks, times, x = journal.between(ident, -1, 10**9, 10**9)
        assert x.shape == (len(ticks), d if ticks else 0)
        assert ticks == [tick for tick in sorted(wanted[ident]) if not ticks or tick >= ticks[0]]
        assert ticks[:1] <= sorted(tick for tick in wanted[ident] if tick >= first.get(ident, 0))[:1]
        assert times == [1000.0 + tick for tick in ticks]
        assert x.ravel()[::d].tolist() == [wanted[ident][tick] for tick in ticks]
        assert journal.count(ident) == len(ticks)
        for after, until in ((3, 17), (10, 11)):
            inside = [tick for tick in ticks if after < tick <= until]
            assert journal.between(ident, after, until, 5)[0] == inside[:5]
            found, values = journal.newest(ident, 5, until)
            assert found.tolist() == [tick for tick in ticks if tick <= until][-5:]
            assert values.ravel()[::d].tolist() == [wanted[ident][tick] for tick in found.tolist()]
    rows = [row for d in (1, 2) for row in journal.series(Source("s", "", d, 0.0))]
    for row in rows:
        ticks, times, _ = journal.between(row.ident, -1, 10**9, 10**9)
        assert (row.tick, row.held, row.time, row.oldest) == (ticks[-1], ticks[-1] - ticks[0] + 1, times[-1], times[0])
    assert {row.ident for row in rows} == {ident for ident in D if wanted[ident]}


steps = st.one_of(
    st.tuples(st.just("append"), st.lists(st.tuples(st.sampled_from(sorted(D)), st.integers(1, 3)), max_size=12)),
    st.tuples(st.just("undo"), st.lists(st.tuples(st.sampled_from(sorted(D)), st.integers(1, 3)), max_size=12)),
    st.tuples(st.just("trim"), st.tuples(st.sampled_from(sorted(D)), st.integers(0, 30))),
    st.tuples(st.just("reopen"), st.none()),
)


@given(st.lists(steps, max_size=30))
@settings(max_examples=150)
def test_against_an_oracle(history: list[tuple[str, list[tuple[int, int]] | tuple[int, int] | None]]) -> None:
    """Every committed sample is there once, in the order of its series, for the writer and for a reader beside it."""
    with TemporaryDirectory() as name:
        directory, newest = Path(name), defaultdict[int, int](lambda: -1)
        wanted, first = defaultdict[int, dict[int, float]](dict), dict[int, int]()
        journal = begun(directory)
        for what, of in history:
            if what in ("append", "undo"):
                assert isinstance(of, list)
                ticks, rows = newest.copy(), []
                for ident, advance in of:
                    ticks[ident] += advance
                    rows.append(sample(ident, ticks[ident], *[float(ticks[ident] * ident)] * D[ident]))
                append(journal, rows, fails=what == "undo")
                if what == "append":
                    newest = ticks
                    for ident, tick, _, _ in rows:
                        wanted[ident][tick] = float(tick * ident)
            elif what == "trim":
                assert isinstance(of, tuple)
                keep = min(of[1], max(newest[of[0]], 0))
                first[of[0]] = max(keep, first.get(of[0], 0))
                with journal.transaction():
                    journal.trim([(of[0], keep)])
            else:
                journal.close()
                journal = Journal.open(directory, limits=SMALL)
            check(journal, wanted, first)
        with closing(Journal.read(directory)) as reader:
            check(reader, wanted, first)
        journal.close()


def rows_of(journal: Journal, table: str) -> int:
    return int(journal.database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_the_log_is_settled_a_little_with_every_batch(tmp_path: Path) -> None:
    """Once it is full its samples go to chunks of their series over several batches, then its rows are dropped; a
    series that was given few samples has its chunk filled up by the next ones."""
    with closing(begun(tmp_path)) as journal:
        held = []
        for tick in range(24):
            append(journal, [sample(1, tick, 0.0), *([sample(2, tick, 0.0)] if tick % 8 == 0 else [])])
            held.append((rows_of(journal, "log"), rows_of(journal, "chunks")))
        assert held[8] == (9, 2)  # ten samples: the first of the log's four chunks
        assert max(log for log, _ in held) == 12
        assert held[-1] == (6, 7)
        sizes = journal.database.execute("SELECT series, length(samples) / 24 FROM chunks").fetchall()
        assert sizes == [(1, 4), (1, 4), (1, 1), (1, 4), (1, 4), (1, 1), (2, 3)]


def test_trim_drops_whole_chunks_of_the_named_series(tmp_path: Path) -> None:
    """What lies before the tick goes with its chunk; a chunk that reaches beyond it stays, and so do other series."""
    with closing(begun(tmp_path)) as journal:
        for tick in range(24):
            append(journal, [sample(1, tick, 0.0), sample(2, tick, 0.0)])
        with journal.transaction():
            journal.trim([(1, 7)])
        assert journal.between(1, -1, 100, 100)[0] == list(range(5, 24))
        assert journal.between(2, -1, 100, 100)[0] == list(range(24))


def test_a_reader_loses_nothing_while_samples_are_settled(tmp_path: Path) -> None:
    """What was committed before its first question a reader finds whole ever after, wherever it has moved to."""
    with closing(begun(tmp_path)) as journal, closing(Journal.read(tmp_path)) as reader:
        for tick in range(9):
            append(journal, [sample(1, tick, 0.0)])
        assert reader.newest(1, 100)[0].tolist() == list(range(9))
        for tick in range(9, 40):
            append(journal, [sample(1, tick, 0.0)])
            assert reader.between(1, -1, 8, 100)[0] == list(range(9))
            found = reader.newest(1, 100)[0].tolist()
            assert found == list(range(len(found)))


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """Where as much is trimmed as is appended the file reuses its pages."""
    with closing(begun(tmp_path)) as journal:
        sizes = []
        for tick in range(2000):
            append(journal, [sample(1, tick, 0.0), sample(2, tick, 0.0)])
            with journal.transaction():
                journal.trim([(ident, tick - 100) for ident in (1, 2)])
            if tick in (400, 1999):
                journal.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                sizes.append((tmp_path / FILE).stat().st_size)
        assert sizes[1] <= sizes[0] + 4096
