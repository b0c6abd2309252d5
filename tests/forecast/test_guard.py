"""What is far outside is clipped, until it stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import Stream
from streamer.forecast.guard import BELIEVED, BEYOND, WARM, Guard
from tests.forecast.ticks import ticks_of


def guard(d: int = 1) -> Guard:
    made = Guard(Stream.model_validate({"name": "a", "topics": ["#"], "payload": {"format": "array", "d": d}}))
    made.grow(1)
    return made


def calm(made: Guard, *values: float) -> list[float]:
    """What becomes of the values of one series."""
    return [float(made.calm(ticks_of([0], np.array([[x]]))).x[0, 0]) for x in values]


def usual(count: int, seed: int = 0) -> list[float]:
    values: list[float] = (20 + np.random.default_rng(seed).normal(size=count)).tolist()
    return values


@pytest.mark.parametrize("wild", [6553.5, 85.0, 1e6, -1e30, 0.0])
def test_a_wild_value_is_clipped_and_counted(wild: float) -> None:
    """One value far outside becomes one that is just outside; the values after it are left as they are."""
    made = guard()
    calm(made, *usual(200))
    (clipped,) = calm(made, wild)
    assert 5 < abs(clipped - 20) < 2 * BEYOND
    assert (clipped > 20) == (wild > 20)
    assert made.clipped[0] == 1
    after = usual(200, 1)
    assert calm(made, *after) == after


def test_what_stays_is_believed() -> None:
    """A real step is followed from the third value on."""
    made = guard()
    calm(made, *usual(200))
    stepped = [x + 100 for x in usual(50, 1)]
    seen = calm(made, *stepped)
    assert [x == y for x, y in zip(seen, stepped, strict=True)] == [False] * (BELIEVED - 1) + [True] * (51 - BELIEVED)


def test_wild_on_both_sides_is_not_believed() -> None:
    """Values that jump from one side to the other are no new level."""
    made = guard()
    calm(made, *usual(200))
    assert all(abs(x - 20) < 30 for x in calm(made, 900.0, -900.0, 900.0, -900.0))


def test_a_wild_first_value_is_outgrown() -> None:
    """A device that first sends 65535 has sensible bounds within some hundred samples."""
    made = guard()
    calm(made, 65535.0, *usual(1500))
    assert abs(calm(made, 65535.0)[0] - 20) < 1000


@settings(max_examples=30)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=WARM), st.sampled_from([1.0, 1e-9, 1e9]))
def test_nothing_is_clipped_at_first(values: list[float], unit: float) -> None:
    """Before there is a scale everything is taken as it comes."""
    assert calm(guard(), *(unit * x for x in values)) == [unit * x for x in values]


def test_a_constant_and_a_missing_value() -> None:
    """A constant has no deviation, so that its first change is taken; a missing tick changes nothing."""
    made = guard()
    assert calm(made, *[5.0] * 50, 6.0)[-1] == 6.0
    before = {name: array.copy() for name, array in made.arrays().items()}
    assert np.isnan(calm(made, np.nan)).all()
    for name, array in made.arrays().items():
        np.testing.assert_array_equal(array, before[name])
