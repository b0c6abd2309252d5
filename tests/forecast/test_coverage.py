"""What is said of bands is what the bounds that were issued and their truths give."""

from typing import Any

import numpy as np
import pytest

from streamer.config import Metrics, Stream
from streamer.forecast.coverage import Coverage
from streamer.forecast.panel import Panel
from streamer.records import Floats
from tests.forecast.ticks import ticks_of

WINDOW, TICKS = 60, 400


def panel(rows: int, d: int, quantiles: tuple[float, ...] = (0.1, 0.3, 0.9), **keys: Any) -> Panel:
    config = Stream(
        name="plant",
        topics=["#"],
        payload={"format": "array", "d": d},  # type: ignore[arg-type]
        model={"k": 3, "p": 2},  # type: ignore[arg-type]
        publish={"quantiles": quantiles},  # type: ignore[arg-type]
        season=None,
        **keys,
    )
    made = Panel.begin(config, Metrics(window=WINDOW))
    for part in made.parts():
        part.grow(rows)
    made.begin_rows(np.arange(rows))
    return made


def run(made: Panel, values: Floats) -> tuple[Floats, Floats]:
    """The bounds [T, N, 3, h, d] issued after each of these values [T, N, d], and the values."""
    issued = np.full((len(values), values.shape[1], 3, 6, values.shape[2]), np.nan)
    for t, x in enumerate(values):
        batch = ticks_of(range(values.shape[1]), x, t, t == 0)
        made.step(batch)
        if t and not np.isnan(x[0, 0]):
            one = made.forecast(batch)
            assert one.bounds is not None
            issued[t] = one.bounds
    return issued, values


def judge(of: Panel) -> Coverage:
    assert of.coverage is not None
    return of.coverage


@pytest.mark.parametrize("d", [1, 2])
def test_promises_by_hand(d: int) -> None:
    """Coverage, width, Winkler score and pinball loss are those of plain numpy: fading means over the truths of each
    series, mean over elements; the last three over the mean error of persistence, mean over series."""
    rng = np.random.default_rng(2)
    values = np.cumsum(rng.normal(size=(TICKS, 4, d)), 0) * np.array([1, 2, 30, 1000.0])[:, None]
    values[rng.random(TICKS) < 0.05] = np.nan
    values[0] = 0
    made = panel(4, d)
    issued, _ = run(made, values)
    found = judge(made).promise()
    assert {*found.coverage} == {*found.width} == {*found.winkler} == {"0.8"}
    assert {*found.pinball} == {"0.1", "0.3", "0.9"}
    for k, lead in enumerate(made.leads):
        truth, bounds, before = values[lead:], issued[:-lead, :, :, lead - 1], values[:-lead]
        met = ~np.isnan(truth[:, 0, 0]) & ~np.isnan(bounds[:, 0, 0, 0])
        truth, bounds, before = truth[met], bounds[met].transpose(2, 0, 1, 3), before[met]
        fading = np.exp(-np.arange(len(truth))[::-1] / WINDOW)[:, None] / np.exp(-np.arange(len(truth)) / WINDOW).sum()
        low, high = bounds[0], bounds[2]
        inside = ((low <= truth) & (truth <= high)).mean(2)
        winkler = high - low + np.maximum(low - truth, 0) / 0.1 + np.maximum(truth - high, 0) / 0.1
        naive = (np.abs(truth - before).mean(2) * fading).sum(0)
        assert found.coverage["0.8"][k] == pytest.approx((inside * fading).sum(0).mean(), abs=1e-3)
        assert found.width["0.8"][k] == pytest.approx((((high - low).mean(2) * fading).sum(0) / naive).mean(), rel=1e-3)
        assert found.winkler["0.8"][k] == pytest.approx(((winkler.mean(2) * fading).sum(0) / naive).mean(), rel=1e-3)
        for q, bound in zip((0.1, 0.3, 0.9), bounds, strict=True):
            loss = np.maximum(q * (truth - bound), (q - 1) * (truth - bound)).mean(2)
            wanted = ((loss * fading).sum(0) / naive).mean()
            assert found.pinball[str(q)][k] == pytest.approx(wanted, rel=1e-3)


def test_a_wild_value_counts_for_coverage_alone() -> None:
    """A value that the guard does not believe is a miss, and says nothing of widths and losses."""
    values = np.random.default_rng(3).normal(size=(200, 1, 1))
    spoilt = values.copy()
    spoilt[150] = 1e9
    clean, wild = panel(1, 1), panel(1, 1)
    run(clean, values[:150])
    run(wild, spoilt[:151])
    one, other = judge(clean).promise(), judge(wild).promise()
    assert other.coverage["0.8"][0] == pytest.approx(one.coverage["0.8"][0] * np.exp(-1 / WINDOW), abs=0.01)
    np.testing.assert_allclose(other.winkler["0.8"], one.winkler["0.8"], rtol=1e-5)


def test_a_standstill_breaks_no_promise() -> None:
    """A series that never changes has the coverage that its band promises, and no figures beside errors of zero."""
    made = panel(1, 1)
    run(made, np.full((200, 1, 1), 21.5))
    found = judge(made).promise()
    np.testing.assert_allclose(found.coverage["0.8"], 0.8, rtol=1e-5)
    assert np.isnan(found.winkler["0.8"]).all()


def test_nothing_is_said_too_soon() -> None:
    """Before enough truths, half of the window or a hundred, there are no figures."""
    made = panel(1, 1)
    run(made, np.random.default_rng(4).normal(size=(25, 1, 1)))
    assert np.isnan(judge(made).promise().coverage["0.8"]).all()


@pytest.mark.parametrize(
    ("quantiles", "levels"),
    [((0.1, 0.9), {"0.8": (0, 1)}), ((0.5,), {}), ((0.05, 0.25, 0.5, 0.75, 0.9), {"0.85": (0, 4), "0.5": (1, 3)})],
)
def test_levels(quantiles: tuple[float, ...], levels: dict[str, tuple[int, int]]) -> None:
    """A band lies between the lowest and the highest quantile, another between the next ones; a middle one has none."""
    assert judge(panel(1, 1, quantiles)).pairs == levels
