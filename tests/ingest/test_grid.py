"""Irregular samples on the grid, in tick batches and in segments, against brute-force oracles."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import Rejected
from streamer.ingest.grid import CLOCK_STEP, Grid, Series, SeriesIndex, segments
from streamer.ingest.intake import LATEST
from streamer.ingest.ticks import TickBatcher
from streamer.records import TickBatch

START = 1772366400.0
MAX_GAP = 100

intervals = st.sampled_from([0.001, 0.01, 0.1, 0.25, 1.0, 7.0, 3600.0])


def series(row: int = 0) -> Series:
    return Series(row, 100 + row, f"in/{row}")


def reason(one: Series, time: float, interval: float | None) -> str:
    """Why this time is refused; a refusal must leave the series where it stands."""
    before = (one.tick, one.time, one.anchor, one.held)
    with pytest.raises(Rejected) as caught:
        one.place(time, Grid(interval, MAX_GAP))
    assert (one.tick, one.time, one.anchor, one.held) == before
    return caught.value.reason


def test_first_and_next() -> None:
    """The first sample is tick 0 wherever it lies, the next interval is tick 1."""
    one = series()
    assert (one.place(START + 0.3, Grid(1.0, MAX_GAP)), one.tick, one.time) == (1, 0, START + 0.3)
    assert (one.place(START + 1.3, Grid(1.0, MAX_GAP)), one.tick, one.time) == (1, 1, START + 1.3)


def test_gap() -> None:
    """After missing ticks the sample advances by all of them and itself."""
    one = series()
    one.place(START, Grid(10.0, MAX_GAP))
    assert (one.place(START + 71.0, Grid(10.0, MAX_GAP)), one.tick) == (7, 7)


@pytest.mark.parametrize("interval", [None, 1.0])
def test_late_and_duplicate(interval: float | None) -> None:
    """An older time is late, the same time a duplicate, with and without an interval."""
    one = series()
    one.place(START, Grid(interval, MAX_GAP))
    one.place(START + 5, Grid(interval, MAX_GAP))
    assert reason(one, START + 5, interval) == "duplicate"
    assert reason(one, START + 4.999, interval) == "late"
    assert reason(one, START - 100, interval) == "late"


def test_second_sample_of_a_tick() -> None:
    """A later sample that is nearest to a tick already taken is a duplicate."""
    one = series()
    one.place(START, Grid(1.0, MAX_GAP))
    assert reason(one, START + 0.4, 1.0) == "duplicate"
    assert one.place(START + 0.6, Grid(1.0, MAX_GAP)) == 1
    assert reason(one, START + 1.4, 1.0) == "duplicate"
    assert one.place(START + 1.6, Grid(1.0, MAX_GAP)) == 1


@given(intervals, st.integers(0, 10**6), st.lists(st.floats(-0.49, 0.49), min_size=1, max_size=60))
def test_jitter(interval: float, skipped: int, jitter: list[float]) -> None:
    """Jitter under half an interval about the grid never loses or doubles a tick, even far along."""
    one = series()
    one.place(START, Grid(interval, MAX_GAP))
    if skipped:
        one.place(START + skipped * interval, Grid(interval, MAX_GAP))
    advances = [
        one.place(START + (skipped + i) * interval + e * interval, Grid(interval, MAX_GAP))
        for i, e in enumerate(jitter, 1)
    ]
    assert advances == [1] * len(jitter)


@given(intervals, st.lists(st.integers(1, 5000), min_size=1, max_size=30))
def test_ticks_are_steps_of_the_grid(interval: float, steps: list[int]) -> None:
    """On the grid a sample's tick is the sum of the steps up to it."""
    one = series()
    one.place(START, Grid(interval, MAX_GAP))
    for step, total in zip(steps, itertools.accumulate(steps), strict=True):
        assert (one.place(START + total * interval, Grid(interval, MAX_GAP)), one.tick) == (step, total)


@given(st.lists(st.floats(0, LATEST, exclude_max=True), unique=True, min_size=1, max_size=30))
def test_without_interval(times: list[float]) -> None:
    """Without an interval every later message is the next tick, however far away."""
    one = series()
    assert [one.place(time, Grid(None, MAX_GAP)) for time in sorted(times)] == [1] * len(times)
    assert one.tick == len(times) - 1


@given(st.one_of(st.none(), intervals), st.lists(st.floats(START, START + 1e4), max_size=30))
def test_any_times(interval: float | None, times: list[float]) -> None:
    """Whatever the times, ticks and times only rise, and a refusal leaves the series where it stood."""
    one = series()
    for time in times:
        before = (one.tick, one.time)
        try:
            advance = one.place(time, Grid(interval, MAX_GAP))
        except Rejected:
            assert (one.tick, one.time) == before
        else:
            assert advance == one.tick - before[0] >= 1
            assert one.time == time > before[1]


