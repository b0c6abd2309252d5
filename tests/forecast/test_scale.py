"""Scales against numpy's mean and standard deviation."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamer.forecast.scale import CONSTANT, LIMIT, Scale, spread
from streamer.records import Floats

ONE = np.array([0])
values = arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(1, 3)), elements=st.floats(-1e6, 1e6, width=32))


def taught(x: Floats, follow: int) -> Scale:
    """A scale of one series that has met x [T, d]."""
    scale = Scale(x.shape[1], follow)
    scale.grow(1)
    for sample in x:
        scale.learn(ONE, sample[None])
    return scale


@given(values, st.integers(1, 40))
def test_follows_then_holds(x: Floats, follow: int) -> None:
    """Mean and deviation are those of the first `follow` samples by numpy, whatever comes after."""
    scale = taught(x, follow)
    first = x[:follow]
    tolerance = 1e-9 * max(1.0, np.abs(x).max())
    np.testing.assert_allclose(scale.mean[0], first.mean(0), atol=tolerance)
    sd = first.std(0)
    spread_out = np.ptp(first, axis=0) > 0
    np.testing.assert_allclose(scale.sd(ONE)[0], np.where(spread_out, sd, 1.0), rtol=1e-6, atol=tolerance)


@given(st.floats(-1e30, 1e30), st.integers(1, 50))
def test_constant(value: float, count: int) -> None:
    """A constant series has the deviation 1, so that it can be divided by, and is scaled to 0."""
    scale = taught(np.full((count, 1), value), 20)
    assert scale.sd(ONE)[0, 0] == 1.0
    assert scale.to_scaled(ONE, np.array([[value]]))[0, 0] == 0.0


@pytest.mark.parametrize(("value", "count"), [(0.1, 1000), (-0.1, 1000), (1e30 / 3, 777), (1e-30 / 3, 777)])
def test_constant_to_rounding(value: float, count: int) -> None:
    """A constant whose mean is rounded, so that its variance is not 0, is constant too: its deviation is 1."""
    x = np.full((count, 1), value)
    mean = np.full((1, 1), np.add.accumulate(x[:, 0])[-1] / count)
    variance = np.square(x - mean).mean(0)
    assert variance[0] > 0
    assert spread(variance, mean[0]).tolist() == [1.0]
    assert spread(x.var(0), x.mean(0)).tolist() == [1.0]


@given(st.floats(-1e100, 1e100), st.floats(1e-20, 1e20))
def test_spread(mean: float, sd: float) -> None:
    """The deviation is the root of the variance, unless it is CONSTANT of the mean or less, which is rounding."""
    found = float(spread(np.array([sd * sd]), np.array([mean]))[0])
    ratio = sd / max(abs(mean), 1e-300)
    assume(abs(ratio / CONSTANT - 1) > 1e-12)
    assert found == (pytest.approx(sd, rel=1e-15) if ratio > CONSTANT else 1.0)


def test_spread_by_element() -> None:
    """Each element of each series is judged by its own mean."""
    variance, mean = np.array([[4.0, 4.0], [0.0, 1e-30]]), np.array([[1.0, -1e14], [0.0, 0.0]])
    assert spread(variance, mean).tolist() == [[2.0, 1.0], [1.0, 1e-15]]


def test_constant_in_training() -> None:
    """A series that was constant when it was trained on goes on with the deviation 1."""
    scale = Scale(1, 30)
    scale.grow(1)
    for mean in (0.0, 0.1, 1e12):
        scale.fix({0: (np.array([mean]), spread(np.array([0.0]), np.array([mean])))})
        assert scale.sd(ONE).tolist() == [[1.0]]


def test_before_any_sample() -> None:
    """A series that has met nothing has the deviation 1 and the mean 0."""
    scale = Scale(2, 10)
    scale.grow(1)
    assert scale.to_scaled(ONE, np.array([[3.0, -4.0]])).tolist() == [[3.0, -4.0]]


@given(values, st.data())
def test_missing_is_not_learnt(x: Floats, data: st.DataObject) -> None:
    """Missing ticks change nothing: neither values nor the count of samples that are followed."""
    x = x[:, :1]
    holes = data.draw(st.lists(st.integers(0, len(x)), max_size=5))
    with_holes = np.insert(x, holes, np.nan, axis=0)
    whole, holed = taught(x, 10), taught(with_holes, 10)
    np.testing.assert_array_equal(whole.count, holed.count)
    np.testing.assert_array_equal(whole.mean, holed.mean)
    np.testing.assert_array_equal(whole.m2, holed.m2)


def test_missing_stays_missing() -> None:
    """A missing value is missing after scaling too."""
    assert np.isnan(taught(np.array([[1.0], [2.0]]), 5).to_scaled(ONE, np.array([[np.nan]]))).all()


def test_fix() -> None:
    """Scales of a training hold from then on, for the rows they name; the others go on following."""
    scale = Scale(2, 3)
    scale.grow(2)
    scale.fix({1: (np.array([10.0, -5.0]), np.array([2.0, 0.25]))})
    rows = np.array([0, 1])
    for value in (1.0, 3.0):
        scale.learn(rows, np.full((2, 2), value))
    np.testing.assert_allclose(scale.mean, np.array([[2.0, 2.0], [10.0, -5.0]]))
    np.testing.assert_allclose(scale.sd(rows), np.array([[1.0, 1.0], [2.0, 0.25]]))


@given(
    st.floats(-1e4, 1e4),
    st.floats(1e-3, 1e3),
    arrays(np.float32, (4, 2), elements=st.floats(-LIMIT, LIMIT, width=32)),
)
def test_units_invert(mean: float, sd: float, z: Floats) -> None:
    """Scaling and back gives the value again, within the limit and the precision of float32."""
    scale = Scale(2, 5)
    scale.grow(2)
    scale.fix({1: (np.full(2, mean), np.full(2, sd))})
    row = np.array([1])
    x = scale.to_units(row, z[None].astype(np.float32))[0]
    back = np.stack([scale.to_scaled(row, one[None])[0] for one in x])
    np.testing.assert_allclose(back, z, atol=1e-5 + 1e-15 * abs(mean) / sd)
    np.testing.assert_allclose(x, mean + sd * z.astype(np.float64), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize(("value", "cut"), [(1e9, LIMIT), (-1e9, -LIMIT), (1e30, LIMIT)])
def test_limit(value: float, cut: float) -> None:
    """A wild sample is cut at LIMIT deviations."""
    scale = taught(np.array([[0.0], [1.0]]), 2)
    assert scale.to_scaled(ONE, np.array([[value]]))[0, 0] == cut


def test_growth() -> None:
    """More room leaves the series there as they were; less room asked for changes nothing."""
    scale = taught(np.array([[1.0], [5.0]]), 9)
    for rows in (3, 2, 0):
        scale.grow(rows)
        assert scale.count.tolist() == [2, 0, 0]
        assert scale.mean[:, 0].tolist() == [3, 0, 0]
        assert scale.sd(np.arange(3))[:, 0].tolist() == [2, 1, 1]


def test_rows_do_not_mix() -> None:
    """Rows in any order learn each its own values."""
    scale = Scale(1, 9)
    scale.grow(3)
    scale.learn(np.array([2, 0]), np.array([[20.0], [1.0]]))
    scale.learn(np.array([0, 2]), np.array([[3.0], [40.0]]))
    assert scale.mean[:, 0].tolist() == [2, 0, 30]
