"""Topics that anybody may publish on: each is a series whose forecasts a broker takes, or is rejected and counted."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.lanes.fast import LONGEST_NAME
from streamer.mqtt.encoder import Publishes
from streamer.publish.outlet import MOST_SLASHES
from streamer.records import UNREADABLE
from tests.streams import fast_lane, process, resumed, sample, timed

THRESHOLDS = [{"name": "high", "above": 0.5}]
LEVELS = st.lists(st.text(st.characters(exclude_characters="\0+#/", exclude_categories=["Cs"]), max_size=4), max_size=8)
TOPICS = st.one_of(
    LEVELS.map("/".join),
    st.integers(150, 260).map(lambda count: "/" * count),
    st.integers(900, 70_000).map(lambda count: "é" * count),
)


@given(st.lists(TOPICS, max_size=4))
@settings(max_examples=60)
def test_any_topic(topics: list[str]) -> None:
    """Whatever the topic, what comes of its samples can be published: encoded, and of no more levels than mosquitto
    takes; or the series is rejected by its name."""
    with TemporaryDirectory() as name:
        fast = fast_lane(Path(name), timed(topics=["#"], thresholds=THRESHOLDS), availability="online")
        (stream,) = fast.streams
        out = process(fast, [sample(topic, t, 1.0) for t in range(3) for topic in topics if topic])
        publishes = Publishes(five=True)
        for one in out:
            publishes.encode(one, 1)
            assert one.topic.count("/") <= MOST_SLASHES
        known = {one.name for one in stream.series}
        assert all(
            topic in known for topic in topics if 0 < len(topic) < 100 and not topic.startswith(("$", "forecast/"))
        )
        fast.journal.close()


def test_deep_topics(tmp_path: Path) -> None:
    """200 levels are legal for a sensor, but not for its forecasts: the series is rejected when it would begin."""
    fast = fast_lane(tmp_path, timed(topics=["#"]))
    (stream,) = fast.streams
    process(fast, [sample("/" * MOST_SLASHES, t, 1.0) for t in range(3)])
    assert (len(stream.series), stream.counts.rejected["name"]) == (0, 3)
    assert len(process(fast, [sample("/" * (MOST_SLASHES - 1), t, 1.0) for t in range(2)])) == 1
    fast.journal.close()


def test_long_topics(tmp_path: Path) -> None:
    """A topic of more than 1,000 characters gives no series: names are kept, in memory and in every snapshot."""
    fast = fast_lane(tmp_path, timed(topics=["#"]))
    (stream,) = fast.streams
    process(fast, [sample("x" * length, 0, 1.0) for length in (LONGEST_NAME, LONGEST_NAME + 1, 65_535)])
    assert (len(stream.series), stream.counts.rejected["name"]) == (1, 2)
    fast.journal.close()


def test_unreadable_topics(tmp_path: Path) -> None:
    """A message whose topic is no text gives no series, whatever the filters, and is counted."""
    fast = fast_lane(tmp_path, timed(topics=["#"]))
    process(fast, [sample(UNREADABLE, t, 1.0) for t in range(3)])
    assert (fast.streams[0].series, fast.unrouted) == ([], 3)
    fast.journal.close()


@pytest.mark.parametrize(
    ("first", "second", "topics"),
    [
        ({"topics": ["a/+"]}, {"topics": ["+"], "publish": {"topic": "forecast/a/{topic}"}}, ["a/x", "x"]),
        ({"topics": ["a/+"], "thresholds": THRESHOLDS}, {"topics": ["#"]}, ["a/x", "a/x/threshold/high"]),
        ({"topics": ["#"], "surprise": {"in_a_row": 3}}, {"topics": ["b"]}, ["x", "x/surprise"]),
    ],
)
def test_two_series_on_one_topic(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], topics: list[str]
) -> None:
    """Of two series whose messages would go to one topic, in one stream or two, the second is rejected by its name, in
    a line that says where the first publishes; after a restart too."""
    fast = fast_lane(tmp_path, timed(name="first", **first), timed(name="second", **second))
    process(fast, [sample(topic, t, 1.0) for t in range(3) for topic in topics])
    assert [one.topic for stream in fast.streams for one in stream.series] == topics[:1]
    assert sum(stream.counts.rejected["name"] for stream in fast.streams) == 3
    fast.journal.close()
    again = resumed(tmp_path, timed(name="first", **first), timed(name="second", **second))
    process(again, [sample(topic, 5, 1.0) for topic in topics[::-1]])
    assert [one.topic for stream in again.streams for one in stream.series] == topics[:1]
    again.journal.close()
