"""What is learned of covariates, against a regression that knows their effect beforehand."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.config import Metrics, Stream
from streamer.records import Floats, TickBatch
from streamer.stream.state import StreamState

SERIES, TICKS, BEGUN, HORIZON, HOUR = 8, 900, 500, 24, 3600.0
EFFECT, NOISE = 0.8, 0.3


def series(seed: int) -> tuple[Floats, Floats, Floats]:
    """A day, a covariate with a day of its own, and noise, [T, N] each."""
    rng, t = np.random.default_rng(seed), np.arange(TICKS + HORIZON + 1)
    day = np.stack([3 * np.sin(2 * np.pi * (t % 24) / 24 + i) for i in range(SERIES)], 1)
    u = np.zeros(day.shape)
    for k in range(1, len(u)):
        u[k] = 0.9 * u[k - 1] + rng.normal(size=SERIES) * np.sqrt(1 - 0.9**2)
    return day, u + 2 * np.cos(2 * np.pi * (t % 24) / 24)[:, None], NOISE * rng.normal(size=day.shape)


def errors(y: Floats, u: Floats | None, *, configured: bool = True) -> dict[str, Floats]:
    """Mean absolute errors by model and lead after BEGUN ticks, u known at all ticks to come; None: it never comes."""
    covariates: list[dict[str, Any]] = [{"name": "u", "topics": ["u"]}] if configured else []
    names = ("linear", "linear-day", "profile-day", "yesterday", *["linear-covariates"][: len(covariates)])
    fields: dict[str, Any] = {"forecasters": names, "covariates": covariates, "model": {"k": 12, "p": 2}}
    config = Stream(name="s", topics=["#"], interval=HOUR, **fields)
    state, rows, found = StreamState(config, Metrics()), np.arange(SERIES), []
    for i in range(SERIES):
        state.add(i + 1, f"s{i}")
    for k in range(TICKS):
        known: NDArray[np.float32] | None = np.full((SERIES, 1, HORIZON + 1), np.nan, np.float32)
        if u is not None and known is not None:
            known[:, 0] = u[k : k + HORIZON + 1].T
        at = np.full(SERIES, k * HOUR)
        known = known if configured else None
        batch = TickBatch(rows, y[k][:, None].copy(), np.full(SERIES, k), at, np.full(SERIES, k == 0), at, known)
        state.panel.step(batch)
        if k >= BEGUN:
            truth = y[k + 1 : k + 1 + HORIZON].T
            found.append(np.abs(state.panel.forecast(batch).mean[..., 0] - truth[:, None]).mean(0))
        elif k:
            state.panel.forecast(batch)
    return dict(zip(state.panel.models, np.mean(found, 0), strict=True))


@pytest.mark.parametrize("seed", range(2))
def test_within_500_samples_it_is_as_good_as_with_the_effect_known(seed: int) -> None:
    """y = f(slot) + 0.8·u + noise, u known ahead: published errors are within 5 % of those that the same forecasters
    make with the true effect taken off beforehand, at every lead; without covariates they are at least half as large
    again."""
    day, u, noise = series(seed)
    made, oracle = errors(day + EFFECT * u + noise, u), errors(day + noise, None)
    assert (made["mix"] < 1.05 * oracle["linear-day"]).all()
    assert (made["linear-day"] > 1.5 * made["mix"]).all()


def test_a_covariate_that_never_comes_costs_nothing() -> None:
    """With nothing known of it linear-covariates is linear-day, and the mixture as without it, within 2 %."""
    day, u, noise = series(0)
    y = day + EFFECT * u + noise
    made, without = errors(y, None), errors(y, None, configured=False)
    np.testing.assert_allclose(made["linear-covariates"], made["linear-day"], rtol=1e-3)
    assert (made["mix"] < 1.02 * without["mix"]).all()


def test_one_that_says_nothing_of_the_series_costs_little() -> None:
    """A covariate without any effect makes the mixture at most 2 % worse than one that never comes."""
    day, u, noise = series(1)
    assert (errors(day + noise, u)["mix"] < 1.02 * errors(day + noise, None)["mix"]).all()


@pytest.mark.parametrize("wild", [-9999.0, 1e30])
def test_one_wild_value_decides_nothing(wild: float) -> None:
    """A covariate that once says -9999 for a value it does not know, at all leads, is worth afterwards what it was."""
    day, u, noise = series(0)
    y, glitched = day + EFFECT * u + noise, u.copy()
    glitched[BEGUN - 200] = wild
    assert (errors(y, glitched)["mix"] < 1.01 * errors(y, u)["mix"]).all()
