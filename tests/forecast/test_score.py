"""Forecasts meet their truth: alignment on a ramp, and everything against an oracle that remembers all."""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.forecast.score import Scores, pooled
from streamer.forecast.trajectory import Trajectories
from streamer.records import Floats, Ints, TickBatch
from tests.forecast.ticks import ticks_of

MODELS = ("persistence", "holt-winters", "memoryless", "traditional")
M = len(MODELS)
ROW = np.array([0])


def tick(t: int, *x: float, fresh: bool = False) -> TickBatch:
    """One tick of row 0."""
    return ticks_of([0], np.array([x]), t, fresh)


class Both:
    """Scores by lead and by whole forecast, as a panel has them."""

    def __init__(self, leads: list[int], horizon: int, d: int, window: int) -> None:
        self.by_leads = Scores(MODELS, leads, d, window)
        self.wholes = Trajectories(MODELS, horizon, d, window)
        self.by_lead, self.e_p = self.by_leads.by_lead, self.wholes.e_p
        self.ranking, self.e_p_of_stream = self.wholes.ranking, self.wholes.of_stream

    @property
    def parts(self) -> tuple[Scores, Trajectories]:
        return self.by_leads, self.wholes

    @property
    def weight(self) -> Floats:
        return self.by_leads.weight

    @property
    def sums(self) -> Floats:
        return self.by_leads.sums

    @property
    def matured(self) -> Floats:
        return self.by_leads.matured

    @property
    def whole(self) -> Floats:
        return self.wholes.whole

    def grow(self, rows: int) -> None:
        for part in self.parts:
            part.grow(rows)

    def restart(self, rows: Ints) -> None:
        for part in self.parts:
            part.restart(rows)

    def truth(self, batch: TickBatch) -> None:
        for part in self.parts:
            part.truth(batch)

    def predicted(self, batch: TickBatch, mean: Floats) -> None:
        for part in self.parts:
            part.predicted(batch, mean)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {**self.by_leads.arrays(), **self.wholes.arrays()}

    def forget(self, models: list[int]) -> None:
        for part in self.parts:
            part.forget([MODELS[i] for i in models])


def scores(leads: list[int], horizon: int, d: int = 1, window: int = 10, rows: int = 1) -> Both:
    made = Both(leads, horizon, d, window)
    made.grow(rows)
    made.restart(np.arange(rows))
    return made


def test_a_meter_that_stands_high() -> None:
    """A change of 0.25 on a meter at 1e8 is scored as 0.25, though single precision cannot tell them apart there."""
    made = scores([1], 1)
    for t in range(20):
        now = tick(t, 1e8 + t, fresh=t == 0)
        made.truth(now)
        made.predicted(now, np.full((1, M, 1, 1), 1e8 + t + 1.25))
    rmse, mae = made.by_lead()
    assert rmse[:, 0] == pytest.approx(0.25)
    assert mae[:, 0] == pytest.approx(0.25)


