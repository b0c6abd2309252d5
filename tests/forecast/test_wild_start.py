"""Whatever the first values of a series are, what is published is soon what it would have been without them."""

import numpy as np
import pytest

from streamer.config import Metrics, Stream
from streamer.forecast.guard import START
from streamer.forecast.panel import Panel
from streamer.records import Floats, TickBatch

HORIZON, FOLLOWED = 6, 1000


def panel(rows: int) -> Panel:
    model = {"m": 10, "k": 3, "p": 2, "n": 4}
    config = Stream(name="a", topics=["#"], interval=3600.0, model=model)  # type: ignore[arg-type]
    made = Panel.begin(config, Metrics())
    for part in made.parts():
        part.grow(rows)
    made.begin_rows(np.arange(rows))
    return made


def run(x: Floats) -> Floats:
    """What is published after each of the hourly samples x [T, N] of N series, [T, N, h]; all but the first."""
    count, made, said = x.shape[1], panel(x.shape[1]), []
    for t, now in enumerate(x):
        at, time = np.full(count, t), np.full(count, 3600.0 * t)
        made.step(batch := TickBatch(np.arange(count), now[:, None], at, time, at == 0, time))
        said.append(made.forecast(batch).published[:, :, 0] if t else np.full((count, HORIZON), np.nan))
    return np.array(said)


def days(count: int) -> Floats:
    """Hourly samples with a day, a slow drift and noise."""
    rng, t = np.random.default_rng(0), np.arange(count)
    drift = 0.1 * rng.normal(size=count).cumsum()
    wave: Floats = 20 + 10 * np.sin(2 * np.pi * t / 24) + drift + 0.5 * rng.normal(size=count)
    return wave


@pytest.mark.parametrize("level", [0.0, 1e8])
def test_wild_readings_at_the_start(level: float) -> None:
    """One or three wild readings among the first twenty: over the next 1,000 clean samples the error of what is
    published is at most 1.05 times an undisturbed twin's, over all leads and at lead 1, also at a level of 1e8."""
    clean = level + days(20 + FOLLOWED + HORIZON)
    faults = [(at, n, wild) for at in (0, 1, 5, 6, 15) for n in (1, 3) for wild in (6553.5, 1e6, -1e30)]
    x = np.repeat(clean[:, None], 1 + len(faults), 1)
    for i, (at, n, wild) in enumerate(faults, 1):
        x[at : at + n, i] = wild
    said = run(x)
    truth = np.lib.stride_tricks.sliding_window_view(clean[1:], HORIZON)
    off = np.abs(said[: len(truth)] - truth[:, None])
    for i, (at, n, wild) in enumerate(faults, 1):
        after = slice(max(at + n, 1), at + n + FOLLOWED)
        for leads in (slice(None), slice(1)):
            ratio = off[after, i, leads].mean() / off[after, 0, leads].mean()
            assert ratio < 1.05, (at, n, wild, leads)


def test_until_a_start_is_known_persistence_speaks() -> None:
    """Before the START-th value, what is published is the newest value, whatever the others say."""
    x = np.stack([days(40), days(40)], 1)
    x[1, 1] = 1e6
    said = run(x)
    np.testing.assert_array_equal(said[1 : START - 1], np.repeat(x[1 : START - 1, :, None], HORIZON, 2))
    assert (said[START + 5 :, 0, 0] != x[START + 5 :, 0]).all()


def test_a_sensor_that_first_sends_zeros() -> None:
    """After 30 zeros in place of values, forecasts of a week later are as good as without them."""
    clean = days(600)
    x = np.repeat(clean[:, None], 2, 1)
    x[:30, 1] = 0.0
    off = np.abs(run(x)[200:-1, :, 0] - clean[201:, None]).mean(0)
    assert off[1] < 1.05 * off[0]
