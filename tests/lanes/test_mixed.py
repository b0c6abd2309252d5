"""Several devices on one topic: who is warned, and who is not."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.lanes.mixed import ENOUGH, levels
from tests.streams import fast_lane, feed, sample, save, timed, untimed

T = np.arange(ENOUGH)
RNG = np.random.default_rng(3)
NOISE = RNG.normal(0, 0.2, ENOUGH)


@pytest.mark.parametrize(
    ("values", "count"),
    [
        (np.where(T % 2, 20, 5) + NOISE, 2),
        (np.array([5.0, 20, 60])[RNG.integers(0, 3, ENOUGH)] + NOISE, 3),
        (np.where(T % 2, 1.0, 0.0), 0),
        (np.where(T < 32, 20, 5) + NOISE, 0),
        (np.where(T % 16 < 8, 20, 5) + NOISE, 0),
        (20 + NOISE, 0),
        (np.sin(T / 3) * 10, 0),
        (np.cumsum(NOISE), 0),
        (np.zeros(ENOUGH), 0),
    ],
)
def test_levels(values: Any, count: int) -> None:
    """Levels that take turns are told; a switch, a step, a slow change and one level are not."""
    assert levels(np.asarray(values, float)) == count


def test_noise_is_not_several_devices() -> None:
    """Of a thousand series of noise, sines and walks not one is taken for several devices."""
    rng, told = np.random.default_rng(1), 0
    for i in range(1000):
        noise = rng.normal(0, 1, ENOUGH)
        told += levels((noise, np.cumsum(noise), np.sin(T * rng.uniform(0.05, 1)) * 3 + noise * 0.1)[i % 3]) > 0
    assert told == 0


def test_a_warning_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Two devices on one topic are told after a snapshot, once, with the remedy; a topic of one device is not."""
    fast = fast_lane(tmp_path, timed())
    for t in range(ENOUGH):
        feed(fast, [sample("plant/two", t, 20.1 + t % 3 * 0.1 - t % 2 * 15), sample("plant/one", t, t % 7 * 0.3)])
    with caplog.at_level(logging.WARNING, "streamer.ingest"):
        save(fast)
        save(fast)
    told = [one.getMessage() for one in caplog.records if "several devices" in one.getMessage()]
    assert len(told) == 1
    assert "'plant/two': values jump between 2 levels; name what tells them apart in payload.series" in told[0]
    fast.journal.close()


def test_named_devices_are_not_looked_at(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the payload names its series nobody looks."""
    payload = {"format": "json", "time": "time", "value": "value", "series": "time"}
    fast = fast_lane(tmp_path, untimed(payload=payload))
    feed(fast, [sample("plant/a", t, t % 2 * 9.0) for t in range(3)])
    save(fast)
    assert not fast.streams[0].index.looked
    assert not caplog.records
    fast.journal.close()
