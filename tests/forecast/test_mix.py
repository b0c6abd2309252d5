"""The mixture: weights against the formulas, and what it promises."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.forecast.guard import Calm
from streamer.forecast.leads import LeadGrid
from streamer.forecast.mix import FORGET, HOPELESS, LONG, WILD, Mix
from streamer.records import Floats, TickBatch
from tests.forecast.ticks import ticks_of

MODELS = ("persistence", "good", "bad")
GRID = LeadGrid([1, 3], 3)


def mix(rows: int = 1, d: int = 1) -> Mix:
    made = Mix(MODELS, GRID, d)
    made.grow(rows)
    return made


def issue(made: Mix, forecasts: Floats) -> Floats:
    """The mixture of forecasts [K, h] of one row."""
    mean = np.full((1, len(MODELS) + 1, 3, 1), np.nan)
    mean[0, :-1, :, 0] = forecasts
    made.mixture(np.array([0]), mean)
    mixed: Floats = mean[0, -1, :, 0]
    return mixed


def as_calm(ticks: TickBatch, moved: float = 0.0) -> Calm:
    """What the guard makes of ticks that it has clipped, or not, to these."""
    return Calm(ticks, np.zeros(len(ticks.x), np.bool_), np.full(ticks.x.shape, moved))


def truth(made: Mix, x: float, predicted: Floats) -> None:
    """One truth: predicted [K + 1, L] by the models and the mixture for it."""
    ticks = ticks_of([0], np.array([[x]]))
    made.truth(ticks, as_calm(ticks), predicted[None, :, :, None])


def plainly(history: list[tuple[float, Floats, float]]) -> Floats:
    """MLpol's weights at one lead, from (issued, predicted [K], truth) in their order, by its definition."""
    regret, rate, bound, size = np.zeros(3), np.zeros(3), 0.0, 0.0
    for met, (issued, predicted, x) in enumerate(history, 1):
        r = np.nan_to_num(np.sign(issued - x) * (issued - predicted))
        largest = np.abs(r).max()
        limit = WILD * size if size > 0 else largest
        size += (min(largest, limit) - size) / min(met, LONG)
        r = r.clip(-limit, limit)
        new = max(bound, np.square(r).max())
        regret = (1 - FORGET) * regret + r
        rate, bound = rate + np.square(r) + new - bound, new
    weight = np.where(rate > 0, np.maximum(regret, 0) / np.where(rate > 0, rate, 1), 0)
    return weight / weight.sum() if weight.sum() > 0 else np.array([1.0, 0, 0])


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_the_formulas(seed: int, steps: int) -> None:
    """Weights are those of the definition, each lead by itself, with a model that is silent now and then."""
    rng, made = np.random.default_rng(seed), mix()
    history: list[list[tuple[float, Floats, float]]] = [[], []]
    for _ in range(steps):
        x, predicted = rng.normal(), rng.normal(size=(4, 2))
        predicted[1, rng.random(2) < 0.2] = np.nan
        truth(made, x, predicted)
        for lead in range(2):
            history[lead].append((predicted[3, lead], predicted[:3, lead], x))
    weights = made.weights(np.array([0]), np.ones((1, 3), np.bool_))[0, :, :, 0]
    for lead in range(2):
        np.testing.assert_allclose(weights[:, lead], plainly(history[lead]), rtol=1e-3, atol=1e-4)


def test_before_any_truth_nothing_changes_is_said() -> None:
    """Without evidence the reference speaks alone, however confident others are; a model without a forecast is none."""
    assert issue(mix(), np.array([[1.0] * 3, [5.0] * 3, [np.nan] * 3])).tolist() == [1.0, 1.0, 1.0]


def play(made: Mix, bad: float, steps: int, rng: np.random.Generator) -> tuple[float, float]:
    """Mean error of the mixture and of the best model, of a good one with noise 0.1 and a bad one, both leads alike."""
    errors = []
    for _ in range(steps):
        x = rng.normal()
        said = np.array([0.0, x + 0.1 * rng.normal(), x + bad])
        mixed = issue(made, np.repeat(said[:, None], 3, 1))
        truth(made, x, np.concatenate([np.repeat(said[:, None], 2, 1), mixed[None, [0, 2]]]))
        errors.append((abs(mixed[0] - x), abs(said[1] - x)))
    mixture, best = np.mean(errors, 0)
    return float(mixture), float(best)


def test_it_is_soon_as_good_as_the_best() -> None:
    """After a hundred truths the mixture's error is hardly above that of the best model."""
    made, rng = mix(), np.random.default_rng(0)
    play(made, 3.0, 100, rng)
    mixture, best = play(made, 3.0, 400, rng)
    assert mixture < 1.1 * best


