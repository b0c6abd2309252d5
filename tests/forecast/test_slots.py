"""Values of slots in 16 bits: how exactly they come back, whatever the series has done before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.forecast.slots import NONE, Slots, look_up, rounded_up, take_in_all
from streamer.records import Floats

DAY, WEEK = 8, 56
ROW = np.array([0])


def slots() -> Slots:
    """Of one series: a day of 8 slots and a week of 56."""
    usual, last = (np.full((1, DAY + WEEK, 1), NONE, np.int16) for _ in range(2))
    return Slots(usual, last, np.full((1, 1), np.nan), np.zeros((1, 1)), np.zeros((1, DAY), np.int16))


def feed(made: Slots, values: Floats, begin: int = 0) -> None:
    alphas, counts = np.array([0.07, 0.3]), np.array([DAY, WEEK])
    for tick, x in enumerate(values.tolist(), begin):
        at = np.array([[tick % DAY, DAY + tick % WEEK]])
        take_in_all(made, ROW, np.array([[x]]), np.array([tick]), at, alphas, counts, np.array([[1e4]]))


def last_week(made: Slots, tick: int) -> Floats:
    """The last values of the 56 slots up to a tick, in their order."""
    at = DAY + np.arange(tick - WEEK + 1, tick + 1) % WEEK
    found: Floats = look_up(made.last, made.origin, made.unit, ROW, at[None])[0, :, 0]
    return found


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(-1e9, 1e9), st.floats(1e-3, 1e3))
def test_a_13_000th_of_the_range(seed: int, level: float, size: float) -> None:
    """What was last comes back to a 13,000th of the range of all that is kept, wherever the series stands."""
    made, values = slots(), level + size * np.random.default_rng(seed).normal(size=3 * WEEK)
    feed(made, values)
    off = np.abs(last_week(made, len(values) - 1) - values[-WEEK:]).max()
    assert off < np.ptp(values) / 13_000 + 1e-15 * abs(level)


def test_decimals_come_back_exactly() -> None:
    """A sensor that reports hundredths, or whole numbers, has them back as they were."""
    for digits in (2, 0):
        values = np.random.default_rng(0).uniform(-40, 90, 2 * WEEK).round(digits)
        feed(made := slots(), values)
        np.testing.assert_allclose(last_week(made, 2 * WEEK - 1), values[-WEEK:], rtol=0, atol=1e-13)


def test_a_meter_that_counts_up_for_years() -> None:
    """The unit follows the newest cycle: after 100,000 counts a count is still far larger than it."""
    made, values = slots(), 2.5 * np.arange(40_000.0)
    feed(made, values)
    assert np.abs(last_week(made, len(values) - 1) - values[-WEEK:]).max() < 0.02


@pytest.mark.parametrize("wild", [1e6, -1e30])
def test_a_wide_range_that_is_past(wild: float) -> None:
    """A week or two after wild values nothing is left of them, and ordinary ones have their digits back."""
    made, values = slots(), np.random.default_rng(0).normal(size=6 * WEEK)
    feed(made, values[: 2 * WEEK])
    feed(made, np.full(5, wild), 2 * WEEK)
    begin = 2 * WEEK + 5
    feed(made, values[begin : 6 * WEEK], begin)
    usual = look_up(made.usual, made.origin, made.unit, ROW, np.arange(DAY + WEEK)[None])
    assert np.abs(last_week(made, 6 * WEEK - 1) - values[5 * WEEK : 6 * WEEK]).max() < 1e-3
    assert np.abs(usual).max() < 5


def test_the_usual_value_is_followed_to_the_end() -> None:
    """Rounding does not stop a usual value short of a new level by more than a thousandth of the step."""
    feed(made := slots(), np.concatenate([np.zeros(20 * DAY), np.ones(300 * DAY)]))
    usual = look_up(made.usual, made.origin, made.unit, ROW, np.arange(DAY)[None])
    assert np.abs(usual - 1).max() < 1e-3


def test_units() -> None:
    """A unit is the next of 1, 2 and 5 times a power of ten."""
    assert [rounded_up(one) for one in (0.0, 1.0, 1.1, 2.5, 7.0, 0.003)] == pytest.approx([0, 1, 2, 5, 10, 0.005])
