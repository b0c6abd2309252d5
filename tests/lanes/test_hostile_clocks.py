"""Clocks that jump ahead and back, at the fast lane."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.ingest.clock import LATE, Clocks
from streamer.records import Message
from tests.streams import NOW, fast_lane, feed, message, resumed, sample, save, timed, untimed

YEARS = 10 * 365 * 86400.0
KINDS: dict[str, dict[str, Any]] = {"grid": {}, "ticks": {"interval": None}, "fill": {"fill": "last", "max_gap": 5}}


def at(topic: str, time: float, value: float, arrived: float) -> Message:
    return message(topic, json.dumps({"time": time, "value": value}).encode(), arrived)


@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_was_ahead_has_a_way_out(tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    """After one message of a time ten years ahead, the series is forecast again from the 17th message on, which the log
    and a counter tell; a daemon that was killed at any time goes on with the same forecasts."""
    config = timed(max_ahead=None, **KINDS["fill" if kind == "fill" else "grid"]).model_copy(
        update={"interval": KINDS[kind].get("interval", 1.0)}
    )
    fast = fast_lane(tmp_path / "whole", config)
    feed(fast, [at(name, NOW + t, t, NOW + t) for t in range(30) for name in ("plant/a", "plant/b")])
    save(fast)
    feed(fast, [at("plant/a", NOW + 30 + YEARS, 30, NOW + 30)])
    heard = [feed(fast, [at("plant/a", NOW + t, t, NOW + t)]) for t in range(31, 80)]
    assert next(i for i, some in enumerate(heard) if any(one["series"] == "plant/a" for one in some)) == LATE - 1
    assert all(heard[LATE:])
    assert fast.streams[0].index.clocks.sets_back == 1
    assert "set back stream=plant series='plant/a'" in caplog.text
    shutil.copytree(tmp_path / "whole", tmp_path / "killed")
    again = resumed(tmp_path / "killed", config)
    for t in range(80, 120):
        some = [at("plant/a", NOW + t, t, NOW + t), at("plant/b", NOW + t, t, NOW + t)]
        assert feed(again, some) == feed(fast, some)
    for one in (fast, again):
        assert [series.time for series in one.streams[0].series] == [NOW + 119] * 2
        one.journal.close()


def test_the_daemons_own_clock_that_was_ahead_has_a_way_out(tmp_path: Path) -> None:
    """Samples dated by their arrival, with a grid: the clock goes back by an hour, and the series goes on."""
    fast = fast_lane(tmp_path, untimed(interval=1.0))
    feed(fast, [message("plant/a", b"1", NOW + 3600 + t) for t in range(20)])
    heard = [feed(fast, [message("plant/a", b"1", NOW + t)]) for t in range(40)]
    assert [bool(some) for some in heard] == [False] * (LATE - 1) + [True] * (41 - LATE)
    fast.journal.close()


def test_a_backlog_that_comes_again_is_late(tmp_path: Path) -> None:
    """A thousand old messages within a second are none of a clock that was set back, nor is one retained message that
    comes at every reconnect, nor a delayed one for each that is in time."""
    fast = fast_lane(tmp_path, timed())
    feed(fast, [sample("plant/a", t, t) for t in range(1000)])
    feed(fast, [at("plant/a", t, t, NOW + t / 1000) for t in range(900)])
    feed(fast, [at("plant/a", 5, t, NOW + 60 * t) for t in range(100)])
    for t in range(1000, 1100):
        feed(fast, [at("plant/a", t, t, NOW + t), at("plant/a", t - 10, t, NOW + t)])
    (stream,) = fast.streams
    assert (stream.index.clocks.sets_back, stream.counts.samples) == (0, 1100)
    assert len(stream.index.clocks.late) <= 1
    fast.journal.close()


@given(pauses=st.lists(st.floats(0, 60), max_size=5), places=st.lists(st.integers(0, 899), min_size=5, max_size=5))
def test_a_backlog_that_comes_again_with_pauses_is_late(pauses: list[float], places: list[int]) -> None:
    """A backlog of a sensor that sends once a second is none of a clock that was set back, however the broker, or the
    daemon, pauses while it comes."""
    clocks, arrived = Clocks(), NOW
    for t in range(900):
        arrived += 0.01 + sum(pause for pause, place in zip(pauses, places, strict=False) if place == t)
        assert not clocks.disagree("plant/a", float(t), arrived)