@given(st.sampled_from([0.25, 1.0, 7.0, 3600.0]), st.integers(0, 3), st.integers(1, 60))
def test_half_a_tick_off(interval: float, first: int, count: int) -> None:
    """A phase of half a tick to the anchor's loses and doubles nothing: each sample is a tick of its own, in order."""
    one = series()
    one.place(0.0, Grid(interval, MAX_GAP))
    for i in range(first, first + count):
        assert one.place((i + 0.5) * interval, Grid(interval, MAX_GAP)) == (first + 1 if i == first else 1)
        assert one.tick == i + 1


@given(intervals, st.integers(0, 50), st.floats(0, 0.999), st.integers(0, 10**6), st.integers(1, 50))
def test_anchor_after_a_long_gap(interval: float, max_gap: int, phase: float, beyond: int, count: int) -> None:
    """The grid is laid anew through the first sample after a long gap: from there, jitter is about its phase."""
    one = series()
    one.place(START, Grid(interval, max_gap))
    again = START + (max_gap + 2 + beyond + phase) * interval
    before = one.tick + one.place(again, Grid(interval, max_gap))
    assert one.tick == before > max_gap + 1
    assert one.anchor + one.tick * interval == pytest.approx(again, abs=1e-6)
    for i in range(1, count + 1):
        off = 0.49 * (-1) ** i
        assert one.place(again + (i + off) * interval, Grid(interval, max_gap)) == 1


@given(intervals, st.integers(0, 50), st.data())
def test_anchor_through_short_gaps(interval: float, max_gap: int, data: st.DataObject) -> None:
    """The anchor stays the first sample's time as long as no gap is longer than max_gap, and so without an interval."""
    one, other = series(), series()
    one.place(START, Grid(interval, max_gap))
    other.place(START, Grid(None, max_gap))
    for step in data.draw(st.lists(st.integers(1, max_gap + 1), max_size=20)):
        time = START + (one.tick + step) * interval
        assert one.place(time, Grid(interval, max_gap)) == step
        other.place(time + 1e9, Grid(None, max_gap))
    assert (one.anchor, other.anchor) == (START, START)


@given(st.one_of(st.none(), intervals), st.integers(0, 50), st.lists(st.integers(1, 200), max_size=20))
def test_held(interval: float | None, max_gap: int, steps: list[int]) -> None:
    """Every sample is held, and no tick that is bridged or that lies in a longer gap: one message is one of growth."""
    one, time = series(), START
    one.place(time, Grid(interval, max_gap))
    for count, step in enumerate(steps, 2):
        time += step * (interval or 1.0)
        one.place(time, Grid(interval, max_gap))
        assert one.held == count


@given(st.integers(0, 9), st.integers(0, 9), st.floats(0, 40), intervals)
def test_overdue(filled: int, max_gap: int, later: float, interval: float) -> None:
    """As many ticks are over as are when one after another is looked at and filled."""
    grid, one = Grid(interval, max_gap, fill=True), series()
    one.place(START, grid)
    one.fill(min(filled, max_gap))
    at, count = START + later * interval, grid.overdue(one, START + later * interval)
    for _ in range(count):
        assert one.filled < max_gap
        assert grid.over(one) <= at
        one.fill(1)
    assert one.filled == max_gap or grid.over(one) > at


class Batcher(TickBatcher):
    """On a grid of one second."""

    def __init__(self, d: int, max_gap: int) -> None:
        super().__init__(d, Grid(1.0, max_gap))


def add(batcher: Batcher, one: Series, time: float, *values: float) -> int:
    """One sample at a time."""
    return batcher.add(one, values, one.place(time, batcher.grid), time + 0.5)


def test_two_samples_of_one_series() -> None:
    """Two samples of one series in a batch land in two batcher, in order, beside those of others."""
    batcher, a, b = Batcher(1, 5), series(3), series(8)
    add(batcher, a, START, 1.0)
    add(batcher, b, START, 10.0)
    add(batcher, a, START + 1, 2.0)
    first, second = batcher.take()
    assert (first.rows.tolist(), first.x.tolist(), first.tick.tolist()) == ([3, 8], [[1], [10]], [0, 0])
    assert (first.fresh.tolist(), first.time.tolist()) == ([True, True], [START, START])
    assert first.arrived.tolist() == [START + 0.5, START + 0.5]
    assert (second.rows.tolist(), second.x.tolist(), second.tick.tolist()) == ([3], [[2]], [1])
    assert second.fresh.tolist() == [False]
    assert [*batcher.take()] == []


def test_missing_ticks() -> None:
    """Up to max_gap missing ticks become rows of NaN, each in a tick batch of its own before the sample."""
    batcher, one = Batcher(2, 3), series()
    add(batcher, one, START, 1.0, 2.0)
    batcher.take()
    assert add(batcher, one, START + 4, 5.0, 6.0) == 3
    taken = [*batcher.take()]
    assert [batch.tick.tolist() for batch in taken] == [[1], [2], [3], [4]]
    assert all(np.isnan(batch.x).all() and batch.x.shape == (1, 2) and np.isnan(batch.time) for batch in taken[:3])
    assert taken[3].x.tolist() == [[5.0, 6.0]]
    assert not any(batch.fresh.any() for batch in taken)


