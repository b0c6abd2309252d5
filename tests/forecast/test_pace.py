"""The typical seconds between two samples, which no odd time moves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import Stream
from streamer.forecast.pace import KEPT, Pace
from streamer.records import Floats, TickBatch

START = 1_700_000_000.0
ROW = np.zeros(1, np.int64)


def pace(interval: float | None = None, rows: int = 1) -> Pace:
    made = Pace(Stream(name="a", topics=["#"], interval=interval))
    made.grow(rows)
    return made


def batch(rows: list[int], time: list[float]) -> TickBatch:
    zeros = np.zeros(len(rows))
    return TickBatch(np.array(rows), zeros[:, None], np.array(rows), np.array(time), zeros > 0, zeros)


def interval_after(times: Floats) -> float:
    """Of one series with these samples."""
    made = pace()
    for time in times.tolist():
        made.take_in(batch([0], [time]))
    return float(made.intervals(ROW)[0])


def test_with_an_interval_it_is_that() -> None:
    """Where the configuration has an interval, nothing else counts and nothing is kept."""
    assert pace(7.0).intervals(np.array([0, 0])).tolist() == [7.0, 7.0]


@pytest.mark.parametrize(("count", "known"), [(0, 0.0), (1, 0.0), (2, 0.25), (40, 0.25)])
def test_known_from_the_second_sample_on(count: int, known: float) -> None:
    """Before there are two samples it is 0, then at once the gap between them, in whole microseconds."""
    assert interval_after(np.arange(START, START + count / 4, 0.25)) == known


@given(st.integers(3, 200), st.data())
def test_odd_times_do_not_move_it(count: int, data: st.DataObject) -> None:
    """A first sample dated 1970, an outage and jumps of the clock, fewer than half of the gaps, leave it as it is."""
    at = data.draw(st.lists(st.integers(1, count - 1), max_size=min(count - 2, KEPT - 1) // 2, unique=True))
    gaps = np.full(count, 60.0)
    gaps[at] = data.draw(st.sampled_from([START, 5e4, 1e-6, 0.001]))
    assert interval_after(np.cumsum(gaps)) == 60.0


def test_a_first_sample_of_1970() -> None:
    """The third sample already shows the pace, though the first gap is of fifty years."""
    assert interval_after(np.array([0.0, START, START + 10.0])) == 10.0


def test_a_clock_set_back_makes_no_gaps() -> None:
    """Samples that are dated just after one another while the clock is behind do not count, however many there are."""
    times = START + np.concatenate([np.arange(5) * 2.0, 8.0 + np.arange(1, 500) * 1e-6])
    assert interval_after(times) == 2.0


def test_a_new_pace_is_followed() -> None:
    """After half of the gaps that are kept, a sensor that was set to another pace has it."""
    gaps = np.concatenate([np.full(100, 60.0), np.full(KEPT // 2 + 1, 5.0)])
    assert interval_after(START + np.cumsum(gaps)) == 5.0
    assert interval_after(START + np.cumsum(gaps[:-1])) == 60.0


def test_rows_do_not_mix() -> None:
    """Each series has its own pace, whoever is in its batches."""
    made = pace(rows=2)
    for tick in range(50):
        made.take_in(batch([1, 0], [START + 2.0 * tick, START + 5.0 * tick]))
    assert made.intervals(np.array([0, 1])).tolist() == [5.0, 2.0]