def test_a_glitch_does_not_decide() -> None:
    """One truth that is off by a million, and one forecast that is, leave the weights what they were, nearly."""
    made, rng = mix(), np.random.default_rng(0)
    play(made, 3.0, 200, rng)
    before = made.weights(np.array([0]), np.ones((1, 3), np.bool_))
    truth(made, 1e6, np.array([[0.0, 0.0], [0.1, 0.1], [3.0, 3.0], [0.1, 0.1]]))
    truth(made, 0.1, np.array([[1e6, 1e6], [0.1, 0.1], [3.0, 3.0], [0.2, 0.2]]))
    after = made.weights(np.array([0]), np.ones((1, 3), np.bool_))
    np.testing.assert_allclose(after, before, atol=0.1)
    mixture, best = play(made, 3.0, 200, rng)
    assert mixture < 1.2 * best


def test_a_new_network_has_no_weight() -> None:
    """What is forgotten speaks no more until it has earned it, and then it does."""
    made, rng = mix(), np.random.default_rng(0)
    play(made, 3.0, 200, rng)
    speaks = np.ones((1, 3), np.bool_)
    assert made.weights(np.array([0]), speaks)[0, 1].min() > 0.9
    made.forget(["good"])
    assert made.weights(np.array([0]), speaks)[0, 1].max() == 0
    play(made, 3.0, 200, rng)
    assert made.weights(np.array([0]), speaks)[0, 1].min() > 0.9


def test_one_small_gain_is_no_trust() -> None:
    """A new model that was a thousandth better once has next to no weight beside one that has been good for long."""
    made, rng = mix(), np.random.default_rng(0)
    play(made, 3.0, 200, rng)
    made.forget(["bad"])
    truth(made, 1.0, np.array([[0.0, 0.0], [0.9, 0.9], [0.901, 0.901], [0.9, 0.9]]))
    assert 0 < made.weights(np.array([0]), np.ones((1, 3), np.bool_))[0, 2].max() < 0.01


def test_a_truth_that_is_not_believed_counts_as_a_usual_one() -> None:
    """Where the guard changed the value, no regret moves by more than the usual size of one."""
    made, rng = mix(), np.random.default_rng(0)
    play(made, 0.3, 200, rng)
    before, size = made.regret.copy(), made.size.max()
    ticks, calm = (ticks_of([0], np.array([[x]])) for x in (1e6, 1.0))
    made.truth(ticks, as_calm(calm), np.array([[[50.0], [0.0], [-50.0], [0.0]]] * 2).reshape(1, 4, 2, 1))
    moved = np.abs(made.regret - (1 - FORGET) * before)
    assert 0.9 * size < moved.max() <= 1.001 * size


def test_what_was_predicted_after_a_value_that_is_not_believed_counts_as_usual() -> None:
    """Forecasts from such a value move no regret by more than its usual size, at any lead; later ones may again."""
    made, rng = mix(), np.random.default_rng(0)
    play(made, 3.0, 200, rng)
    wild, calm = (ticks_of([0], np.array([[x]]), 200) for x in (1e6, 1.0))
    made.truth(wild, as_calm(calm), np.zeros((1, 4, 2, 1)))
    moved = []
    for tick in range(201, 206):
        before, size, made.error[:] = made.regret.copy(), made.size.copy(), 1.0  # none is hopeless
        ticks = ticks_of([0], np.array([[0.0]]), tick)
        made.truth(ticks, as_calm(ticks), np.tile([[30.0], [0.0], [0.0], [1.0]], 2)[None, :, :, None])
        moved.append((np.abs(made.regret - np.float32(1 - FORGET) * before).max((0, 1, 3)) / size[0, :, 0]).round(3))
    assert [[lead <= 1 for lead in leads] for leads in moved] == [
        [True, False],
        [False, False],
        [False, True],
        [False, False],
        [False, False],
    ]


def test_what_was_predicted_before_a_jump_counts_as_usual() -> None:
    """Nobody could know a jump: forecasts that were made before it move no regret by more than its usual size."""
    made, rng = mix(), np.random.default_rng(0)
    play(made, 3.0, 200, rng)
    moved = []
    for tick in range(200, 206):
        before, size, made.error[:] = made.regret.copy(), made.size.copy(), 1.0
        ticks = ticks_of([0], np.array([[100.0]]), tick)
        calm = as_calm(ticks, 100.0 if tick == 200 else 0.0)
        made.doubt(ticks, calm)
        made.truth(ticks, calm, np.tile([[80.0], [0.0], [0.0], [1.0]], 2)[None, :, :, None])
        moved.append((np.abs(made.regret - np.float32(1 - FORGET) * before).max((0, 1, 3)) / size[0, :, 0]).round(3))
    assert [[lead <= 1 for lead in leads] for leads in moved] == [
        [True, True],
        [False, True],
        [False, True],
        [False, False],
        [False, False],
        [False, False],
    ]


