"""Forecasts meet their truth: alignment on a ramp, and everything against an oracle that remembers all."""

import math
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.forecast.leads import LeadGrid
from streamer.forecast.score import Scores, pooled
from streamer.records import Floats, TickBatch
from tests.forecast.ticks import ticks_of

MODELS = ("persistence", "holt-winters", "memoryless", "traditional")
M = len(MODELS)
ROW = np.array([0])


def tick(t: int, *x: float, fresh: bool = False) -> TickBatch:
    """One tick of row 0."""
    return ticks_of([0], np.array([x]), t, fresh)


def scores(leads: list[int], horizon: int, d: int = 1, window: int = 10, rows: int = 1) -> Scores:
    made = Scores(MODELS, sorted({*leads, horizon}), d, window)
    made.grow(rows)
    made.restart(np.arange(rows))
    return made


def forget(made: Scores, models: list[int]) -> None:
    made.forget([MODELS[i] for i in models])


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


def test_changes_in_16_bits() -> None:
    """What was predicted comes back to a 30,000th of the largest change that was predicted at that tick, however high
    the series stands; "nothing changes" comes back exactly."""
    made, level = scores([1, 2], 2, d=2), 1e9
    mean = level + np.random.default_rng(0).normal(size=(1, M, 2, 2)) / 3
    mean[:, 0] = level
    made.truth(tick(0, level, level, fresh=True))
    made.predicted(tick(0, level, level), mean)
    made.truth(tick(1, level, level))
    off = abs(made.matured[0, :, 0] - mean[0, :, 0])
    assert (off < abs(mean - level).max((0, 1, 2)) / 30_000 + 2e-7).all()
    assert (off[0] == 0).all()


@pytest.mark.parametrize(("leads", "d"), [([1, 10, 40], 1), ([2, 40], 5)])
def test_memory(leads: list[int], d: int) -> None:
    """A series takes 2·M·d bytes per tick of each lead for its rings, and 12·d for each of the newest h ticks."""
    arrays = scores(leads, 40, d).arrays()
    assert arrays["ring"].nbytes == 2 * M * d * sum(leads)
    assert arrays["values"].nbytes + arrays["largest"].nbytes == 12 * d * 40


def test_a_wild_first_value() -> None:
    """A first value of 4294967295, which many devices send before they have measured, leaves later scores exact."""
    rng = np.random.default_rng(0)
    window, x, noise = 5, rng.normal(size=400) + 20, rng.normal(size=(400, M, 2))
    found = []
    for first in (4294967295.0, x[0]):
        made = scores([1, 2], 2, window=window)
        for t, value in enumerate([first, *x[1:]]):
            made.truth(tick(t, value, fresh=t == 0))
            made.predicted(tick(t, value), value + noise[t][None, ..., None])
        np.testing.assert_allclose(made.matured[0, :, 0, 0], x[-2] + noise[-2, :, 0], atol=2e-4)
        found.append(made.by_lead())
    for wild, tame in zip(*found, strict=True):
        np.testing.assert_allclose(wild, tame, rtol=1e-6)


@given(st.lists(st.floats(0.125, 8), min_size=3, max_size=3), st.integers(0, 2**32 - 1))
def test_e_p(sizes: list[float], seed: int) -> None:
    """E_p is the root of the mean square over all leads, between those of the grid by straight lines, eq. (15)."""
    grid = LeadGrid([1, 2, 5], 5)
    made = Scores(MODELS, [1, 2, 5], 1, 10)
    made.grow(1)
    made.sums[0, :, 0], made.sums[0, :, 1] = 2.0, 2.0 * np.square(sizes)[:, None]
    one, two, five = np.square(sizes)
    wanted = math.sqrt((one + two + (2 * two + five) / 3 + (two + 2 * five) / 3 + five) / 5)
    np.testing.assert_allclose(made.e_p(grid), wanted, rtol=1e-6)


@pytest.mark.parametrize("first", [1e30, -1e150])
def test_an_error_beyond_all_bounds_fades(first: float) -> None:
    """After a first value that no forecast could meet, errors are what they would be without it, and never infinite."""
    made = scores([1], 1, window=1)
    for t in range(400):
        now = tick(t, first if t == 0 else 1.0, fresh=t == 0)
        made.truth(now)
        made.predicted(now, np.full((1, M, 1, 1), first if t == 0 else 1.5))
        assert not np.isinf(made.by_lead()).any()
    rmse, mae = made.by_lead()
    assert rmse[:, 0] == pytest.approx(0.5, rel=1e-3)
    assert mae[:, 0] == pytest.approx(0.5, rel=1e-3)


