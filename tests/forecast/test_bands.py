"""Bounds of published forecasts: tracked by the rule, kept by what comes, ordered and finite whatever comes."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.config import Metrics, Stream
from streamer.forecast.bands import Bands
from streamer.forecast.network import NetworkForecaster
from streamer.forecast.panel import Panel
from streamer.models import build
from streamer.records import Floats, ForecastBatch
from tests.forecast.bands_by_hand import ByHand
from tests.forecast.ticks import at_random, ticks_of

BOTH = (0.1, 0.9)


def panel(rows: int = 1, d: int = 1, quantiles: Sequence[float] = BOTH, model: str = "best", **keys: Any) -> Panel:
    """Least squares, persistence and, with a season, usual values; k·p is 12."""
    config = Stream(
        name="plant",
        topics=["#"],
        payload={"format": "array", "d": d},  # type: ignore[arg-type]
        model={"k": 6, "p": 2, "n": 8, "cell": "rnn"},  # type: ignore[arg-type]
        publish={"quantiles": quantiles, "model": model},  # type: ignore[arg-type]
        **{"season": None, **keys},
    )
    made = Panel.begin(config, Metrics())
    for part in made.parts():
        part.grow(rows)
    made.begin_rows(np.arange(rows))
    return made


def bands_of(of: Panel) -> Bands:
    assert of.bands is not None
    return of.bands


def go(of: Panel, values: Floats, begin: int = 0) -> Iterator[ForecastBatch]:
    """The forecasts after each value [T, N], NaN where one is missing for all; none after the first."""
    for t, x in enumerate(values, begin):
        batch = ticks_of(range(len(x)), x[:, None], t, t == 0)
        of.step(batch)
        if t and not np.isnan(x[0]):
            yield of.forecast(batch)


def bounds(one: ForecastBatch) -> Floats:
    assert one.bounds is not None
    return one.bounds


def width(one: ForecastBatch) -> Floats:
    """[b, h] of the first element."""
    return bounds(one)[:, -1, :, 0] - bounds(one)[:, 0, :, 0]


def noisy(rng: np.random.Generator, ticks: int, season: int) -> Floats:
    """A slow wave with noise that is larger in half of the season, one tick in twenty missing: [T, 1]."""
    t = np.arange(ticks)
    x = np.sin(t / 15) + rng.normal(size=ticks) * np.where(t % season < season / 2, 0.5, 0.1)
    x[(rng.random(ticks) < 0.05) & (t > 10)] = np.nan
    return x[:, None]


@pytest.mark.parametrize(
    ("quantiles", "season", "model"),
    [(BOTH, None, "best"), ((0.1, 0.5, 0.975), 6, "best"), (BOTH, None, "linear"), (BOTH, 6, "last-6")],
)
def test_bounds_follow_the_rule(quantiles: Sequence[float], season: int | None, model: str) -> None:
    """At the leads of the grid bounds are those of the rule in plain Python, which judges them by the values that were
    published, of the mixture or of the one model that is configured; but for what codes of half a percent leave."""
    made, values = panel(quantiles=quantiles, season=season, model=model), noisy(np.random.default_rng(4), 400, 6)
    leads = bands_of(made).grid.leads.tolist()
    other = ByHand(leads, quantiles, season or 0)
    other.truth(0, values[0, 0])
    for one in go(made, values):
        tick = int(one.ticks.tick[0])
        other.truth(tick, values[tick, 0])
        for lead in leads:
            mean, found = one.published[0, lead - 1, 0], bounds(one)[0, :, lead - 1, 0]
            others = one.mean[0, 1:-1, lead - 1, 0].tolist()
            wanted = np.array(other.bounds(tick, lead, mean, others))
            np.testing.assert_allclose(found - mean, wanted - mean, rtol=0.02, atol=5e-3, err_msg=f"{tick}, {lead}")
            other.issue(tick, lead, mean, found.tolist(), others)
    assert not made.shared.guard.clipped.any()


def test_bounds_keep_their_promise() -> None:
    """Of fifty series with errors of different shapes, 80 in 100 truths lie within the bounds issued for them, at every
    lead and of every series."""
    rng, rows, ticks = np.random.default_rng(5), 50, 2500
    made = panel(rows)
    shapes = rng.normal(size=(ticks, rows)), rng.exponential(size=(ticks, rows)), rng.standard_t(3, size=(ticks, rows))
    noise = np.choose(np.arange(rows) % 3, shapes)
    values = noise + np.cumsum(rng.normal(size=(ticks, rows)) * 0.1, 0)
    within = np.zeros((12, rows))
    pending: dict[tuple[int, int], Floats] = {}
    for one in go(made, values):
        tick = int(one.ticks.tick[0])
        for lead in range(1, 13):
            issued = pending.pop((tick, lead), None)
            if issued is not None and tick >= 500:
                within[lead - 1] += (issued[:, 0] <= values[tick]) & (values[tick] <= issued[:, 1])
            pending[tick + lead, lead] = bounds(one)[:, :, lead - 1, 0]
    share = within / (ticks - 500)
    assert np.abs(share.mean(1) - 0.8).max() < 0.01
    assert np.abs(share - 0.8).max() < 0.03


def test_a_step_in_the_noise_is_answered() -> None:
    """Sixty truths after noise has become three times as large, the band of a lead has its share of them again, but for
    a tenth."""
    rng, rows = np.random.default_rng(6), 200
    made, noise = panel(rows), rng.normal(size=(700, rows))
    noise[400:] *= 3
    within = [
        (bounds(one)[:, 0, 0, 0] <= x) & (x <= bounds(one)[:, 1, 0, 0])
        for one, x in zip(go(made, noise), noise[2:], strict=False)
    ]
    share = np.array(within).mean(1)  # [i]: of the truth of tick i + 2
    assert share[378:398].mean() == pytest.approx(0.8, abs=0.03)
    assert share[398:408].mean() < 0.6
    assert share[458:508].mean() > 0.72


def test_bounds_from_the_second_sample_on() -> None:
    """After two samples the band is as wide as their difference gives, and wider the further ahead."""
    (one,) = go(panel(), np.array([[20.0], [20.5]]))
    np.testing.assert_allclose(width(one)[0, [0, 2, 7]], 0.5 * 2 * 1.606 * np.sqrt([1, 3, 8]), rtol=0.01)
    assert (np.diff(width(one)[0]) > 0).all()


def test_a_glitch_does_not_widen_bands_for_long() -> None:
    """A value a million times too large, that the guard does not believe, leaves the bands as wide as they were."""
    values = np.random.default_rng(7).normal(size=(400, 1))
    spoilt = values.copy()
    spoilt[300] = 1e6
    (*_, clean), (*_, glitch) = go(panel(), values[:315]), go(panel(), spoilt[:315])
    assert (width(glitch) < 1.5 * width(clean)).all()


def test_the_night_is_narrow() -> None:
    """A series that only varies in half of its day has a narrow band in the other half, and its usual one by day."""
    rng, t = np.random.default_rng(8), np.arange(24 * 40)
    x = np.where(t % 24 < 12, 5 + rng.normal(size=len(t)), -0.3 + 0.001 * rng.normal(size=len(t)))
    assert len(x) % 24 == 0  # at its end, the next twelve ticks are of a day
    *_, day = go(panel(season=24), x[:, None])
    *_, night = go(panel(season=24), x[:-12, None])
    assert width(night)[0].mean() < 0.2 * width(day)[0].mean()


def test_a_standstill_teaches_nothing() -> None:
    """After a thousand ticks without any change, a band is soon as wide as the changes that come again."""
    rng = np.random.default_rng(9)
    values = np.cumsum(rng.normal(size=1600))
    values[300:1300] = values[300]
    values[1300:] += values[300] - values[1300]
    made = list(go(panel(), values[:, None]))
    before, after = (np.mean([width(one)[0, 0] for one in made[a:b]]) for a, b in ((200, 290), (1340, 1500)))
    assert width(made[1290])[0].max() < 0.1 * before
    assert 0.5 * before < after < 2 * before


def test_swaps_do_not_break_the_promise() -> None:
    """While networks that know nothing of the series go live, one after every 20 ticks and twenty in all, bands hold
    their share of the truths; they go on from where they were."""
    rng, rows = np.random.default_rng(10), 60
    made, values = panel(rows, forecasters=["linear", "memoryless"]), rng.normal(size=(500, rows))
    within = []
    for t, x in enumerate(values):
        if t >= 100 and t % 20 == 0:
            network = NetworkForecaster.of(build("memoryless", made.config.sizes).requires_grad_(False), made.config, t)
            network.grow(rows)
            before, made = made, made.with_networks({"memoryless": network})
            assert made.bands is before.bands
        made.step(ticks_of(range(rows), x[:, None], t, t == 0))
        if t:
            issued = bounds(made.forecast(ticks_of(range(rows), x[:, None], t)))[:, :, 0, 0]
            if t + 1 < len(values):
                within.append((issued[:, 0] <= values[t + 1]) & (values[t + 1] <= issued[:, 1]))
    share = np.array(within)[100:].mean(1)
    assert share.mean() == pytest.approx(0.8, abs=0.01)
    assert np.convolve(share, np.full(50, 0.02), "valid").min() > 0.72


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["constant", "counter", "wild", "steps"]), st.booleans())
def test_bounds_are_ordered_and_finite(seed: int, kind: str, limited: bool) -> None:
    """Whatever comes, of three elements at irregular times with gaps, there are bounds where there is a forecast, each
    at least the one before, and within what the series can be."""
    rng, rows = np.random.default_rng(seed), 5
    keys: dict[str, Any] = {"lowest": 0.0, "highest": 1e13} if limited else {}
    made, ticks = panel(rows, 3, (0.01, 0.1, 0.5, 0.9), season=5, **keys), np.full(rows, -1)
    level = {"constant": 7.0, "counter": 1e12, "wild": 1e3, "steps": 3.0}[kind]
    for batch in at_random(rng, ticks, 60, 3):
        x = batch.x - 1e3  # normal, NaN where missing
        if kind == "constant":
            x *= 0
        elif kind == "counter":
            x = batch.tick[:, None] * 3 + x * 0
        elif kind == "wild":
            x *= 10 ** rng.uniform(-3, 9, size=(len(x), 1))
        else:
            x = np.round(x)
        batch.x[:] = np.clip(level + x, 0, 1e13)
        made.step(batch)
        due = ~np.isnan(batch.x[:, 0]) & (batch.tick > 0)
        if due.any():
            one = made.forecast(batch[due])
            found = bounds(one)
            assert (np.isnan(found) == np.isnan(one.published)[:, None]).all()
            assert np.isfinite(found).all()
            assert (np.diff(found, axis=1) >= 0).all()
            if limited:
                assert found.min() >= 0
                assert found.max() <= 1e13


def test_another_quantile_keeps_the_others() -> None:
    """A quantile more in the configuration begins anew, alone: the bounds of those before stay as they were."""
    old, new = panel(quantiles=BOTH), panel(quantiles=(0.1, 0.5, 0.9))
    *_, last = go(old, noisy(np.random.default_rng(1), 300, 6))
    for part, saved in zip(new.parts(), old.parts(), strict=True):
        if part.fit() == saved.fit():  # as a resume does; what is said of bands begins anew
            part.restore(saved.labels(), saved.arrays())
    np.testing.assert_array_equal(bounds(new.repeat(last.ticks))[:, [0, 2]], bounds(last))


def test_no_quantiles_no_bands() -> None:
    """Without quantiles nothing is kept of them, and forecasts have no bounds."""
    made = panel(quantiles=())
    assert made.bands is None
    *_, last = go(made, np.arange(20.0)[:, None])
    assert last.bounds is None


def test_what_bands_take() -> None:
    """At the defaults bands, and what is said of them, take less than 1.35 kB per series."""
    made = Panel.begin(Stream(name="plant", topics=["#"]), Metrics())
    parts = [part for part in made.parts() if part.name in ("bands", "coverage")]
    for part in parts:
        part.grow(1)
    assert len(parts) == 2
    assert sum(array.nbytes for part in parts for array in part.arrays().values()) < 1350


def test_where_a_value_lay() -> None:
    """A value in the middle of the band of the tick before is no surprise, one at a bound is 1 or -1, one beyond more;
    of several elements that counts which is furthest from the middle. Before there was a band nothing is said."""
    made, rng = panel(rows=5, d=2), np.random.default_rng(0)
    for t in range(20):
        batch = ticks_of(range(5), rng.normal(size=(5, 2)), t, t == 0)
        made.step(batch)
        if t < 2:
            assert np.isnan(made.surprise(np.arange(5))).all()
        if t:
            issued = bounds(made.forecast(batch))[:, :, 0]
    middle, half = (issued[:, -1] + issued[:, 0]) / 2, (issued[:, -1] - issued[:, 0]) / 2
    places = np.array([[0.0, 0.0], [1.0, 0.5], [-1.0, 0.5], [0.2, 3.0], [-40.0, 3.0]])
    made.step(ticks_of(range(5), middle + places * half, 20, False))
    np.testing.assert_allclose(made.surprise(np.arange(5)), [0, 1, -1, 3, -40], rtol=1e-4, atol=1e-4)


def test_a_standstill_is_no_surprise() -> None:
    """A series that stands still lies in its band without width; what leaves it is far outside, by a finite number."""
    made = panel()
    found = [made.surprise(np.arange(1))[0] for _ in go(made, np.full((50, 1), 7.0))]
    assert found[2:] == [0.0] * 47
    list(go(made, np.array([[8.0]]), begin=50))
    assert made.surprise(np.arange(1)) == 1000