def test_a_hopeless_model_has_no_weight() -> None:
    """A model whose mean error is more than HOPELESS times that of the best one has no weight, though it would have
    been on the right side each time: the mixture is what it is without it."""
    one, other = mix(), mix()
    for tick in range(300):
        x = float(tick % 2)
        for made, far in ((one, 30.0), (other, x)):
            said = np.array([0.5, x + 0.1, far])
            mixed = issue(made, np.repeat(said[:, None], 3, 1))[[0, 2]]
            truth(made, x, np.concatenate([np.repeat(said[:, None], 2, 1), mixed[None]]))
    weights = one.weights(np.array([0]), np.ones((1, 3), np.bool_))[0, :, :, 0]
    assert weights[2].max() == 0
    assert weights[1].min() > 0.8


def test_a_model_that_begins_late_is_taken_for_the_best() -> None:
    """A model that speaks for the first time after 300 truths neither is hopeless at once nor makes others so, and
    is found to be hopeless within HOPELESS means."""
    made = mix()
    everyone = np.ones((1, 3), np.bool_)
    for tick in range(600):
        x = float(tick % 2)
        late = x + 10 if tick >= 300 else np.nan
        truth(made, x, np.repeat(np.array([0.5, x + 0.1, late, 0.3])[:, None], 2, 1))
        if tick in (300, 310):
            assert made.error[0, 1, 0, 0] == pytest.approx(0.1)
            assert (made.weights(np.array([0]), everyone)[0, 1] > 0.5).all()
    assert made.error[0, 2].min() > HOPELESS * 0.1
    assert made.weights(np.array([0]), everyone)[0, 2].max() == 0


def test_it_begins_after_a_constant() -> None:
    """After truths that all models met, a forecast of 1e20 does not decide about what follows."""
    made, rng = mix(), np.random.default_rng(0)
    for _ in range(300):
        truth(made, 20.0, np.full((4, 2), 20.0))
    truth(made, 20.0, np.array([[1e20, 1e20], [20.0, 20.0], [20.0, 20.0], [1e18, 1e18]]))
    play(made, 3.0, 200, rng)
    mixture, best = play(made, 3.0, 200, rng)
    assert mixture < 1.2 * best


def test_weights_between_leads() -> None:
    """Between two leads of the grid the weights lie on a straight line; they add up to 1 everywhere."""
    made = mix()
    truth(made, 0.0, np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0], [0.5, 0.5]]))
    one, three = made.weights(np.array([0]), np.ones((1, 3), np.bool_))[0, :2, :, 0].T
    assert one.tolist() == [0, 1]
    assert three.tolist() == [1, 0]
    mixed = issue(made, np.array([[10.0] * 3, [20.0] * 3, [1e9] * 3]))
    assert mixed.tolist() == pytest.approx([20.0, 15.0, 10.0])


@given(st.floats(1e-20, 1e25))
def test_it_has_no_unit(unit: float) -> None:
    """Weights are the same in any unit."""
    weights = []
    for factor in (1.0, unit):
        made, rng = mix(), np.random.default_rng(3)
        for _ in range(30):
            x, predicted = rng.normal(), rng.normal(size=(4, 2))
            truth(made, factor * x, factor * predicted)
        weights.append(made.weights(np.array([0]), np.ones((1, 3), np.bool_)))
    np.testing.assert_allclose(weights[1], weights[0], rtol=1e-3, atol=1e-5)
    assert math.isfinite(float(weights[1].sum()))


@pytest.mark.parametrize(("missed", "alone"), [(0.0, False), (0.3, False), (0.6, True)])
def test_where_most_forecasts_meet_no_truth(missed: float, alone: bool) -> None:
    """Persistence speaks alone at a lead where most of what was published met a missing tick; fewer change nothing."""
    made, rng = mix(), np.random.default_rng(0)
    forecasts = np.array([[1.0] * 3, [0.1] * 3, [2.0] * 3])
    for _ in range(400):
        issued = issue(made, forecasts)
        predicted = np.concatenate([forecasts[:, [0, 2]], [issued[[0, 2]]]])
        truth(made, np.nan if rng.random() < missed else rng.normal(0, 0.1), predicted)
    assert (issue(made, forecasts) == 1.0).all() == alone


def test_no_rows() -> None:
    """Of no series nothing is mixed."""
    mean = np.zeros((0, len(MODELS) + 1, 3, 1))
    mix().mixture(np.zeros(0, np.int64), mean)
    assert mean.shape == (0, len(MODELS) + 1, 3, 1)
