"""The linear experts, against the same formulas in plain double precision, and what they must do for users."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.config import Metrics, Stream
from streamer.forecast import factor
from streamer.forecast import least_squares as linear
from streamer.forecast.leads import grid_of
from streamer.records import Floats, TickBatch
from streamer.stream.state import StreamState

HORIZON = 6


def stream(d: int = 1, **fields: Any) -> StreamState:
    shape = {"payload": {"format": "array", "d": d}, "model": {"m": 10, "k": 3, "p": 2, "n": 4, "cell": "rnn"}}
    made = StreamState(Stream(name="a", topics=["#"], **{**shape, "interval": 1.0, **fields}), Metrics())
    made.add(1, "a")
    return made


def batch(tick: int, x: Floats, fresh: bool = False) -> TickBatch:
    at = np.array([float(tick)])
    return TickBatch(np.array([0]), x[None], np.array([tick]), at, np.array([fresh or tick == 0]), at)


def run(made: StreamState, values: Floats, *, guarded: bool = True) -> NDArray[np.float64]:
    """What the experts say after each of the values [T, d], from the guard or as they are: [T, E, h, d]."""
    step = made.panel.step if guarded else made.panel.shared.step
    said = []
    for tick, x in enumerate(values):
        step(now := batch(tick, x))
        names = [name for name in made.panel.models if name.startswith("linear")]
        said.append([made.panel.forecasters[name].forecast(now)[0] for name in names])
    return np.array(said)


def coarse(gain: Floats) -> Floats:
    """What is left of a gain in 8 bits: steps of the root of its size, relative to the largest."""
    largest = abs(gain).max()
    kept: Floats = np.sign(gain) * np.square(np.rint(127 * np.sqrt(abs(gain) / largest)) / 127) * largest
    return kept


class Oracle:
    """One expert without a cycle, of one element, written down from the formulas with everything remembered."""

    def __init__(self) -> None:
        self.leads, self.p = grid_of(HORIZON), np.eye(linear.FEATURES) / factor.RIDGE
        self.w = np.zeros((len(self.leads), linear.FEATURES))
        self.size, self.met = np.full(len(self.leads), linear.FIRST_SIZE), np.zeros(len(self.leads))
        self.x: list[float] = []
        self.means, self.delta = np.zeros(len(linear.MEANS)), 0.0
        self.waiting: dict[int, tuple[Floats, Floats, float, float]] = {}

    def step(self, x: float) -> Floats:
        t = len(self.x)
        self.x.append(x)
        for k, lead in enumerate(self.leads):
            if t - lead in self.waiting and t - 1 >= linear.STEADY:
                phi, gain, base, scale = self.waiting[t - lead]
                error = (x - base) / scale - self.w[k] @ phi
                size = self.size[k]
                self.w[k] += gain * np.clip(error, -factor.CUT * size, factor.CUT * size)
                self.met[k] += 1
                size += (min(abs(error), factor.WILD * size) - size) / min(self.met[k], factor.LONG)
                self.size[k] = max(size, factor.LEAST_SIZE)
        if t:
            self.delta += (abs(x - self.x[-2]) - self.delta) / min(t, factor.LONG)
        self.means += np.maximum(1 / linear.MEANS, 1 / (t + 1)) * (x - self.x[0] - self.means)
        if t < linear.STEADY or self.delta <= 0:
            return np.full(HORIZON, np.nan)
        past = [self.x[max(t - i, 0)] for i in range(linear.LAGS)]
        means = self.means - (x - self.x[0])
        phi = np.array([*(value - x for value in past[1:]), *means, 0.0, self.delta]) / self.delta
        phi = phi.clip(-linear.LARGEST, linear.LARGEST)
        projected = self.p @ phi
        gain = projected / (1 + phi @ projected)
        self.p -= np.outer(gain, projected)
        self.waiting[t] = phi, coarse(gain), x, self.delta
        ahead: Floats = x + self.delta * np.interp(np.arange(1, HORIZON + 1), self.leads, self.w @ phi)
        return ahead


@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e6])
@pytest.mark.parametrize("seed", range(8))
def test_the_formulas(seed: int, unit: float) -> None:
    """In single precision, with features made again, it says what the formulas say in double, in any unit.

    The seeds are fixed: of thousands, one has a gain just between two codes, and is off by a tenth.
    """
    rng = np.random.default_rng(seed)
    values = unit * (np.sin(np.arange(80) / 3) + 0.1 * rng.normal(size=80))
    found, oracle = run(stream(season=None), values[:, None], guarded=False)[:, 0, :, 0], Oracle()
    wanted = np.array([oracle.step(x) for x in values.tolist()])
    np.testing.assert_array_equal(np.isnan(found), np.isnan(wanted))
    np.testing.assert_allclose(found / unit, wanted / unit, atol=0.04)


def test_elements_are_experts_of_their_own() -> None:
    """Each element of a sample is forecast as if it were alone, to the last bit."""
    values = np.random.default_rng(0).normal(size=(60, 2)).cumsum(0)
    both = run(stream(2), values)
    for element in range(2):
        np.testing.assert_array_equal(both[..., element], run(stream(), values[:, element, None])[..., 0])


def test_a_pattern_is_learned() -> None:
    """A wave that two values determine is forecast within a few hundred samples, at every lead of the grid."""
    values = np.sin(np.arange(600) / 4) + 3
    said = run(stream(season=None), values[:, None])[:, 0, :, 0]
    errors = [abs(said[400 : 599 - k, k - 1] - values[400 + k : 599]).mean() for k in grid_of(HORIZON)]
    assert max(errors) < 0.05 * abs(np.diff(values)).mean()


def test_a_cycle_helps() -> None:
    """Where a day is all there is, the expert that knows the day has a small part of the error of the one without."""
    day = np.random.default_rng(1).normal(size=24)
    values = np.tile(day, 60) + 0.05 * np.random.default_rng(2).normal(size=24 * 60)
    said = run(stream(interval=3600.0, season=24), values[:, None])[:, :, 0, 0]
    plain, seasonal = abs(said[-240:-1] - values[-239:, None]).mean(0)
    assert seasonal < 0.3 * plain


@pytest.mark.parametrize("glitch", [6553.5, -1e30, 1e6, 0.0])
def test_it_recovers_from_a_glitch(glitch: float) -> None:
    """One wild value costs no more than the horizon and the lags that see it: afterwards errors are as they were."""
    values = 20 + np.sin(np.arange(1200) / 4) + 0.05 * np.random.default_rng(0).normal(size=1200)
    wild = values.copy()
    wild[600] = glitch
    errors = [abs(run(stream(season=None), x[:, None])[900:-1, 0, 0, 0] - x[901:]).mean() for x in (values, wild)]
    assert errors[1] < 1.5 * errors[0]


def test_missing_ticks_and_a_fresh_start() -> None:
    """Ticks without a value teach nothing and say nothing wrong: forecasts stay finite, also after a long gap."""
    made, values = stream(season=None), np.sin(np.arange(200) / 4)
    for tick, x in enumerate(values):
        missing = tick % 7 == 3
        made.panel.step(batch(tick, np.array([np.nan if missing else x])))
    made.panel.step(now := batch(500, np.array([0.5]), fresh=True))
    assert np.isfinite(made.panel.forecasters["linear"].forecast(now)).all()


@pytest.mark.parametrize("season", [24, None])
def test_long_constants_ramps_and_heavy_tails(season: int | None) -> None:
    """After a long constant, on a sawtooth and on a meter of heavy-tailed steps, least squares do not diverge: the
    mixture is no worse than persistence by more than a quarter."""
    rng = np.random.default_rng(0)
    day = 10 + 5 * np.sin(2 * np.pi * np.arange(6000) / 24) + rng.normal(0, 0.3, 6000)
    series = {
        "constant": np.concatenate([rng.normal(size=200), np.zeros(20_000), day]),
        "sawtooth": np.arange(12_000) % 1000.0,
        "meter": np.cumsum(np.exp(3 * rng.normal(size=12_000))),
    }
    for name, x in series.items():
        made = stream(season=season)
        sizes = np.full((len(x), len(made.panel.models)), np.nan)
        for tick in range(len(x) - 1):
            made.panel.step(now := batch(tick, x[tick : tick + 1]))
            sizes[tick] = np.abs(made.panel.forecast(now).mean[0, :, 0, 0] - x[tick + 1])
        wanted = [made.panel.models.index(model) for model in ("mix", "persistence")]
        mix, persistence = sizes[-4000:-1, wanted].mean(axis=0)
        assert mix < 1.25 * persistence, name


@pytest.mark.parametrize("spoilt", [np.nan, -1.0])
def test_spoilt_numbers_are_replaced(spoilt: float) -> None:
    """Where rounding has made P indefinite or weights infinite, that expert begins anew and learns again."""
    made, rng = stream(season=None), np.random.default_rng(0)
    x = np.sin(np.arange(3000) / 5)[:, None] + rng.normal(0, 0.01, (3000, 1))
    run(made, x[:500])
    made.panel.shared.experts.arrays()["factor"][:] = spoilt
    made.panel.shared.experts.arrays()["w"][:] = np.nan
    said = []
    for tick in range(500, 2999):
        made.panel.step(now := batch(tick, x[tick]))
        said.append(made.panel.forecasters["linear"].forecast(now)[0, 0, 0])
    late = slice(-500, None)
    assert np.abs(np.array(said)[late] - x[501:, 0][late]).mean() < 0.05
