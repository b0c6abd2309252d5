"""Who is better, on the truths that both had predicted."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import Metrics, Stream
from streamer.forecast.panel import Panel
from streamer.forecast.skill import MOST, Skill
from streamer.records import Floats
from tests.forecast.common_truths import by_hand
from tests.forecast.ticks import ticks_of

MODELS, REFERENCES, LEADS = ("persistence", "yesterday", "network", "mix"), ("persistence", "yesterday"), (1, 3)
WINDOW, NAN = 30, np.nan


def skill(rows: int = 1, window: float = WINDOW, dtype: Any = np.float32) -> Skill:
    made = Skill(MODELS, LEADS, REFERENCES, window, dtype)
    made.grow(rows)
    return made


def run(made: Skill, errors: Floats, row: int = 0) -> Skill:
    """Truths of 0 of one series, of which each model [T, M] was so far off at both leads; NaN: it had said nothing."""
    for t, one in enumerate(errors):
        made.truth(ticks_of([row], np.zeros((1, 1)), t), np.repeat(one[None, :, None, None], len(LEADS), 2))
    return made


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(2, 120), st.floats(0, 0.6), st.sampled_from([5.0, 30.0, np.inf]))
def test_against_numpy(seed: int, count: int, silent: float, window: float) -> None:
    """Whoever is silent when, and however wild single errors are, the ratios of errors are those on common truths."""
    rng = np.random.default_rng(seed)
    errors = rng.normal(size=(count, len(MODELS))) * 10 ** rng.choice([0, 0, 0, 6], size=(count, 1))
    errors[rng.random(errors.shape) < silent] = NAN
    errors[rng.random(errors.shape) < silent / 2] = 0
    made = run(skill(window=window, dtype=np.float64), errors)
    for i, reference in enumerate(REFERENCES):
        wanted = [[by_hand(errors[:, m], errors[:, i], window)] * len(LEADS) for m in range(len(MODELS))]
        np.testing.assert_allclose(made.ratios(reference, slice(1))[0], wanted, rtol=1e-5)
        np.testing.assert_allclose(made.ratio(reference), wanted, rtol=1e-5)


def test_a_network_that_comes_late() -> None:
    """Calm weeks that a network has not seen are not held against it: where it has half the error of persistence since
    it went live, its skill is a half, though persistence has had a tenth of its own error before."""
    errors = np.full((200, len(MODELS)), NAN)
    errors[:, 0] = np.repeat([0.1, 1.0], 100)
    errors[100:, 2] = 0.5
    made = run(skill(), errors)
    assert 1 - made.ratio("persistence")[2] == pytest.approx([0.5, 0.5], rel=0.01)


def test_single_precision_is_enough() -> None:
    """Over a long window, single precision gives the ratios of double precision to five digits."""
    errors = np.abs(np.random.default_rng(0).normal(size=(20_000, len(MODELS)))) + 1e-3
    found, exact = (run(skill(window=5_000, dtype=kind), errors).ratio("persistence") for kind in (np.float32, float))
    np.testing.assert_allclose(found, exact, rtol=1e-5)


@pytest.mark.parametrize("wild", [6553.5, 4294967295.0, -1e30])
@pytest.mark.parametrize("after", [0, 5, 15, 100])
def test_one_wild_reading(wild: float, after: int) -> None:
    """A wild reading is no news of who is better, even if it is what the first forecast is made from: a network that is
    4 times as bad as persistence on all else still is, to a fifth, within its window and after."""
    errors = np.abs(np.random.default_rng(1).normal(size=(after + 400, len(MODELS))))
    errors[:, 2] = 4 * errors[:, 0].mean()
    disturbed = errors.copy()
    disturbed[after, [0, 3]] = wild  # of those that repeat it
    if after:
        disturbed[after - 1] = wild  # of what had been predicted for it
    for until in (after + 90, after + 400):
        made, calm = (run(skill(window=100), some[:until]).ratio("persistence") for some in (disturbed, errors))
        np.testing.assert_allclose(made[2], calm[2], rtol=0.2)


def test_jumps_that_recur() -> None:
    """Jumps a hundred times as large as other errors, one in thirty, count in full once they are known: who foresees
    them has a fraction of the error, though all other errors of his are twice as large."""
    errors = np.tile(np.abs(np.random.default_rng(2).normal(size=(4_000, 1))), (1, len(MODELS)))
    errors[:, 2] *= 2
    errors[::30, 0] = 100
    made = run(skill(window=1_000), errors)
    late = np.exp(-np.arange(4_000)[::-1] / 1_000)
    wanted = np.average(errors[:, 2], weights=late) / np.average(errors[:, 0], weights=late)
    assert wanted < 0.5
    np.testing.assert_allclose(made.ratio("persistence")[2], wanted, rtol=0.1)


def test_a_reference_without_errors() -> None:
    """A series that stands still has no skill, be it from the start or for 30 windows, whatever others predict; the
    mean over series is that of the others."""
    dead, alive = np.tile([0.0, 0.0, 5.0, 1e-12], (900, 1)), np.tile([2.0, 1.0, 1.0, 3.0], (900, 1))
    stuck = np.concatenate([alive[:50], dead])
    made = skill(3)
    for row, errors in enumerate((dead, alive, stuck)):
        run(made, errors, row)
    assert np.isnan(made.ratios("persistence", slice(3))[[0, 2]]).all()
    assert made.ratio("persistence")[:, 0] == pytest.approx([1, 0.5, 0.5, 1.5])


def test_a_series_counts_for_ten_at_most() -> None:
    """A series that persistence hardly ever misses, and a network always does, counts as ten times its error."""
    errors = np.tile([0.0, 1.0, 50.0, 1.0], (200, 1))
    errors[::10, 0] = 1
    made = skill(2)
    run(made, errors, 0)
    run(made, np.ones((50, len(MODELS))), 1)
    assert made.ratios("persistence", slice(1))[0, 2, 0] == MOST
    assert made.ratio("persistence")[2, 0] == (MOST + 1) / 2


def test_series_of_other_units() -> None:
    """A series in thousandths of a unit counts as much as one in millions: the mean is that of their ratios."""
    made = skill(2)
    run(made, np.tile([1.0, 1.0, 0.5, 0.5], (20, 1)) * 1e-3, 0)
    run(made, np.tile([1.0, 1.0, 2.0, 1.0], (20, 1)) * 1e6, 1)
    assert made.ratio("persistence")[2:, 0] == pytest.approx([(0.5 + 2) / 2, (0.5 + 1) / 2])


def test_a_swap_forgets() -> None:
    """The errors of a network that is replaced are forgotten, those of all others stay."""
    made = run(skill(), np.tile([1.0, 2.0, 3.0, 1.0], (20, 1)))
    before = made.ratio("yesterday")
    made.forget(["network"])
    after = made.ratio("yesterday")
    assert np.isnan(after[2]).all()
    np.testing.assert_array_equal(after[[0, 1, 3]], before[[0, 1, 3]])


def test_missing_ticks() -> None:
    """A tick without a sample is no truth."""
    made = run(skill(), np.tile([1.0, 2.0, 3.0, 1.0], (5, 1)))
    before = made.sums.copy()
    made.truth(ticks_of([0], np.full((1, 1), NAN), 5), np.ones((1, len(MODELS), len(LEADS), 1)))
    np.testing.assert_array_equal(made.sums, before)


@pytest.mark.parametrize(
    ("season", "names", "wanted"),
    [
        ("auto", "auto", ["persistence", "yesterday"]),
        ((7,), "auto", ["persistence", "last-7"]),
        (None, "auto", ["persistence"]),
        ("auto", ("linear-day",), ["persistence"]),
    ],
)
def test_references(season: Any, names: Any, wanted: list[str]) -> None:
    """All models are compared with persistence, and with the day before where a stream has that forecaster."""
    config = Stream(name="plant", topics=["#"], interval=60.0, season=season, forecasters=names)
    assert Panel.begin(config, Metrics()).skill.references == wanted


def test_memory() -> None:
    """A series takes 8 bytes per reference, model and lead shown, and 5 per reference and lead."""
    each = len(REFERENCES) * len(LEADS)
    assert sum(array.nbytes for array in skill(1).arrays().values()) == each * (8 * len(MODELS) + 5)
