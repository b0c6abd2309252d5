"""The accuracy study on made-up series with known answers; its yardsticks on the real ones (pytest -m slow)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from streamer.forecast import registry
from streamer.records import Floats
from tests.studies.accuracy import daemon
from tests.studies.accuracy.__main__ import main, study
from tests.studies.accuracy.bands import naive_bounds, score_band
from tests.studies.accuracy.boosting import drawn
from tests.studies.accuracy.datasets import SPECS, Data, Spec, load
from tests.studies.accuracy.result import Result, summary
from tests.studies.accuracy.rls import Problem, differenced, plain
from tests.studies.accuracy.scores import geometric_mean, ratio, score
from tests.studies.accuracy.seasons import persistence, seasonal

SHARED = Path("../shared/data")
START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


def data(x: Floats, spec: Spec, names: tuple[str, ...] = ("made-up",)) -> Data:
    time: Floats = START + spec.interval * np.arange(len(x), dtype=np.float64)
    return Data("waves", spec, names, time, x)


def test_a_ramp_has_the_errors_of_its_leads() -> None:
    """On a ramp persistence is wrong by the lead; a forecast that is wrong by half of that at lead 4 has the ratios
    0.5 there, 1 at the other leads and 8/10 over all."""
    some = data(np.arange(100.0)[:, None], Spec(1.0, stride=1, k=2, p=2))
    truth, last = some.truth[0], persistence(some.x[:, 0], some.origins, 4)
    found = score(truth, truth - [1, 2, 3, 2], {"persistence": last})
    assert found.mae.tolist() == [1, 2, 3, 2]
    assert found.ratios["persistence"].by_lead.tolist() == [1, 1, 1, 0.5]
    assert found.ratios["persistence"].overall == pytest.approx(8 / 10)
    assert (found.share, found.ratios["persistence"].worst, found.ratios["persistence"].above) == (1, 1, 0)


def test_a_sine_is_what_it_was_yesterday() -> None:
    """On a sine with period 24 yesterday is exact at every lead; persistence is exact at lead 24 and its mean error at
    lead 12 is twice the mean size of the sine, cot(π/24)/6."""
    x = np.sin(2 * np.pi * np.arange(24 * 20) / 24)
    origins = np.arange(200, 224)
    truth = x[origins[:, None] + np.arange(1, 31)]
    last, day = persistence(x, origins, 30), seasonal(x, origins, 30, 24)
    found = score(truth, last, {"persistence": last})
    assert found.mae[11] == pytest.approx(1 / np.tan(np.pi / 24) / 6)
    assert found.mae[23] == pytest.approx(0, abs=1e-12)
    assert score(truth, day, {}).mae == pytest.approx(np.zeros(30), abs=1e-12)


def test_figures_compare_where_both_spoke() -> None:
    """An origin where the forecaster or the reference is silent counts for neither; a lead without any is no number."""
    mine = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    other = np.array([[2.0, 1.0], [np.nan, 1.0], [100.0, 1.0]])
    found = ratio(mine, other)
    assert found.overall == 0.5
    assert found.by_lead == pytest.approx([0.5, np.nan], nan_ok=True)
    assert score(np.zeros((3, 2)), mine, {}).share == pytest.approx(2 / 6)


def test_leads_above_are_counted() -> None:
    """A lead is above from more than 1.02; equal errors of zero are a ratio of 1, an error beside zero is infinite."""
    found = ratio(np.array([[1.02, 1.03, 0.0, 1.0]]), np.array([[1.0, 1.0, 0.0, 0.0]]))
    assert found.by_lead == pytest.approx([1.02, 1.03, 1, np.inf])
    assert (found.above, found.worst) == (2, 4)


def test_a_band_that_is_known() -> None:
    """Of four truths one lies 2 above a band of width 4 and one 1 below: coverage, width, Winkler score and the mean
    pinball loss of its bounds are those of arithmetic, beside errors of persistence of 2; a truth that is missing, or
    has no bounds, counts for nothing."""
    truth = np.array([[0.0, 1], [1, 1], [4, np.nan], [-3, 1]])
    bounds = np.array([np.full((4, 2), -2.0), np.full((4, 2), 2.0)])
    bounds[:, 3, 1] = np.nan
    found = score_band(truth, bounds, truth - 2)
    assert found.coverage.tolist() == [0.5, 1]
    assert found.width.tolist() == [2, 2]
    assert found.winkler == pytest.approx([(4 + (20 + 10) / 4) / 2, 2])
    assert found.pinball == pytest.approx(found.winkler / 20)  # both quantiles are 0.1 from the ends
    assert found.overall == pytest.approx(found.pinball.mean())
    assert found.off == pytest.approx(0.3)


def test_simple_bounds_know_nothing_of_the_future() -> None:
    """What comes after an origin changes none of its bounds; and they hold the errors that came before, but for a fifth
    of them."""
    x = np.random.default_rng(1).normal(size=400)
    other = np.where(np.arange(400) > 200, 1e6, x)
    for season in (None, 12):
        spec = Spec(1.0, stride=1, k=2, p=2, day=season)
        made, changed = (naive_bounds(data(one[:, None], spec), one, 0) for one in (x, other))
        last = int(np.flatnonzero(data(x[:, None], spec).origins == 200)[0])
        assert (made[:, : last + 1] == changed[:, : last + 1]).all()
        assert score_band(data(x[:, None], spec).truth[0], made, made[0] * 0).coverage == pytest.approx(0.8, abs=0.06)


def test_missing_samples_are_inputs_and_no_truths() -> None:
    """A forward-filled value is what persistence and yesterday go by; nothing is scored at a missing sample."""
    x = np.arange(40.0)
    x[[20, 21, 30]] = np.nan
    some = data(x[:, None], Spec(1.0, stride=1, k=2, p=1))
    assert some.origins.tolist() == list(range(15, 38))
    assert persistence(x, np.array([21]), 2).tolist() == [[19, 19]]
    assert seasonal(x, np.array([24]), 6, 5).tolist() == [[19, 19, 22, 23, 24, 19]]
    assert np.isnan(some.truth[0]).sum() == 2 * 3


@pytest.mark.parametrize("n", [10, 12, 10_000])
def test_the_first_origin_is_the_last_sample_of_the_first_40_percent(n: int) -> None:
    """Exactly, whatever 0.4·n is in floating point; the last origin has all its truths."""
    some = data(np.zeros((n, 1)), Spec(1.0, stride=1, k=2, p=1))
    assert some.origins[0] + 1 == int(np.ceil(n * 4 / 10)) == some.start
    assert some.origins[-1] + 2 == n - 1


def by_lstsq(problem: Problem, origin: int, lead: int, penalty: float) -> float:
    """Ridge regression by numpy on everything whose truth is known at the origin."""
    ticks = np.arange(problem.first, origin - lead + 1)
    ticks = ticks[problem.known[ticks + lead]]
    d = problem.inputs.shape[1]
    left = np.concatenate([problem.inputs[ticks], np.sqrt(penalty) * np.eye(d)])
    right = np.concatenate([problem.z[ticks + lead] - problem.base[ticks], np.zeros(d)])
    weights = np.linalg.lstsq(left, right, rcond=None)[0]
    return float(problem.base[origin] + problem.inputs[origin] @ weights)


@pytest.mark.parametrize("make", [lambda x: plain(x, 5, 4), lambda x: differenced(x, 7, 5, 4)], ids=["plain", "season"])
def test_recursive_least_squares_are_least_squares(make: Callable[[Floats], Problem]) -> None:
    """At every origin and lead the forecast is that of ridge regression on all that is known by then."""
    random = np.random.default_rng(0)
    problem = make(np.cumsum(random.normal(size=160)) + 3 * np.sin(np.arange(160)))
    origins = np.array([63, 64, 70, 120, 140])
    found = problem.run(64, origins, penalty=0.5)
    expected = [[by_lstsq(problem, t, lead, 0.5) for lead in (1, 2, 3, 4)] for t in origins]
    assert found == pytest.approx(np.array(expected), rel=1e-8)


def test_recursive_least_squares_know_nothing_of_the_future() -> None:
    """What comes after an origin changes nothing of its forecast, the choice of the penalty included."""
    x = np.random.default_rng(1).normal(size=200).cumsum()
    other = np.where(np.arange(200) > 120, 1e6, x)
    origins = np.array([79, 100, 120])
    assert (plain(x, 5, 4).run(80, origins) == plain(other, 5, 4).run(80, origins)).all()


def test_boosting_knows_nothing_of_the_future() -> None:
    """What LightGBM learns from has its truth, a sample that is there, by the origin."""
    x = np.arange(50.0)
    x[33] = np.nan
    ticks, leads = drawn(x, 3, 40, 5, np.random.default_rng(0))
    assert (ticks + leads).max() == 40
    assert 33 not in ticks + leads
    assert len(ticks) == 5 * (40 - 3) - (1 + 2 + 3 + 4) - 5


def test_means_over_series_and_sets() -> None:
    """Ratios of series, and then of data sets, are averaged geometrically."""
    assert geometric_mean([0.5, 2.0, float("nan")]) == pytest.approx(1)
    truth = np.zeros((3, 2))
    one = {"persistence": np.ones((3, 2))}
    results = [
        Result(name, len(errors), 3, ("persistence",), {"me": scores}, {})
        for name, errors in (("a", [0.5, 2.0]), ("b", [4.0]))
        for scores in [{str(e): score(truth, np.full((3, 2), e), one) for e in errors}]
    ]
    assert results[0].figures("me", "persistence").overall == pytest.approx(1)
    found = summary(results, "me", "persistence")
    assert found is not None
    assert (found.overall, found.first) == pytest.approx((2, 2))
    assert (found.worst, found.worst_set, found.above, found.of) == (4, "b", 4, 6)
    assert summary(results, "me", "yesterday") is None


def test_long_gaps_do_not_count_as_ticks() -> None:
    """A training is due by the ticks that a series has gone through, of which a gap too long to bridge has none."""
    x = np.arange(50.0)
    x[10:20] = np.nan
    some = data(x[:, None], Spec(1.0, stride=1, k=2, p=1))
    assert daemon.held(some, 40) == 40
    assert daemon.held(some, 40, max_gap=9) == 30


def test_the_daemon_is_heard_at_the_origins() -> None:
    """Of two series the observer keeps persistence and what was published, at the origins that have a sample."""
    x = np.random.default_rng(2).normal(size=(90, 2)).cumsum(0)
    x[[50, 55], 0] = np.nan
    some = data(x, Spec(60.0, stride=5, k=2, p=3, day=6, stream={"season": 6}), ("left", "right"))
    found = daemon.run(some, daemon.Plan("none"), lambda text: None).by_model
    expected = np.array([persistence(one, some.origins, 6) for one in x.T])
    expected[np.isnan(x[some.origins].T)] = np.nan
    assert np.isnan(expected).any()
    assert found["persistence"] == pytest.approx(expected, nan_ok=True, rel=1e-6)
    assert (np.isnan(found["published"]) == np.isnan(expected)).all()


def test_a_forecaster_can_be_left_out() -> None:
    """A forecaster that is left out is no model of the daemon, and is one again in the next run."""
    some = data(np.arange(90.0)[:, None], Spec(60.0, stride=5, k=2, p=3, day=6, stream={"season": 6}))
    *_, last = registry.FORECASTERS
    without = daemon.run(some, daemon.Plan("none", frozenset({last})), print).by_model
    assert {*daemon.run(some, daemon.Plan("none"), print).by_model} - {*without} == {last}


def test_the_trainings_of_a_plan() -> None:
    """Once: on the first 40 % and never again. Default: on 35 %, then at every quarter. Without networks: never."""
    some = data(np.zeros((1000, 1)), SPECS["traffic_i94"])
    assert daemon.Plan("once").retrain(some) == {"minimum": 400, "every": daemon.NEVER, "window": 20_000}
    assert daemon.Plan("default").retrain(some) == {"minimum": 350, "every": 250, "window": 20_000}
    for plan in (daemon.Plan("none"), daemon.Plan("once", frozenset({"memoryless", "traditional"}))):
        assert plan.retrain(some) == {"every": 0}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints a table for each data set and one over all, and writes every figure to a file."""
    for name in ("watch_accel", "soil_moisture"):
        step = SPECS[name].interval
        times = [datetime.fromtimestamp(START + step * i, UTC).isoformat() for i in range(400)]
        rows = [f"{time},{np.sin(i) + i / 50:.6f}" for i, time in enumerate(times)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["time,value", *rows]), encoding="utf-8")
    file = tmp_path / "found.json"
    asked = ["--series", "watch_accel", "soil_moisture", "--trainings", "none", "--without", "lightgbm"]
    assert main(["--data", str(tmp_path), "--json", str(file), *asked]) == 0
    printed = capsys.readouterr()
    assert all(word in printed.out for word in ("watch_accel: 1 series", "soil_moisture: 1 series", "All data sets"))
    assert "watch_accel: rls" in printed.err
    found = json.loads(file.read_text())["watch_accel"]["forecasters"]
    assert {*found} >= {"published", "persistence", "rls"}
    figures = found["published"]["watch_accel"]
    assert len(figures["mean absolute error by lead"]) == 40
    assert figures["relative to"]["persistence"]["all leads"] > 0
    assert main(["--data", str(tmp_path / "absent")]) == 1
    assert "--data names the folder" in capsys.readouterr().err


TABLE = {
    "traffic_i94": {"yesterday": (0.324, 0.955), "last week": (0.150, 0.551), "rls": (0.324, 0.469)},
    "glucose_cgm": {"yesterday": (1.501, 16.4), "rls": (0.911, 0.764), "seasonal-rls": (1.131, 1.078)},
    "pv_serf": {"yesterday": (0.273, 2.183), "rls": (0.286, 1.102), "seasonal-rls": (0.284, 1.544)},
    "soil_moisture": {"rls": (1.049, 1.213)},
    "watch_accel": {"rls": (0.716, 0.834)},
}
"""Errors relative to persistence, over all leads and at lead 1, as the README of the data has them."""


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
def test_the_yardsticks_are_those_of_the_table(name: str) -> None:
    """The study finds the table's figures: yesterday and last week to its digits, RLS to 2 %."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} has the data of this study and is absent")
    found = study(load(SHARED, name), daemon.Plan(without=frozenset({"lightgbm"})), ["none"], print)
    for who, expected in TABLE[name].items():
        figures = found.figures(who, "persistence")
        tolerance = 0.0035 if who in ("yesterday", "last week") else 0.02
        assert (figures.overall, figures.first) == pytest.approx(expected, rel=tolerance), who