def test_gap_beyond_max_gap() -> None:
    """One missing tick more than max_gap starts the series anew: no rows of NaN, the sample fresh at its tick."""
    batcher, one = Batcher(1, 3), series()
    add(batcher, one, START, 1.0)
    batcher.take()
    assert add(batcher, one, START + 5, 2.0) == 0
    (batch,) = batcher.take()
    assert (batch.tick.tolist(), batch.x.tolist(), batch.fresh.tolist()) == ([5], [[2.0]], [True])


def test_tick_batch_by_mask() -> None:
    """A tick batch indexed by a mask is the tick batch of those rows."""
    batcher = Batcher(1, 0)
    for row in range(3):
        add(batcher, series(row), START + row, float(row))
    (batch,) = batcher.take()
    part = batch[np.array([True, False, True])]
    assert (part.rows.tolist(), part.x.tolist(), part.time.tolist()) == ([0, 2], [[0], [2]], [START, START + 2])


def replayed(batches: list[list[TickBatch]]) -> dict[int, list[tuple[int, float, bool]]]:
    """What each row has met: tick, value (-1 where missing) and whether it began anew."""
    met: dict[int, list[tuple[int, float, bool]]] = {}
    for batch in itertools.chain(*batches):
        assert len(set(batch.rows.tolist())) == len(batch.rows)
        for row, tick, x, fresh in zip(batch.rows, batch.tick, batch.x[:, 0], batch.fresh, strict=True):
            met.setdefault(int(row), []).append((int(tick), float(np.nan_to_num(x, nan=-1.0)), bool(fresh)))
    return met


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6), st.booleans()), max_size=40),
    st.integers(0, 4),
)
def test_tick_batches_against_an_oracle(steps: list[tuple[int, int, bool]], max_gap: int) -> None:
    """Every row meets each of its ticks once, in order, in tick batches of differing rows, however batches are cut."""
    batcher, all_series = Batcher(1, max_gap), [series(row) for row in range(4)]
    expected: dict[int, list[tuple[int, float, bool]]] = {}
    batches = []
    for row, step, cut in steps:
        one, met = all_series[row], expected.setdefault(row, [])
        last = one.tick
        add(batcher, one, START if last < 0 else START + last + step, float(one.tick + 1))
        if last < 0 or step > max_gap + 1:
            met.append((one.tick, float(last + 1), True))
        else:
            met += [(tick, -1.0, False) for tick in range(last + 1, one.tick)]
            met.append((one.tick, float(last + 1), False))
        if cut:
            batches.append([*batcher.take()])
    batches.append([*batcher.take()])
    assert replayed(batches) == expected


@given(st.sets(st.integers(0, 60), min_size=1, max_size=25), st.integers(0, 8), st.integers(1, 2))
def test_segments_against_an_oracle(chosen: set[int], max_gap: int, d: int) -> None:
    """Segments are the maximal stretches without a gap longer than max_gap, their holes NaN."""
    ticks = sorted(chosen)
    stretches = [[ticks[0]]]
    for tick in ticks[1:]:
        if tick - stretches[-1][-1] - 1 > max_gap:
            stretches.append([])
        stretches[-1].append(tick)
    wanted = [[[t] * d if t in chosen else [-1] * d for t in range(part[0], part[-1] + 1)] for part in stretches]
    values = np.repeat(np.array(ticks, float)[:, None], d, 1)
    found = [np.nan_to_num(part, nan=-1).tolist() for part in segments(np.array(ticks, np.int64), values, max_gap)]
    assert found == wanted


def test_no_segments() -> None:
    """A series without samples has no segments."""
    assert list(segments(np.zeros(0, np.int64), np.zeros((0, 1)), 3)) == []


def test_a_sample_without_a_time() -> None:
    """It is of its arrival; where every message is a tick, it is later than the one before whatever the clock says."""
    one = series()
    one.place(START, Grid(None, MAX_GAP))
    assert Grid(60.0, MAX_GAP).date(one, START - 5) == START - 5
    assert Grid(None, MAX_GAP).date(one, START + 5) == START + 5
    assert Grid(None, MAX_GAP).date(one, START - 5) == START + CLOCK_STEP


def test_the_series_of_multiseries_messages() -> None:
    """They are found by topic and part, an empty one too, and by name; others by row alone."""
    many, plain = SeriesIndex(multiseries=True), SeriesIndex(multiseries=False)
    for part in ("", "a"):
        many.add(Series(len(many.rows), 7, "plant", part))
        plain.add(Series(len(plain.rows), 7, f"plant{part}"))
    assert many.parts == {("plant", ""): many.rows[0], ("plant", "a"): many.rows[1]}
    assert many.names == {"plant", "plant/a"}
    assert (len(plain.rows), plain.parts, plain.names) == (2, {}, set())
