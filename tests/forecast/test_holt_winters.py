"""Holt-Winters as published before the first training, against river fed by hand."""

import itertools
import math
from statistics import mean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river.time_series import HoltWinters as RiverHoltWinters

from streamer.forecast.holt_winters import HoltWinters
from streamer.records import Floats, TickBatch

HORIZON = 6

seasons = st.none() | st.integers(2, 5)
values = st.floats(-1e6, 1e6, width=32)


def wave(tick: int, x: Floats, rows: list[int] | None = None, fresh: bool = False) -> TickBatch:
    """One tick of some rows, x [b, d]."""
    b = len(x)
    ticks = np.full(b, tick)
    return TickBatch(np.array(rows or range(b)), x, ticks, ticks + 0.0, np.full(b, fresh), ticks + 0.0)


def made(d: int, horizon: int, season: int | None) -> HoltWinters:
    """With room for a hundred series, as a stream makes it."""
    baseline = HoltWinters(d, horizon, season)
    baseline.grow(100)
    return baseline


def forecast(baseline: HoltWinters, row: int = 0) -> Floats:
    """What it says of one row, [h, d]."""
    told: Floats = baseline.forecast(wave(0, np.zeros((1, baseline.level.shape[1])), [row]))[0]
    return told


def by_hand(samples: list[float], season: int | None) -> list[float]:
    """River's forecast after these samples; it starts an additive season as if it were multiplicative: put right here.

    The first season is what its values have above their mean, the level.
    """
    if season is None:
        model = RiverHoltWinters(alpha=0.3, beta=0.1)
    else:
        model = RiverHoltWinters(alpha=0.3, beta=0.1, gamma=0.3, seasonality=season)
        # Values of any mean but 0, and then the season, level and trend that the true ones have.
        for unlike in range(1, season + 1):
            model.learn_one(float(unlike))
        first, samples = samples[:season], samples[season:]
        assert model.trend is not None
        assert model.season is not None
        model.level[-1] = mean(first)
        model.trend[-1] = mean(b - a for a, b in itertools.pairwise(first))
        model.season.clear()
        model.season.extend(value - mean(first) for value in first)
    for value in samples:
        model.learn_one(value)
    told: list[float] = model.forecast(HORIZON)
    return told


@given(seasons, st.lists(values, min_size=11, max_size=30))
def test_river_by_hand(season: int | None, samples: list[float]) -> None:
    """The forecast is that of river's Holt-Winters fed with the same values."""
    baseline = made(1, HORIZON, season)
    for tick, value in enumerate(samples):
        baseline.step(wave(tick, np.array([[value]])))
    scale = max(1.0, *map(abs, samples))
    np.testing.assert_allclose(forecast(baseline)[:, 0], by_hand(samples, season), rtol=1e-9, atol=1e-9 * scale)


@given(seasons, st.lists(values, min_size=11, max_size=20), st.lists(st.integers(1, 4), max_size=6))
def test_bridges_missing_ticks(season: int | None, samples: list[float], gaps: list[int]) -> None:
    """A missing tick is learnt as the model's own prediction of it."""
    baseline = made(1, HORIZON, season)
    filled: list[float] = []
    for tick, value in enumerate(samples):
        filled.append(value)
        baseline.step(wave(tick, np.array([[value]])))
    for gap, value in zip(gaps, itertools.cycle(samples), strict=False):
        for _ in range(gap):
            filled.append(float(forecast(baseline)[0, 0]))
            baseline.step(wave(0, np.array([[np.nan]])))
        filled.append(value)
        baseline.step(wave(0, np.array([[value]])))
    scale = max(1.0, *map(abs, filled))
    np.testing.assert_allclose(forecast(baseline)[:, 0], by_hand(filled, season), rtol=1e-9, atol=1e-9 * scale)


@pytest.mark.parametrize(("season", "needs"), [(None, 3), (2, 5), (24, 49)])
def test_silent_before(season: int | None, needs: int) -> None:
    """There is no forecast before `needs` samples, missing ticks not counted, and there is one from then on."""
    baseline = made(1, HORIZON, season)
    assert baseline.needs == needs
    assert np.isnan(forecast(baseline)).all()
    for tick in range(needs):
        assert np.isnan(forecast(baseline)).all()
        baseline.step(wave(2 * tick, np.array([[float(tick)]]), fresh=tick == 0))
        baseline.step(wave(2 * tick + 1, np.array([[np.nan]])))
    assert np.isfinite(forecast(baseline)).all()


def test_elements_and_rows() -> None:
    """Each element of each row has a model of its own: for d = 2 and two rows, four forecasts as if alone."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 2, 2))
    baseline = made(2, HORIZON, 4)
    for tick in range(20):
        baseline.step(wave(tick, x[tick], [7, 3]))
    told = baseline.forecast(wave(20, x[0], [3, 7]))
    assert told.shape == (2, HORIZON, 2)
    for row, element in itertools.product(range(2), range(2)):
        np.testing.assert_allclose(told[1 - row, :, element], by_hand(x[:, row, element].tolist(), 4), rtol=1e-9)


def test_starts_anew() -> None:
    """A fresh sample forgets what the row had learnt, and that row alone."""
    baseline = made(1, HORIZON, None)
    for tick in range(5):
        baseline.step(wave(tick, np.array([[float(tick)], [float(tick)]])))
    baseline.step(wave(900, np.array([[50.0]]), [0], fresh=True))
    assert np.isnan(forecast(baseline, 0)).all()
    np.testing.assert_allclose(forecast(baseline, 1)[:, 0], by_hand([0.0, 1.0, 2.0, 3.0, 4.0], None))
    for value in (50.0, 50.0):
        baseline.step(wave(901, np.array([[value]]), [0]))
    np.testing.assert_allclose(forecast(baseline, 0)[:, 0], 50.0)


def test_line() -> None:
    """A line is forecast exactly, once the start is forgotten: value i is i + 1 ticks ahead."""
    baseline = made(1, HORIZON, None)
    for tick in range(300):
        baseline.step(wave(tick, np.array([[3.0 - 0.5 * tick]])))
    np.testing.assert_allclose(forecast(baseline)[:, 0], 3.0 - 0.5 * np.arange(300, 300 + HORIZON))


@pytest.mark.parametrize("season", [None, 4])
def test_nothing_but_zero(season: int | None) -> None:
    """A series that is 0 for a season, as sunlight at night, is forecast as 0."""
    baseline = made(1, HORIZON, season)
    for tick in range(20):
        baseline.step(wave(tick, np.array([[0.0]])))
    assert forecast(baseline)[:, 0].tolist() == [0.0] * HORIZON


def test_season_about_zero() -> None:
    """A season about 0 is forecast as soon as there is a forecast, to a fraction of its amplitude."""
    season = 12
    baseline = made(1, season, season)
    samples = [math.sin(2 * math.pi * (tick + 3) / season) for tick in range(3 * season + 1)]
    for tick in range(baseline.needs):
        baseline.step(wave(tick, np.array([[samples[tick]]])))
    error = forecast(baseline)[:, 0] - samples[baseline.needs : baseline.needs + season]
    assert np.abs(error).max() < 0.5