def test_ramp() -> None:
    """On y_t = t a perfect forecaster has no error at any lead, one late or early by a step has 1, to four digits."""
    horizon, leads = 4, [1, 2, 4]
    made = scores(leads, horizon)
    shift = np.array([np.nan, -1.0, 1.0, 0.0])
    for t in range(30):
        now = tick(t, float(t), fresh=t == 0)
        made.truth(now)
        made.predicted(now, (t + 1.0 + np.arange(horizon) + shift[:, None])[None, ..., None])
    rmse, mae = made.by_lead()
    wanted = np.abs(shift)[:, None] * np.ones(len(leads))
    np.testing.assert_allclose(rmse, wanted, atol=3e-4)
    np.testing.assert_allclose(mae, wanted, atol=3e-4)
    assert not rmse[shift == 0].any()


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
            assert made.matured[0, 1, :, 0] == pytest.approx([100 * (t - 1) + 1, 100 * (t - 3) + 3], rel=1e-4)
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


def test_restart() -> None:
    """After a long gap nothing that was predicted before it is scored."""
    made = scores([1, 2], 2)
    made.truth(tick(0, 0.0, fresh=True))
    made.predicted(tick(0, 0.0), np.full((1, M, 2, 1), 7.0))
    for t in (101, 102):
        made.truth(tick(t, 0.0, fresh=t == 101))
    assert not made.weight.any()


nonzero = st.floats(1e-6, 1e6)


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
            forget(made, [2, 3])
            assert not made.weight[0, 2:].any()
            assert np.isnan(made.by_lead()[0][2:]).all()
        if t == 8:
            assert not made.weight[0, 2:, 1].any()
    np.testing.assert_array_equal(made.sums[..., :2], kept.sums[..., :2])
    assert (made.weight[0, 2:] < kept.weight[0, 2:]).all()


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
    assert made.by_lead()[1][0, 0] == 3.0


@dataclass
class Oracle:
    """Remembers every pending forecast and every error, and takes means from their definition."""

    leads: list[int]
    horizon: int
    window: int
    pending: dict[tuple[int, int, int, int], Floats] = field(default_factory=dict)
    errors: dict[tuple[int, int, int], list[Floats]] = field(default_factory=lambda: defaultdict(list))

    def truth(self, row: int, t: int, x: Floats, fresh: bool) -> None:
        if fresh:
            self.pending = {key: value for key, value in self.pending.items() if key[0] != row}
        for m in range(M):
            for lead in self.leads:
                predicted = self.pending.pop((row, m, lead, t), None)
                if predicted is not None and not np.isnan(predicted - x).any():
                    self.errors[row, m, lead].append(predicted - x)

    def predicted(self, row: int, t: int, mean: Floats) -> None:
        for m in range(M):
            for lead in self.leads:
                self.pending[row, m, lead, t + lead] = mean[m, lead - 1]

    def reset(self, models: list[int]) -> None:
        self.pending = {key: value for key, value in self.pending.items() if key[1] not in models}
        for key in [key for key in self.errors if key[1] in models]:
            del self.errors[key]

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


ROWS = 3
happenings = st.dictionaries(st.integers(0, ROWS - 1), st.sampled_from("nnnnnmf"), min_size=1)
"""A tick batch: for each of some rows the next tick, a missing one, or a fresh start after a gap."""
resets = st.lists(st.integers(0, M - 1), unique=True, min_size=1, max_size=2)


@given(st.data(), st.integers(1, 5), st.integers(1, 2), st.integers(0, 2**32 - 1))
def test_against_an_oracle(data: st.DataObject, horizon: int, d: int, seed: int) -> None:
    """Errors by lead agree with the oracle for any mix of missing ticks, restarts, resets and silent models."""
    leads = sorted({*data.draw(st.sets(st.integers(1, horizon), min_size=1)), horizon})
    steps = data.draw(st.lists(happenings | resets, min_size=1, max_size=40))
    rng = np.random.default_rng(seed)
    made, oracle = scores(leads, horizon, d, 7, ROWS), Oracle(leads, horizon, 7)
    ticks = [-1] * ROWS
    for step in steps:
        if isinstance(step, list):
            forget(made, step)
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
        mean = rng.normal(size=(len(rows), M, horizon, d))
        mean[:, 3] = np.nan
        mean[rng.random(len(rows)) < 0.3, 2] = np.nan
        if due.any():
            made.predicted(now[due], mean[due])
        for i in np.flatnonzero(due).tolist():
            oracle.predicted(rows[i], ticks[rows[i]], mean[i])
    for found, wanted in zip(made.by_lead(), oracle.by_lead(ROWS), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=5e-4)
