"""Topics of a stream: where its forecasts go, and which topics are its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from streamer.config import Stream
from streamer.publish.outlet import Outlet


@dataclass
class Named:
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    extra: bytes = b""


def outlet(*, topics: str = "plant/#", **publish: Any) -> Outlet:
    fields = {"name": "plant", "topics": [topics], "thresholds": [{"name": "full", "above": 1.0}], "publish": publish}
    config = Stream.model_validate(fields)
    return Outlet(config, config.filters != config.topics, "streamer/status")


def test_where_forecasts_go() -> None:
    """The template's placeholders are the series, the stream and the labels."""
    assert outlet(topic="{stream}/f/{topic}/x").topics([Named("a/b"), Named("c")]) == ["plant/f/a/b/x", "plant/f/c/x"]
    labelled = outlet(topics="plant/{line}/+", topic="f/{line}/{topic}")
    assert labelled.topics([Named("plant/1/a", {"line": "1"})]) == ["f/1/plant/1/a"]


@pytest.mark.parametrize(
    ("topic", "own"),
    [
        ("forecast/plant/a", True),
        ("forecast/", True),
        ("forecast", False),
        ("forecasts/plant/a", False),
        ("forecast/plant/a/threshold/full", True),
        ("plant/a", False),
        ("homeassistant/device/streamer_plant_a_0123/config", True),
        ("homeassistant/device/streamer_/config", False),
        ("homeassistant/device/streamer_a b/config", False),
        ("homeassistant/device/other/config", False),
        ("homeassistant/device/streamer_a/state", False),
    ],
)
def test_own_topics(topic: str, own: bool) -> None:
    """Forecasts, crossings and announcements are the stream's own; what only looks like one is not."""
    assert outlet(home_assistant={}).owns(topic) == own


@pytest.mark.parametrize(
    ("topic", "own"),
    [
        ("f/plant/a/out", True),
        ("f/plant/a/out/threshold/full", True),
        ("f/plant/a/out/surprise", True),
        ("f/plant/a/in/surprise", False),
        ("f/plant/a/out/threshold/of anybody", False),
        ("f/plant/a/out/threshold/", False),
        ("f/plant/a/in", False),
        ("f/other/a/out", False),
        ("homeassistant/device/streamer_plant_a_0123/config", False),
    ],
)
def test_own_topics_with_an_end(topic: str, own: bool) -> None:
    """Where the template goes on after the series, crossings come after that; nothing is announced that is not on."""
    assert outlet(topic="f/{stream}/{topic}/out").owns(topic) == own