def forecasts(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Random ones [.., M, h, d] in steps of 1/1024, whose changes single precision holds; persistence is level."""
    mean: Floats = np.round(rng.normal(size=shape) * 1024) / 1024
    mean[..., 0, :, :] = mean[..., 0, :1, :]
    return mean


def test_double_precision() -> None:
    """What was predicted at the leads comes back bit by bit, and only changes within a forecast are held in single."""
    made = scores([1, 2], 2, d=2)
    mean = np.random.default_rng(0).normal(size=(1, M, 2, 2)) / 3
    made.truth(tick(0, 0.0, 0.0, fresh=True))
    made.predicted(tick(0, 0.0, 0.0), mean)
    made.truth(tick(1, 0.0, 0.0))
    assert made.matured[0, :, 0].tobytes() == mean[0, :, 0].tobytes()
    single = [name for name, array in made.arrays().items() if array.dtype == np.float32]
    assert single == ["change"]


@pytest.mark.parametrize("level", [0.0, 1e8, 4294967295.0])
def test_changes_within_a_forecast(level: float) -> None:
    """E_p is right to seven digits of what a forecast changes, however high the series stands."""
    horizon = 5
    rng = np.random.default_rng(0)
    x, mean = level + rng.normal(size=(horizon + 1, 1)), level + rng.normal(size=(1, M, horizon, 1))
    mean[:, 0] = mean[:, 0, :1]
    made = scores([1], horizon)
    for t, value in enumerate(x[:, 0].tolist()):
        made.truth(tick(t, value, fresh=t == 0))
        if t == 0:
            made.predicted(tick(t, value), mean)
    wanted = np.sqrt(np.square(mean[0] - x[None, 1:]).mean((1, 2)))
    np.testing.assert_allclose(made.e_p(ROW)[0], wanted, rtol=1e-6)


def test_what_a_wild_newest_value_leaves_exact() -> None:
    """A model that does not follow a value of 4294967295 is scored as exactly as ever by E_p."""
    made, horizon = scores([1], 3), 3
    mean = np.full((1, M, horizon, 1), 4294967295.0)
    mean[:, 2] = [[0.1], [0.2], [0.3]]
    made.truth(tick(0, 4294967295.0, fresh=True))
    made.predicted(tick(0, 4294967295.0), mean)
    for t in range(1, horizon + 1):
        made.truth(tick(t, 0.1 * t + 0.01))
    assert made.e_p(ROW)[0, 2] == pytest.approx(0.01, rel=1e-5)


@pytest.mark.parametrize(("leads", "d"), [([1, 10, 40], 1), ([2, 3], 5)])
def test_memory(leads: list[int], d: int) -> None:
    """A series takes 8·M·d bytes per tick of each lead for its ring; with d = 1, h = 40 below 1,050 for the rest."""
    arrays = scores(leads, 40, d).arrays()
    ring = arrays.pop("ring").nbytes
    assert ring == 8 * M * d * sum(leads)
    assert d > 1 or sum(array.nbytes for array in arrays.values()) < 1050


def test_a_wild_first_value() -> None:
    """A first value of 4294967295, which many devices send before they have measured, leaves later scores exact."""
    rng = np.random.default_rng(0)
    window, x, noise = 5, rng.normal(size=400) + 20, rng.normal(size=(400, M, 2))
    found = []
    for first in (4294967295.0, x[0]):
        made = scores([1, 2], 2, window=window)
        for t, value in enumerate([first, *x[1:]]):
            made.truth(tick(t, value, fresh=t == 0))
            mean = value + noise[t][None, ..., None]
            made.predicted(tick(t, value), mean)
        assert made.matured[0, :, 0, 0].tolist() == (x[-2] + noise[-2, :, 0]).tolist()
        found.append([*made.by_lead(), made.e_p(ROW), made.ranking(ROW)])
    for wild, tame in zip(*found, strict=True):
        np.testing.assert_allclose(wild, tame, rtol=1e-12)


def test_ramp() -> None:
    """On y_t = t a perfect forecaster has no error at any lead, one late or early by a step has exactly 1."""
    horizon, leads = 4, [1, 2, 4]
    made = scores(leads, horizon)
    shift = np.array([np.nan, -1.0, 1.0, 0.0])
    for t in range(30):
        now = tick(t, float(t), fresh=t == 0)
        made.truth(now)
        made.predicted(now, (t + 1.0 + np.arange(horizon) + shift[:, None])[None, ..., None])
    rmse, mae = made.by_lead()
    wanted = np.abs(shift)[:, None] * np.ones(len(leads))
    np.testing.assert_array_equal(rmse, wanted)
    np.testing.assert_array_equal(mae, wanted)
    np.testing.assert_array_equal(made.e_p_of_stream(), np.abs(shift))
    np.testing.assert_array_equal(made.e_p(ROW)[0], [np.inf, 1.0, 1.0, 0.0])


@pytest.mark.parametrize("lead", [1, 2, 3])
def test_scored_on_arrival(lead: int) -> None:
    """A forecast for t + lead is scored when that tick comes, not a tick earlier, and only once."""
    made = scores([1, 2, 3], 3)
    made.truth(tick(0, 0.0, fresh=True))
    made.predicted(tick(0, 0.0), np.full((1, M, 3, 1), 5.0))
    for t in range(1, 6):
        made.truth(tick(t, 0.0))
        assert made.weight[0, 0, lead - 1] > 0 if t >= lead else made.weight[0, 0, lead - 1] == 0
    assert made.weight[0, 0, lead - 1] == 1


def test_matured() -> None:
    """Beside a truth stands what each model predicted for it `lead` ticks ago."""
    made = scores([1, 3], 3)
    for t in range(8):
        made.truth(tick(t, 0.0, fresh=t == 0))
        if t >= 3:
            assert made.matured[0, 1, :, 0].tolist() == [100 * (t - 1) + 1, 100 * (t - 3) + 3]
        made.predicted(tick(t, 0.0), np.broadcast_to((100.0 * t + np.arange(1, 4))[:, None], (1, M, 3, 1)))


def test_missing_tick() -> None:
    """What was predicted for a missing tick is dropped, and not held against a later truth in its place."""
    horizon = 2
    made = scores([1, 2], horizon)
    made.truth(tick(0, 0.0, fresh=True))
    made.predicted(tick(0, 0.0), np.full((1, M, horizon, 1), 7.0))
    for t in (1, 2):
        made.truth(tick(t, np.nan))
    for t in (3, 4, 5):
        made.truth(tick(t, 0.0))
    assert not made.weight.any()
    assert np.isinf(made.e_p(ROW)).all()


def test_restart() -> None:
    """After a long gap nothing that was predicted before it is scored."""
    made = scores([1, 2], 2)
    made.truth(tick(0, 0.0, fresh=True))
    made.predicted(tick(0, 0.0), np.full((1, M, 2, 1), 7.0))
    for t in (101, 102):
        made.truth(tick(t, 0.0, fresh=t == 101))
    assert not made.weight.any()
    assert np.isinf(made.e_p(ROW)).all()


def test_e_p_definition() -> None:
    """E_p is the root of the mean square over whole forecasts made every h ticks, each fading with its horizon."""
    horizon, d, window, count = 5, 2, 50, 41
    rng = np.random.default_rng(0)
    x, mean = rng.normal(size=(count, d)), forecasts(rng, (count, 1, M, horizon, d))
    made = scores([1], horizon, d, window)
    for t in range(count):
        now = tick(t, *x[t], fresh=t == 0)
        made.truth(now)
        made.predicted(now, mean[t])
    each = [np.square(mean[t, 0] - x[None, t + 1 : t + 1 + horizon]).mean((1, 2)) for t in range(0, count - 5, horizon)]
    assert len(each) == 8
    fading = np.exp(-horizon / window * np.arange(len(each)))[::-1]
    wanted = np.sqrt(np.average(each, axis=0, weights=fading))
    np.testing.assert_allclose(made.e_p(ROW)[0], wanted, rtol=1e-12)


def scored(*errors: tuple[float, ...]) -> Both:
    """One whole forecast of one tick has met its truth, 0: each model with its own error by element."""
    made, d = scores([1], 1, d=len(errors[0])), len(errors[0])
    made.truth(tick(0, *[0.0] * d, fresh=True))
    made.predicted(tick(0, *[0.0] * d), np.array(errors)[None, :, None])
    made.truth(tick(1, *[0.0] * d))
    return made


nonzero = st.floats(1e-6, 1e6)


@given(nonzero, st.lists(st.one_of(st.just(math.nan), st.just(0.0), nonzero), min_size=M - 1, max_size=M - 1))
def test_ranking_of_one_element(naive: float, others: list[float]) -> None:
    """For d = 1 the ranking is E_p² over persistence's: 1 for persistence, infinite for who has no score."""
    made = scored((naive,), *((error,) for error in others))
    squares = np.square([naive, *others])
    wanted = np.where(np.isnan(squares), np.inf, squares / squares[0])
    np.testing.assert_allclose(made.ranking(ROW)[0], wanted, rtol=1e-12)
    np.testing.assert_array_equal(np.argsort(made.ranking(ROW)[0], kind="stable"), np.argsort(wanted, kind="stable"))
    e_p, ranking = made.e_p(ROW)[0].tolist(), made.ranking(ROW)[0].tolist()
    assert all(ranking[i] <= ranking[j] for i in range(M) for j in range(M) if e_p[i] < e_p[j])


def test_ranking_across_units() -> None:
    """With elements in very different units both count, though E_p sees the larger one alone."""
    made = scored((1e6, 1e-3), (0.9e6, 1e-2), (1.1e6, 0.5e-3), (math.nan, math.nan))
    assert made.e_p(ROW)[0].argsort().tolist() == [1, 0, 2, 3]
    assert made.ranking(ROW)[0] == pytest.approx([1.0, (0.81 + 100) / 2, (1.21 + 0.25) / 2, math.inf])


@given(st.lists(st.tuples(nonzero, nonzero), min_size=M, max_size=M), st.floats(1e-6, 1e6), st.integers(0, 1))
def test_ranking_has_no_unit(errors: list[tuple[float, float]], unit: float, element: int) -> None:
    """The ranking is the same in any unit of either element."""
    factor = np.where(np.arange(2) == element, unit, 1.0)
    ranking = scored(*errors).ranking(ROW)
    other = scored(*(tuple((np.array(error) * factor).tolist()) for error in errors)).ranking(ROW)
    np.testing.assert_allclose(ranking, other, rtol=1e-9)


def test_ranking_beside_a_perfect_persistence() -> None:
    """Where persistence has no error at all nothing ranks before it, and no ranking is undefined."""
    ranking = scored((0.0, 2.0), (0.0, 2.0), (0.1, 2.0), (math.nan, math.nan)).ranking(ROW)[0]
    assert ranking[0] == ranking[1] == 0.5
    assert ranking[0] < ranking[2] < ranking[3] == math.inf


def test_ranking_before_any_truth() -> None:
    """Before a whole forecast has met its truth every model ranks infinite, persistence too."""
    assert np.isinf(scores([1], 3, d=2).ranking(ROW)).all()


def test_reset() -> None:
    """After a reset the named models have no errors and no forecasts pending; the others keep theirs."""
    made, kept = scores([1, 3], 3), scores([1, 3], 3)
    rng = np.random.default_rng(0)
    for t in range(12):
        now, mean = tick(t, float(rng.normal()), fresh=t == 0), rng.normal(size=(1, M, 3, 1))
        for one in (made, kept):
            one.truth(now)
            one.predicted(now, mean)
        if t == 7:
            made.forget([2, 3])
            assert not made.weight[0, 2:].any()
            assert np.isnan(made.e_p_of_stream()[2:]).all()
            assert np.isnan(made.by_lead()[0][2:]).all()
        if t == 8:
            assert not made.weight[0, 2:, 1].any()
    np.testing.assert_array_equal(made.sums[:, :, :2], kept.sums[:, :, :2])
    np.testing.assert_array_equal(made.whole[:, :2], kept.whole[:, :2])
    assert (made.weight[0, 2:] < kept.weight[0, 2:]).all()


def test_reset_of_a_trajectory_under_way() -> None:
    """What old weights had forecast is no part of the new weights' E_p, even if the rest of it is missing."""
    made = scores([1], 3)
    made.truth(tick(0, 0.0, fresh=True))
    made.predicted(tick(0, 0.0), np.full((1, M, 3, 1), 9.0))
    made.truth(tick(1, 0.0))
    made.forget([3])
    for t in (2, 3):
        made.truth(tick(t, np.nan))
    assert made.e_p(ROW)[0].tolist() == [9.0, 9.0, 9.0, np.inf]


def test_pooled() -> None:
    """The stream's error is the mean of its series' own means; a series without weight does not count."""
    sums, weight = np.array([[6.0, 0.0], [0.0, 0.0], [8.0, 0.0]]), np.array([[3.0, 0.0], [0.0, 0.0], [2.0, 0.0]])
    np.testing.assert_array_equal(pooled(sums, weight), [3.0, np.nan])
    assert np.isnan(pooled(np.zeros((0, 2)), np.zeros((0, 2)))).all()


def test_growth() -> None:
    """More room leaves what is pending and what was scored; a series that begins there starts with nothing."""
    made = scores([1], 2)
    made.truth(tick(0, 0.0, fresh=True))
    made.predicted(tick(0, 0.0), np.full((1, M, 2, 1), 3.0))
    made.grow(4)
    made.restart(np.array([3]))
    made.truth(ticks_of([0, 3], np.zeros((2, 1)), 1))
    assert made.weight[:, 0, 0].tolist() == [1, 0, 0, 0]
    assert made.by_lead()[1][0].tolist() == [3.0]


@dataclass
class Trajectory:
    """A whole forecast under way: mean [M, h, d], and the squared errors of each model so far."""

    origin: int
    mean: Floats
    errors: list[list[float]] = field(default_factory=lambda: [[] for _ in range(M)])


@dataclass
class Oracle:
    """Remembers every pending forecast and every error, and takes means from their definition."""

    leads: list[int]
    horizon: int
    window: int
    pending: dict[tuple[int, int, int, int], Floats] = field(default_factory=dict)
    errors: dict[tuple[int, int, int], list[Floats]] = field(default_factory=lambda: defaultdict(list))
    trajectories: dict[int, Trajectory] = field(default_factory=dict)
    e_p: dict[tuple[int, int], list[float]] = field(default_factory=lambda: defaultdict(list))

    def truth(self, row: int, t: int, x: Floats, fresh: bool) -> None:
        if fresh:
            self.pending = {key: value for key, value in self.pending.items() if key[0] != row}
            self.trajectories.pop(row, None)
        for m in range(M):
            for lead in self.leads:
                predicted = self.pending.pop((row, m, lead, t), None)
                if predicted is not None and not np.isnan(predicted - x).any():
                    self.errors[row, m, lead].append(predicted - x)
        if row in self.trajectories:
            self.follow(row, t, x, self.trajectories[row])

    def follow(self, row: int, t: int, x: Floats, under_way: Trajectory) -> None:
        step = t - under_way.origin
        for m, errors in enumerate(under_way.errors):
            if not np.isnan(x).any():
                errors.append(float(np.square(under_way.mean[m, step - 1] - x).mean()))
            if step == self.horizon and errors and not math.isnan(sum(errors)):
                self.e_p[row, m].append(sum(errors) / len(errors))
        if step == self.horizon:
            del self.trajectories[row]

    def predicted(self, row: int, t: int, mean: Floats) -> None:
        for m in range(M):
            for lead in self.leads:
                self.pending[row, m, lead, t + lead] = mean[m, lead - 1]
        self.trajectories.setdefault(row, Trajectory(t, mean))

    def reset(self, models: list[int]) -> None:
        self.pending = {key: value for key, value in self.pending.items() if key[1] not in models}
        for memory in (self.errors, self.e_p):
            for key in [key for key in memory if key[1] in models]:
                del memory[key]  # type: ignore[arg-type]
        for under_way in self.trajectories.values():
            for m in models:
                under_way.errors[m].append(math.nan)

    def fading(self, values: list[float], every: int) -> float:
        """The exponential mean of what came every so many ticks."""
        return float(np.average(values, weights=np.exp(-every / self.window * np.arange(len(values))[::-1])))

    def by_lead(self, rows: int) -> tuple[Floats, Floats]:
        """RMSE and MAE [M, L]."""
        out = np.full((2, M, len(self.leads)), np.nan)
        for m in range(M):
            for i, lead in enumerate(self.leads):
                known = [errors for row in range(rows) if (errors := self.errors.get((row, m, lead)))]
                if known:
                    squares = [self.fading([float(np.square(e).mean()) for e in errors], 1) for errors in known]
                    sizes = [self.fading([float(np.abs(e).mean()) for e in errors], 1) for errors in known]
                    out[:, m, i] = math.sqrt(sum(squares) / len(known)), sum(sizes) / len(known)
        return out[0], out[1]

    def e_p_of(self, row: int, m: int) -> float:
        known = self.e_p.get((row, m))
        return math.sqrt(self.fading(known, self.horizon)) if known else math.inf


ROWS = 3
happenings = st.dictionaries(st.integers(0, ROWS - 1), st.sampled_from("nnnnnmf"), min_size=1)
"""A tick batch: for each of some rows the next tick, a missing one, or a fresh start after a gap."""
resets = st.lists(st.integers(0, M - 1), unique=True, min_size=1, max_size=2)


@settings(deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(1, 2), st.integers(0, 2**32 - 1))
def test_against_an_oracle(data: st.DataObject, horizon: int, d: int, seed: int) -> None:
    """Errors by lead and E_p agree with the oracle for any mix of missing ticks, restarts, resets and silent models."""
    leads = sorted(data.draw(st.sets(st.integers(1, horizon), min_size=1)))
    steps = data.draw(st.lists(happenings | resets, min_size=1, max_size=40))
    rng = np.random.default_rng(seed)
    made, oracle = scores(leads, horizon, d, 7, ROWS), Oracle(leads, horizon, 7)
    ticks = [-1] * ROWS
    for step in steps:
        if isinstance(step, list):
            made.forget(step)
            oracle.reset(step)
            continue
        rows = list(step)
        x, fresh = rng.normal(size=(len(rows), d)), []
        for i, row in enumerate(rows):
            fresh.append(ticks[row] < 0 or step[row] == "f")
            ticks[row] += int(rng.integers(1, 12)) if step[row] == "f" else 1
            x[i] = np.nan if step[row] == "m" and not fresh[i] else x[i]
        now = ticks_of(rows, x, [ticks[row] for row in rows], fresh)
        made.truth(now)
        for i, row in enumerate(rows):
            oracle.truth(row, ticks[row], x[i], fresh[i])
        due = ~np.isnan(x[:, 0]) & (rng.random(len(rows)) < 0.8)
        mean = forecasts(rng, (len(rows), M, horizon, d))
        mean[:, 3] = np.nan
        mean[rng.random(len(rows)) < 0.3, 2] = np.nan
        if due.any():
            made.predicted(now[due], mean[due])
        for i in np.flatnonzero(due).tolist():
            oracle.predicted(rows[i], ticks[rows[i]], mean[i])
    for found, wanted in zip(made.by_lead(), oracle.by_lead(ROWS), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9)
    e_p = [[oracle.e_p_of(row, m) for m in range(M)] for row in range(ROWS)]
    np.testing.assert_allclose(made.e_p(np.arange(ROWS)), e_p, rtol=1e-9)
    for m, of_stream in enumerate(made.e_p_of_stream()):
        squares = [e_p[row][m] ** 2 for row in range(ROWS) if math.isfinite(e_p[row][m])]
        wanted_of_stream = math.sqrt(sum(squares) / len(squares)) if squares else math.nan
        np.testing.assert_allclose(of_stream, wanted_of_stream, rtol=1e-9)
