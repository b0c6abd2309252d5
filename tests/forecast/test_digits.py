"""Series whose changes are far smaller than their values: nothing between a sample and its publication rounds them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.records import Floats
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
