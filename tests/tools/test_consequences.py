"""What `streamer check` says of each stream."""

from typing import Any

import pytest

from streamer.config import Metrics, Stream
from streamer.tools.consequences import consequences, duration


def stream(name: str = "s", *topics: str, **keys: Any) -> Stream:
    return Stream(name=name, topics=[*(topics or ("t",))], **keys)


def told(*streams: Stream) -> list[str]:
    return list(consequences(streams, Metrics()))


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (
            {"interval": 300.0},
            "horizon 3 h 20 min; seasons: day (288 ticks), week (2,016 ticks); "
            "first network after 1.7 days, then every 17 days at this rate, sooner where errors grow, each trained on "
            "the newest 69 days",
        ),
        (
            {"retrain": {"minimum": 800, "every": 900}},
            "horizon 40 samples; seasons: day, week; "
            "first network after 800 samples, then every 900 samples at this rate, sooner where errors grow, each "
            "trained on the newest 20,000 samples",
        ),
        (
            {"interval": 0.02, "season": [7, 100], "forecasters": ["linear"]},
            "horizon 0.8 s; seasons: 7 ticks, 100 ticks; no network, as forecasters names none",
        ),
        (
            {"interval": 60.0, "season": None, "retrain": {"every": 0}},
            "horizon 40 min; no season; no network, as retrain.every is 0",
        ),
        (
            {"interval": 60.0, "season": None, "retrain": {"every": 0}, "aggregate": "mean", "grace": 90.0},
            "forecasts the mean of the readings of a tick; a tick without a later reading closes 1 min 30 s after its "
            "end; horizon 40 min; no season; no network, as retrain.every is 0",
        ),
        (
            {"season": None, "retrain": {"every": 0}, "difference": {"per": "hour"}},
            "forecasts what was counted per hour; horizon 40 samples; no season; no network, as retrain.every is 0",
        ),
    ],
)
def test_a_line_for_each_stream(keys: dict[str, Any], line: str) -> None:
    """What is forecast where that is no reading, horizon, seasons and trainings are told, in time where an interval is
    known, else in samples."""
    assert told(stream(**keys)) == [f"s: {line}"]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"highest": 100.0, "thresholds": [{"name": "a", "above": 100.0}]}, None),
        ({"highest": 100.0, "thresholds": [{"name": "a", "above": 101.0}]}, "thresholds.0 is never announced"),
        ({"lowest": 0.0, "thresholds": [{"name": "a", "below": -1.0}]}, "thresholds.0 is never announced"),
        ({"clip": (0, 9), "thresholds": [{"name": "a", "above": 10.0}]}, "no value can be above 10"),
        ({"lowest": 5.0, "thresholds": [{"name": "a", "above": 5.0}]}, "thresholds.0 is announced all the time"),
        ({"highest": 5.0, "thresholds": [{"name": "a", "below": 6.0}]}, "thresholds.0 is announced all the time"),
        ({"lowest": 5.0, "thresholds": [{"name": "a", "below": 5.0}]}, None),
        ({"clip": (0, 9), "lowest": 10.0}, "lowest and highest reject every value that clip leaves"),
        ({"season": 5000, "retrain": {"window": 4000}}, "no network is trained on a whole season of 5000"),
        ({"season": 5000, "retrain": {"window": 4000, "every": 0}}, None),
        ({"season": 4000, "retrain": {"window": 4000}}, None),
        ({"interval": 60.0, "forget_after": 60.0}, "a series can be forgotten between two of its samples"),
        ({"interval": 60.0, "forget_after": 61.0}, None),
    ],
)
def test_what_is_hardly_meant(keys: dict[str, Any], line: str | None) -> None:
    """Thresholds that no value or every value crosses, bounds that leave nothing, seasons longer than what is trained
    on and series that are forgotten at once are told; what is just possible is not."""
    found = told(stream(**keys))[1:]
    assert len(found) == (line is not None)
    assert line is None or line in found[0]


def test_what_can_never_match() -> None:
    """A stream all of whose filters earlier ones cover is told, with their names; else each filter that is covered."""
    streams = stream("all", "a/#"), stream("one", "a/b"), stream("two", "a/+/{c}", "b"), stream("three", "b", "a/x")
    assert [line for line in told(*streams) if "shadowed" in line] == [
        "one: this stream can never match: shadowed by all",
        "two: a/+/{c} never matches here: shadowed by all",
        "three: this stream can never match: shadowed by two, all",
    ]


def test_a_narrower_stream_before_a_wider_one_shadows_nothing() -> None:
    """The order that is meant: the special one first."""
    assert not any("shadowed" in line for line in told(stream("one", "a/b"), stream("all", "#"), stream("other", "$x")))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0.4 s"),
        (59.9, "59.9 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (3599.9, "1 h"),
        (12_000, "3 h 20 min"),
        (86_400, "1 day"),
        (150_000, "1.7 days"),
        (1_500_000, "17 days"),
        (10**8, "1,157 days"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    """Two units at most, rounded as people round."""
    assert duration(seconds) == words
