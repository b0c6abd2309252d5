"""The fast lane on messages that are several series: parts in, forecasts of each out."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streamer.config import Stream
from streamer.lanes.admission import LONGEST_NAME
from streamer.lanes.fast import FastLane
from streamer.records import Message, MessageBatch
from tests.edge import double, payload
from tests.streams import NOW, fast_lane, feed, message, process, resumed, save, untimed

FIELDS: dict[str, Any] = {"format": "json", "fields": "*", "time": "time"}


def several(**changes: Any) -> Stream:
    """A stream whose messages are JSON with several numbers and a time, one tick per second."""
    return untimed(**{"payload": FIELDS, "interval": 1.0, **changes})


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[FastLane]:
    made = fast_lane(tmp_path, several())
    yield made
    made.journal.close()


def event(time: float, topic: str = "plant/a", **values: Any) -> Message:
    return message(topic, json.dumps({"time": time, **values}).encode())


def rejections(fast: FastLane) -> dict[str, int]:
    return dict(fast.streams[0].counts.rejected)


def test_each_part_is_a_series(fast: FastLane) -> None:
    """The parts of a message are series of their own, in the order of the message, named below its topic."""
    assert feed(fast, [event(10, temp=1.5, rpm=900), event(10, "plant/b", temp=7)]) == []
    forecasts = feed(fast, [event(11, temp=2.5, rpm=901)])
    assert [(one["topic"], one["series"], one["mean"][0]) for one in forecasts] == [
        ("forecast/plant/a/temp", "plant/a/temp", 2.5),
        ("forecast/plant/a/rpm", "plant/a/rpm", 901),
    ]
    assert all(one["time"] == "1970-01-01T00:00:11.000Z" for one in forecasts)
    assert fast.streams[0].counts.samples == 5


def test_one_bad_part_does_not_cost_the_others(tmp_path: Path) -> None:
    """A part that is late, or beyond the bounds of the stream or of any sample, is rejected by itself."""
    fast = fast_lane(tmp_path, several(lowest=0))
    feed(fast, [event(10, temp=1, rpm=1, cold=1), event(12, rpm=2)])
    forecasts = feed(fast, [event(11, temp=2, rpm=3, load=1e31, cold=-1)])
    assert [one["series"] for one in forecasts] == ["plant/a/temp"]
    assert rejections(fast) == {"late": 1, "out_of_range": 2}
    fast.journal.close()


def test_a_fault_of_the_message_is_counted_once(fast: FastLane) -> None:
    """A time that cannot be, or no JSON, is one rejection however many parts there are; nothing is learnt from it."""
    feed(fast, [event(NOW + 90_000, a=1, b=2), event(-5, a=1, b=2), message("plant/a", b"{")])
    assert rejections(fast) == {"future": 1, "time": 1, "syntax": 1}
    assert not fast.streams[0].series


def test_nothing_to_take(fast: FastLane) -> None:
    """A message without a number is no sample and no fault; it is counted apart."""
    feed(fast, [event(10, state="on")])
    assert (rejections(fast), fast.streams[0].counts.ignored) == ({}, 1)


def test_parts_count_as_series(tmp_path: Path) -> None:
    """`max_series` bounds parts: those beyond it are refused one by one, and the known ones go on."""
    fast = fast_lane(tmp_path, several(max_series=2))
    for t in (1, 2):
        feed(fast, [event(t, a=1, b=2, c=3)])
    assert [one.name for one in fast.streams[0].series] == ["plant/a/a", "plant/a/b"]
    assert rejections(fast) == {"series_limit": 2}
    fast.journal.close()


def test_names_that_collide(fast: FastLane) -> None:
    """Of two series that would have one name the first keeps it; a name without end is none."""
    odd = {"x+": 1, "x#": 2, "n" * (LONGEST_NAME + 1): 3}
    for t in (10, 11):
        forecasts = feed(fast, [event(t, "plant/a", **odd), event(t, "plant", **{"a/x_": 4})])
    assert [(one["series"], one["mean"][0]) for one in forecasts] == [("plant/a/x_", 1)]
    assert rejections(fast) == {"name": 6}


def test_a_retained_message_without_a_time(tmp_path: Path) -> None:
    """It is of unknown age with all its parts, which is one rejection."""
    fast = fast_lane(tmp_path, several(payload={"format": "json", "fields": "*"}))
    feed(fast, [message("plant/a", b'{"a": 1, "b": 2}', retain=True)])
    assert rejections(fast) == {"retained": 1}
    fast.journal.close()


def test_a_message_that_comes_again(tmp_path: Path) -> None:
    """Without a time it is told by its packet identifier as a whole: one rejection, no sample twice, after a restart
    neither."""
    untimed = several(payload={"format": "json", "fields": ["a", "b"]}, interval=None)
    fast = fast_lane(tmp_path, untimed)
    one = replace(message("plant/a", b'{"a": 1, "b": 2}'), mid=7)
    process(fast, [one, replace(one, dup=True), replace(one, mid=8)])
    assert rejections(fast) == {"redelivered": 1}
    assert fast.streams[0].counts.samples == 4
    fast.journal.close()
    again = resumed(tmp_path, untimed)
    assert process(again, [replace(one, mid=8, dup=True)]) == []
    assert rejections(again) == {"redelivered": 1}
    again.journal.close()


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_restart(tmp_path: Path, *, snapshot: bool) -> None:
    """Parts are found again in the journal, each at its tick, with or without a snapshot; new ones get new ids."""
    fast = fast_lane(tmp_path, several())
    feed(fast, [event(t, temp=t, rpm=2 * t) for t in range(5)] + [event(5, rpm=10)])
    if snapshot:
        save(fast)
    feed(fast, [event(6, temp=6, new=1)])
    fast.journal.close()
    again = resumed(tmp_path, several())
    assert [(one.ident, one.topic, one.part, one.name, one.tick) for one in again.streams[0].series] == [
        (1, "plant/a", "temp", "plant/a/temp", 6),
        (2, "plant/a", "rpm", "plant/a/rpm", 5),
        (3, "plant/a", "new", "plant/a/new", 0),
    ]
    forecasts = feed(again, [event(6, temp=9, rpm=12, load=1), event(7, load=2)])
    assert [(one["series"], one["mean"][0]) for one in forecasts] == [("plant/a/rpm", 12), ("plant/a/load", 2)]
    assert rejections(again) == {"duplicate": 1}
    again.journal.close()


def test_other_fields_after_a_restart(tmp_path: Path) -> None:
    """Fields that are no longer asked for are no series of the stream, and come back as they were when asked for again;
    another format makes other series of the same topic."""
    both, one = (several(payload={**FIELDS, "fields": fields}) for fields in (["a", "b"], ["b"]))
    fast = fast_lane(tmp_path, both)
    feed(fast, [event(t, a=t, b=t) for t in range(3)])
    fast.journal.close()
    fast = resumed(tmp_path, one)
    assert [(series.name, series.tick) for series in fast.streams[0].series] == [("plant/a/b", 2)]
    assert [one["series"] for one in feed(fast, [event(3, a=3, b=3)])] == ["plant/a/b"]
    fast.journal.close()
    fast = resumed(tmp_path, both)
    assert [(series.name, series.tick) for series in fast.streams[0].series] == [("plant/a/a", 2), ("plant/a/b", 3)]
    fast.journal.close()
    fast = resumed(tmp_path, several(payload={"format": "json", "value": "b", "time": "time"}))
    assert fast.streams[0].series == []
    fast.journal.close()


def test_a_forecast_is_not_forecast_again(tmp_path: Path) -> None:
    """A wide filter that catches forecasts, with {label} in their topic too, feeds none of them back."""
    labelled = several(topics=["{site}/#"], publish={"topic": "{site}/forecast/{topic}"})
    fast = fast_lane(tmp_path, labelled)
    feed(fast, [event(t, "north/press", a=t) for t in (1, 2)])
    feed(fast, [event(3, "north/forecast/north/press/a", version=0)])
    assert rejections(fast) == {"own_forecast": 1}
    fast.journal.close()


def test_labels(tmp_path: Path) -> None:
    """Named levels are labels in the forecast, and may stand in its topic; the first filter that matches gives them."""
    templates = {"topics": ["plant/{machine}/temp", "{area}/{machine}/#"]}
    fast = fast_lane(tmp_path, untimed(**templates, publish={"topic": "f/{machine}/{topic}"}))
    for t in (0, 1):
        forecasts = feed(fast, [message(topic, b"1", NOW + t) for topic in ("plant/press 3/temp", 'x/"y"/z')])
    assert [(one["topic"], one["labels"]) for one in forecasts] == [
        ("f/press 3/plant/press 3/temp", {"machine": "press 3"}),
        ('f/"y"/x/"y"/z', {"area": "x", "machine": '"y"'}),
    ]
    assert list(forecasts[0]) == [
        "topic",
        "series",
        "time",
        "interval",
        "labels",
        "model",
        "version",
        "mean",
        "quantiles",
    ]
    fast.journal.close()


def test_no_labels_no_key(fast: FastLane) -> None:
    """Where no level has a name the message has no labels."""
    feed(fast, [event(1, a=1)])
    (forecast,) = feed(fast, [event(2, a=1)])
    assert "labels" not in forecast


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[FastLane]:
    made = fast_lane(tmp_path, sparkplug("one", "spBv1.0/{group}/+/{node}/#"))
    yield made
    made.journal.close()


def sparkplug(name: str, *topics: str) -> Stream:
    return untimed(name=name, topics=topics, payload={"format": "sparkplug"})


def spoken(kind: str, seq: int, *metrics: dict[str, Any], time: float = NOW, node: str = "edge") -> Message:
    return message(f"spBv1.0/plant/{kind}/{node}", payload(seq, *metrics, time=time), time)


def test_an_edge_node(edge: FastLane) -> None:
    """A node that is not known is asked for a rebirth, once the batch is journaled; then its data are series, labelled
    by its topic, and a restart asks again."""
    data = {"alias": 1, "double_value": 1.5}
    processed = edge.process(MessageBatch([spoken("NDATA", 3, data)], 1))
    assert rejections(edge) == {"alias": 1}
    assert [one.topic for one in processed.commands] == ["spBv1.0/plant/NCMD/edge"]
    born = [spoken("NBIRTH", 0, double(1.0, name="power", alias=1)), spoken("NDATA", 1, data, time=NOW + 1)]
    assert edge.process(MessageBatch(born, 1)).commands == []
    (forecast,) = feed(edge, [spoken("NDATA", 2, data, time=NOW + 2)])
    assert (forecast["series"], forecast["topic"]) == ("spBv1.0/plant/edge/power", "forecast/spBv1.0/plant/edge/power")
    assert forecast["labels"] == {"group": "plant", "node": "edge"}
    edge.journal.close()
    again = resumed(edge.journal.path.parent, edge.streams[0].config)
    assert [(one.name, one.tick) for one in again.streams[0].series] == [("spBv1.0/plant/edge/power", 1)]
    processed = again.process(MessageBatch([spoken("NDATA", 3, data, time=NOW + 3)], 1))
    assert (processed.forecasts, len(processed.commands)) == ([], 1)
    again.journal.close()


def test_own_commands_and_other_hosts(tmp_path: Path) -> None:
    """What passes on the same topics and is no data is neither a sample nor a fault."""
    fast = fast_lane(tmp_path, sparkplug("all", "spBv1.0/#"))
    processed = fast.process(
        MessageBatch([spoken("NCMD", 0), message("spBv1.0/STATE/host", b"{}"), spoken("NDEATH", 0)], 1)
    )
    assert (rejections(fast), fast.streams[0].counts.ignored, processed.commands) == ({}, 3, [])
    fast.journal.close()


def test_line_protocol(tmp_path: Path) -> None:
    """Points of one payload are samples of their series at their own times; one that is late is rejected alone."""
    fast = fast_lane(tmp_path, untimed(payload={"format": "influx", "precision": "s"}, interval=1.0))
    forecasts = feed(fast, [message("plant/a", b"m,h=a v=1,w=5 10\nm,h=a v=2 12\nm,h=a w=6 11\nm,h=a v=9 11\n")])
    assert {(one["series"], one["time"][17:19], one["mean"][0]) for one in forecasts} == {
        ("plant/a/m,h=a/v", "12", 2),
        ("plant/a/m,h=a/w", "11", 6),
    }
    assert rejections(fast) == {"late": 1}
    fast.journal.close()
