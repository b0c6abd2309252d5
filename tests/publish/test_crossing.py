"""Where curves cross a threshold, and how likely that is, against the plainest way to find it."""

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streamer.config import Threshold
from streamer.publish.crossing import ahead, between, likelihood
from streamer.records import Floats

numbers = st.floats(allow_nan=False, allow_infinity=False)
grids = st.integers(-4, 4).map(float)


def oracle(values: list[float], above: float) -> float:
    """Ticks until a curve of straight lines through these values is first at or above one, in the plainest way."""
    if values[0] >= above:
        return 0.0
    for tick, (start, end) in enumerate(itertools.pairwise(values)):
        if end >= above:
            return tick + (above - start) / (end - start)
    return math.inf


@given(arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(2, 7)), elements=grids), grids)
def test_where_a_curve_crosses(values: Floats, limit: float) -> None:
    """Above and below, the crossing is where a straight line between neighbours is; below is above upside down."""
    wanted = [oracle(row, limit) for row in values.tolist()]
    assert ahead(values, Threshold(name="a", above=limit)).tolist() == wanted
    assert ahead(-values, Threshold(name="b", below=-limit)).tolist() == wanted


@given(arrays(np.float64, (3, 4), elements=numbers), numbers)
@example(np.array([[-1.7e308, 1.7e308]]), 1e308)
def test_any_finite_numbers(values: Floats, limit: float) -> None:
    """However large the numbers are, a crossing lies within the horizon, after the last value short of it, and no
    arithmetic warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lead = ahead(values, Threshold(name="a", above=limit))
    for row, tick in zip(values.tolist(), lead.tolist(), strict=True):
        first = next((i for i, value in enumerate(row) if value >= limit), None)
        if first is None:
            assert tick == math.inf
        else:
            assert max(0, first - 1) <= tick <= first


@given(
    arrays(np.float64, (2, 3, 4), elements=grids),
    st.lists(st.sampled_from([0.05, 0.1, 0.3, 0.5, 0.8, 0.9]), min_size=3, max_size=3, unique=True).map(sorted),
    st.integers(-6, 6).map(lambda half: half / 2),
)
def test_how_likely_a_crossing_is(bounds: Floats, quantiles: list[float], limit: float) -> None:
    """Between bounds the probability is on a straight line, beyond them what they vouch for, and the greatest of all
    leads counts; below is above upside down, and a lower threshold is as likely at least."""
    bounds.sort(1)

    def at(curves: list[float], value: float) -> float:
        if value > curves[-1]:
            return 0.0
        i = next(i for i, one in enumerate(curves) if one >= value)
        if i == 0:
            return 1 - quantiles[0]
        part = (value - curves[i - 1]) / (curves[i] - curves[i - 1])
        return 1 - quantiles[i - 1] - part * (quantiles[i] - quantiles[i - 1])

    above = likelihood(bounds, quantiles, Threshold(name="a", above=limit))
    assert above == pytest.approx(
        [max(at(bounds[b, :, j].tolist(), limit) for j in range(4)) for b in range(2)], abs=1e-6
    )
    upside_down = [1 - one for one in quantiles[::-1]]
    below = likelihood(-bounds[:, ::-1], upside_down, Threshold(name="b", below=-limit))
    np.testing.assert_allclose(below, above, atol=1e-6)
    assert (likelihood(bounds, quantiles, Threshold(name="a", above=limit - 1)) >= above).all()


@given(arrays(np.float64, (3, 2, 4), elements=numbers), arrays(np.float64, (3, 5), elements=numbers), numbers)
def test_doubt_about_any_numbers(bounds: Floats, curve: Floats, limit: float) -> None:
    """However large the numbers are and wherever the forecast is, the earliest crossing is not after the latest, that
    of the forecast is between them, a probability is one, and no arithmetic warns."""
    bounds.sort(1)
    for one in (Threshold(name="a", above=limit), Threshold(name="b", below=limit)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            lead = ahead(curve, one)
            earliest, latest = between(curve[:, 0], bounds, lead, one)
            probability = likelihood(bounds, (0.1, 0.9), one)
        assert (earliest <= lead).all()
        assert (lead <= latest).all()
        assert ((probability >= 0) & (probability <= 0.9)).all()
