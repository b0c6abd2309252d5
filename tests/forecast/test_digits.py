"""Series whose changes are far smaller than their values: nothing between a sample and its publication rounds them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.config import Metrics
from streamer.records import Floats
from streamer.stream.state import StreamState
from tests.forecast.ticks import ticks_of
from tests.streams import SMALL, fast_lane, feed, sample, timed

FIELDS: dict[str, Any] = {"forecasters": "auto", "season": 20, "model": {**SMALL, "k": 5}, "retrain": {"every": 0}}
WAVE = np.sin(2 * np.pi * np.arange(3000) / 20) + np.random.default_rng(0).normal(0, 0.05, 3000)


def error(directory: Path, values: Floats, skip: int) -> float:
    """Mean absolute error of the forecasts that are published after so many of these samples, over all leads."""
    fast = fast_lane(directory, timed(**FIELDS))
    out = [one["mean"] for t, x in enumerate(values.tolist()) for one in feed(fast, [sample("plant/a", t, x)])]
    fast.journal.close()
    made = np.array(out[skip - 1 : -10])
    truth = np.lib.stride_tricks.sliding_window_view(values[skip + 1 :], 10)[: len(made)]
    return float(np.abs(made - truth).mean())


@pytest.mark.parametrize(("level", "size"), [(0.0, 1.0), (1e9, 0.002), (1e12, 1.0), (-1e6, 1e-4)])
def test_a_small_wave_on_a_high_level(tmp_path: Path, level: float, size: float) -> None:
    """A wave of 0.002 around 1e9 is forecast and published as well, in its own units, as one of 1 around 0."""
    assert error(tmp_path, level + size * WAVE[:1000], 500) < 0.12 * size


def test_a_counter_of_thirteen_digits(tmp_path: Path) -> None:
    """A meter that stands at a million millions is forecast as well as one that began at 0, to a part of a count."""
    counts = np.cumsum(np.random.default_rng(1).integers(0, 6, 800)).astype(np.float64)
    new = error(tmp_path / "new", counts, 400)
    assert error(tmp_path / "old", 1_234_567_890_123.0 + counts, 400) == pytest.approx(new, rel=0.01)


def stepped(values: Floats) -> StreamState:
    """A stream with one series that has taken in these samples and forecast after each."""
    made = StreamState(timed(**FIELDS), Metrics())
    made.add(1, "plant/a")
    for t, x in enumerate(values.tolist()):
        made.panel.step(one := ticks_of([0], np.array([[x]]), t, fresh=t == 0))
        made.panel.forecast(one)
    return made


def said(made: StreamState, tick: int) -> dict[str, Floats]:
    """What each model says after the sample of this tick."""
    mean = made.panel.predict(ticks_of([0], made.panel.newest[:1], tick))
    return {name: mean[0, m, :, 0] for m, name in enumerate(made.panel.models)}


@pytest.mark.parametrize("first", [0.0, 2e8, -4e7])
def test_a_first_sample_far_from_all_others(first: float) -> None:
    """After a first sample of 0, or a wild one, differences are soon kept from where the series is, not from where it
    began: a wave around 1e8 has its digits."""
    values = np.concatenate([[first], 1e8 + WAVE[1:1500]])
    made = stepped(values)
    assert (
        np.abs([made.panel.shared.seasons.origin[0, 0] - 1e8, made.panel.shared.experts.origin[0, 0] - 1e8]) < 2
    ).all()
    np.testing.assert_allclose(said(made, 1499)["last-20"][:6], values[1480:1486], atol=1e-6)


def test_a_moved_origin_changes_no_forecast() -> None:
    """Wherever least squares keep differences from, all models say the same: at once to single precision, after more
    samples to what a gain is off by that rounding puts at the next of its 8-bit codes."""
    one, other = stepped(WAVE[:200]), stepped(WAVE[:200])
    other.panel.shared.experts.move_origin(np.zeros(1, np.int64), np.array([[2.5]]))
    for tick in range(200, 240):
        wanted = said(one, tick - 1)
        for name, found in said(other, tick - 1).items():
            np.testing.assert_allclose(found, wanted[name], atol=1e-6 if tick == 200 else 5e-3, err_msg=name)
        for stream in (one, other):
            stream.panel.step(batch := ticks_of([0], np.array([[WAVE[tick]]]), tick))
            stream.panel.forecast(batch)


def test_an_ordinary_series_keeps_its_origin() -> None:
    """Of a series that stays within a thousand of its deviations the origin is the first value."""
    made = stepped(20 + WAVE[:300])
    assert made.panel.shared.experts.origin[0, 0] == 20 + WAVE[0]
