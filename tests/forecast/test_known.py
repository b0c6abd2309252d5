"""What a network that predicts changes is given, live and in training, beside values of its own arithmetic."""

from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from streamer.config import Stream
from streamer.forecast.known import Waves
from streamer.forecast.network import NetworkForecaster
from streamer.forecast.scale import running_units
from streamer.models import build
from streamer.records import Floats, TickBatch
from tests.models.reference import live

HOUR = 3600.0
MONDAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()


def stream(**fields: object) -> Stream:
    given = {"interval": HOUR, "model": {"k": 4, "p": 3, "n": 7, "cell": "rnn"}, **fields}
    return Stream.model_validate({"name": "a", "topics": ["#"], **given})


def test_known_inputs_tell_the_hour_and_the_weekday() -> None:
    """After a sample of Monday 05:00 they are cosine and sine of 06:00, a quarter of the day, once and twice around."""
    of = stream()
    (known,) = Waves(of, of.sizes.horizon).next(np.array([5]), np.array([MONDAY + 5 * HOUR]))
    week = 2 * np.pi / 28
    expected = [0, 1, -1, 0, np.cos(week), np.sin(week), np.cos(2 * week), np.sin(2 * week)]
    np.testing.assert_allclose(known, expected, atol=1e-6)


def test_a_cycle_in_ticks_is_known_without_an_interval() -> None:
    """Where a season is given in ticks the place in it follows from the tick; the day needs an interval."""
    of = stream(interval=None, season=8)
    (known,) = Waves(of, of.sizes.horizon).next(np.array([9]), np.array([np.nan]))
    np.testing.assert_allclose(known, [0, 1, -1, 0], atol=1e-6)
    assert stream(interval=None).sizes.c == 0
    assert stream(model={"form": "paper"}).sizes.c == 0


def test_coming_inputs_are_the_next_ones_of_later_ticks() -> None:
    """What is known of tick t + i + 1 at tick t is what is known of the next tick at t + i."""
    of = stream(timezone="Europe/Berlin")
    known, ticks = Waves(of, of.sizes.horizon), np.arange(12)
    times: Floats = MONDAY + HOUR * ticks.astype(np.float64)
    (coming,) = known.coming(ticks[:1], times[:1])
    later = known.next(ticks, times)[1:]
    np.testing.assert_allclose(coming, later, atol=1e-6)


@pytest.mark.parametrize("missing", [(), (17, 18, 29)])
def test_live_it_is_what_the_equations_say(missing: tuple[int, ...]) -> None:
    """Samples with gaps go through running units and known inputs to the state and the forecast of the equations."""
    torch.manual_seed(2)
    of = stream()
    made = NetworkForecaster.of(build("memoryless", of.sizes).requires_grad_(False), of, 1)
    made.grow(3)
    x = 50 + np.random.default_rng(0).normal(size=(40, 1)).cumsum(0)
    x[list(missing)] = np.nan
    for t, value in enumerate(x):
        time = np.array([np.nan if t in missing else MONDAY + t * HOUR])
        batch = TickBatch(np.array([1]), value[None], np.array([t]), time, np.array([t == 0]), time)
        made.step(batch)
    times: Floats = MONDAY + HOUR * np.arange(len(x), dtype=np.float64)
    state, ahead = live(made.network, x[:, 0], times, HOUR, of.sizes.horizon)
    np.testing.assert_allclose(made.s[1], state, atol=1e-5)
    np.testing.assert_allclose(made.forecast(batch)[0], ahead, rtol=1e-5)


def test_units_of_a_whole_series_are_those_after_each_sample() -> None:
    """The training's pass over a series gives the mean and deviation that a live series has at each tick."""
    of = stream()
    made = NetworkForecaster.of(build("memoryless", of.sizes).requires_grad_(False), of, 1)
    made.grow(2)
    x = np.random.default_rng(1).normal(size=(300, 1)).cumsum(0)
    x[[5, 6, 250]] = np.nan
    mean, unit = running_units(x)
    for t, value in enumerate(x):
        made.scale.learn(np.array([1]), value[None])
        np.testing.assert_array_equal(made.scale.mean[1], mean[t])
        np.testing.assert_array_equal(made.scale.sd(np.array([1]))[0], unit[t])
