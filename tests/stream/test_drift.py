"""Which series have errors that grew, by the Page-Hinkley test."""

from collections.abc import Iterable

import numpy as np
import pytest

from streamer.config import Stream
from streamer.records import Floats
from streamer.stream.drift import LIMIT, TOLERATED, WARM, Drift
from tests.forecast.ticks import ticks_of


def drift(rows: int = 1, d: int = 1) -> Drift:
    made = Drift(Stream.model_validate({"name": "a", "topics": ["#"], "payload": {"format": "array", "d": d}}))
    made.grow(rows)
    return made


def errors(count: int, size: float | Floats = 1.0, seed: int = 0) -> Floats:
    """Of one series."""
    return np.random.default_rng(seed).laplace(size=count) * size


def reached(made: Drift, errors: Iterable[float]) -> int | None:
    """After how many of these errors of the first series it has drifted."""
    for i, error in enumerate(errors, 1):
        made.take_in(ticks_of([0], np.array([[error]])), np.zeros((len(made.seen), made.d)))
        if made.series:
            return i
    return None


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e9])
def test_larger_errors_are_a_drift(unit: float) -> None:
    """Errors three times as large as usual are told within 500 ticks, five times as large ones sooner, in any unit."""
    after = []
    for times in (5, 3):
        made = drift()
        assert reached(made, errors(2000, unit)) is None
        after.append(reached(made, errors(3000, times * unit, seed=1)) or 3000)
    assert after[0] < after[1] < 500


def test_usual_errors_are_none() -> None:
    """Errors that stay as they are, that grow by less than what is tolerated, or that become smaller, are no drift."""
    for times in (1.0, 1 + TOLERATED / 2, 0.3):
        made = drift()
        assert reached(made, errors(2000)) is None
        assert reached(made, errors(20_000, times, seed=1)) is None


def test_a_day_and_a_night_are_none() -> None:
    """Errors that are large by day and none by night, as those of the sun's power at 300 s, are no drift."""
    day = np.arange(30 * 288) % 288 < 144
    assert reached(drift(), errors(30 * 288, day.astype(np.float64))) is None


@pytest.mark.parametrize("wild", [1e30, -6553.5])
def test_glitches_are_none(wild: float) -> None:
    """A few absurd errors are no drift, and do not hide one that comes after them."""
    made = drift()
    assert reached(made, errors(1000)) is None
    assert reached(made, [wild] * 20) is None
    assert reached(made, errors(1000, 5, seed=1)) is not None


def test_a_sensor_that_begins_to_move_has_drifted() -> None:
    """Where there was no error at all, any that go on are a drift."""
    made = drift()
    assert reached(made, np.zeros(3000)) is None
    assert reached(made, errors(2000)) is not None


def test_what_was_not_predicted_or_not_measured_changes_nothing() -> None:
    """Without a prediction, or a value, of every element there is no error."""
    made = drift(d=2)
    for x, predicted in (([np.nan, np.nan], [0.0, 0.0]), ([1.0, 1.0], [0.0, np.nan])):
        made.take_in(ticks_of([0], np.array([x])), np.array([predicted]))
    assert made.seen[0] == 0
    assert made.mean.tolist() == [[0.0, 0.0]]


def test_a_row_does_not_depend_on_its_batch() -> None:
    """Series that come together are tested as those that come alone, and each counts once."""
    series = [errors(1500, np.where(np.arange(1500) < 500, 1.0, times), seed=times) for times in (1, 4, 5)]
    together, alone = drift(3), [drift(), drift(), drift()]
    for at in range(1500):
        x = np.array([[one[at]] for one in series])
        together.take_in(ticks_of([0, 1, 2], x), np.zeros((3, 1)))
    for made, one in zip(alone, series, strict=True):
        for error in one:
            made.take_in(ticks_of([0], np.array([[error]])), np.zeros((1, 1)))
    assert together.series == 2
    for name, array in together.arrays().items():
        assert array.tobytes() == b"".join(made.arrays()[name].tobytes() for made in alone), name


def test_after_a_training_it_begins_anew() -> None:
    """What errors usually are is seen again, and the first WARM of them are compared with nothing."""
    made = drift()
    reached(made, errors(1000))
    assert reached(made, errors(1000, 5, seed=1)) is not None
    made.begin_anew()
    assert made.series == 0
    assert reached(made, errors(WARM, 5, seed=2)) is None
    assert made.excess[0] == 0
    assert reached(made, errors(5000, 5, seed=3)) is None


def test_a_drift_is_restored() -> None:
    """Rows that had drifted still have, and are counted."""
    old, new = drift(), drift()
    reached(old, errors(1000))
    reached(old, errors(1000, 5, seed=1))
    new.restore({}, old.arrays())
    assert (new.series, new.excess[0] > LIMIT) == (1, True)
