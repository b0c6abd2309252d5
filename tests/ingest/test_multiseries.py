"""Messages that are several series, read by format: parts, values and times, or reasons."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influxdb_client.client.write import point as official
from ruamel.yaml import YAML

from streamer.config import ArrayPayload, InfluxPayload, JsonPayload, NumberPayload, SparkplugPayload, Stream
from streamer.errors import Rejected
from streamer.ingest.multiseries import Multiseries, multiseries
from streamer.ingest.readings import Content, Reading
from streamer.ingest.sparkplug import REBIRTH_SECONDS
from streamer.records import Message
from tests.edge import double, payload

README = Path("streamer/ingest/README.md")
NOW = 1_800_000_000.0
TEXT = {"name": "text", "datatype": 12, "string_value": "on"}


def reader(form: str, **fields: Any) -> Multiseries:
    kinds: dict[str, Any] = {"json": JsonPayload, "influx": InfluxPayload, "sparkplug": SparkplugPayload}
    made = multiseries(kinds[form](format=form, **fields), 10)
    assert made
    return made


def read(by: Multiseries, data: Any, topic: str = "plant/a", arrived: float = NOW) -> Content:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return by.read(Message(topic, body, 0, False, 0, arrived))


def told(readings: Any) -> list[tuple[str, float | str, float | None]]:
    """Readings with the reason in place of what is rejected."""
    return [(part, value.reason if isinstance(value, Rejected) else value, time) for part, value, time in readings]


def reason(by: Multiseries, data: Any) -> str:
    """Why the whole message is rejected."""
    with pytest.raises(Rejected) as caught:
        read(by, data)
    return caught.value.reason


@pytest.mark.parametrize(
    "payload", [NumberPayload(), ArrayPayload(format="array", d=2), JsonPayload(format="json", value=["a", "b"])]
)
def test_a_message_that_is_one_series(payload: Any) -> None:
    """Formats that make one series of a message are not read here."""
    assert multiseries(payload, 10) is None


def test_fields_by_path() -> None:
    """Each path is a part, with the message's time; one that is missing or no number is rejected alone."""
    by = reader("json", fields=["temperature", "air.0.co2", "state", "gone"], time="at.ts")
    found = read(by, {"temperature": 21, "air": [{"co2": 400.5}], "state": "warm", "at": {"ts": 1.5e12}})
    assert found.topic == "plant/a"
    assert told(found.readings) == [
        ("temperature", 21.0, 1.5e9),
        ("air.0.co2", 400.5, 1.5e9),
        ("state", "type", 1.5e9),
        ("gone", "path", 1.5e9),
    ]


def test_every_number() -> None:
    """A star takes the numbers of the object itself, without its time, and leaves alone what is none."""
    by = reader("json", fields="*", time="ts")
    found = read(by, {"a": 1, "b": True, "c": None, "ts": 7.0, "d": {"e": 1}, "f": "2", "g": 1e31, "a/b +": -0.5})
    assert told(found.readings) == [("a", 1.0, 7.0), ("g", "out_of_range", 7.0), ("a/b +", -0.5, 7.0)]
    assert read(by, {"ts": 7, "f": "x"}).readings == []


def test_the_whole_document() -> None:
    """No JSON, a time that is none, and no object where all its numbers are asked for reject the message."""
    for by in (reader("json", fields="*", time="t"), reader("json", fields=["a"], time="t")):
        assert reason(by, b"{") == "syntax"
        assert reason(by, b" ") == "empty"
        assert reason(by, {"a": 1}) == "path"
        assert reason(by, {"a": 1, "t": "now"}) == "time"
    assert reason(reader("json", fields="*"), [1.0]) == "type"


def written(measurement: str, tags: dict[str, str], fields: dict[str, Any], time: int | None = None) -> str:
    """The line that InfluxDB's own client makes of a point."""
    made: Any = official.Point
    line = made(measurement)
    for key, value in tags.items():
        line.tag(key, value)
    for key, value in fields.items():
        line.field(key, value)
    return str((line if time is None else line.time(time)).to_line_protocol())


def test_points() -> None:
    """Each number of each point is a reading, under measurement, tags in order, and field, at its own time."""
    lines = [
        written(
            "cpu", {"host": "b 1", "cpu": "cpu0"}, {"idle": 97.5, "state": "on", "up": True, "count": 3}, 5 * 10**9
        ),
        written("mem", {}, {"free/total": 0.5}),
        written("cpu", {"host": "b 1", "cpu": "cpu0"}, {"idle": 98.5}, 6 * 10**9),
    ]
    found = read(reader("influx"), "\n".join(lines).encode())
    assert sorted(told(found.readings), key=str) == [
        ("cpu,cpu=cpu0,host=b 1/count", 3.0, 5.0),
        ("cpu,cpu=cpu0,host=b 1/idle", 97.5, 5.0),
        ("cpu,cpu=cpu0,host=b 1/idle", 98.5, 6.0),
        ("mem/free\\/total", 0.5, None),
    ]
    assert read(reader("influx", precision="s"), b"m v=1 5").readings == [Reading("m/v", 1.0, 5.0)]


def test_order_of_tags() -> None:
    """Points are of one series whatever order their tags come in."""
    first, second = read(reader("influx"), b"m,b=2,a=1 v=1\nm,a=1,b=2 v=2").readings
    assert first.part == second.part == "m,a=1,b=2/v"


def test_points_by_field() -> None:
    """Of named fields a text that is no number is rejected, other fields and points without them are left alone."""
    by = reader("influx", fields=["idle", "up"])
    assert told(read(by, b'm idle=1,up=t,x=3\nn x=1\np up="warm"\no idle=1e31').readings) == [
        ("m/idle", 1.0, None),
        ("m/up", 1.0, None),
        ("p/up", "type", None),
        ("o/idle", "out_of_range", None),
    ]
    assert read(by, b"n x=1").readings == []
    found = read(by, b"m idle=1\nm idle")
    assert (told(found.readings), [why.reason for why in found.faults]) == ([("m/idle", 1.0, None)], ["syntax"])
    assert by.selects("m,a=b/idle")
    assert not by.selects("m/x")


names = st.text(st.sampled_from("ab,=/ "), min_size=1, max_size=4)


@given(st.tuples(names, st.dictionaries(names, names, max_size=2), names), st.tuples(names, st.just({}), names))
def test_parts_of_different_points_differ(one: Any, other: Any) -> None:
    """Whatever measurement, tags and field hold, two series never have the same part."""
    if one[0][0] in " #" or other[0][0] in " #":
        return
    parts = []
    for measurement, tags, field in (one, other):
        line = written(measurement, tags, {field: 1.5})
        (reading,) = read(reader("influx"), line.encode()).readings
        parts.append(reading.part)
    assert (parts[0] == parts[1]) == (one == other)


def born(by: Multiseries) -> None:
    """A node and its device are born, aliases 1 and 2."""
    read(by, payload(0, double(0.0, name="power", alias=1), TEXT, time=NOW), "spBv1.0/plant/NBIRTH/edge")
    read(by, payload(1, double(0.0, name="temp/in", alias=2), time=NOW), "spBv1.0/plant/DBIRTH/edge/press")


def test_metrics() -> None:
    """Data of a node and its device are readings under the names of their births, which are none themselves."""
    by = reader("sparkplug")
    found = read(by, payload(0, double(0.0, name="power", alias=1), TEXT, time=NOW), "spBv1.0/plant/NBIRTH/edge")
    assert found == Content("spBv1.0/plant/edge", [])
    born(by)
    found = read(by, payload(2, {"alias": 1, "double_value": 5.5}, TEXT, time=NOW), "spBv1.0/plant/NDATA/edge")
    assert found == Content("spBv1.0/plant/edge", [Reading("power", 5.5, NOW)])
    one = {"alias": 2, "double_value": 20.5, "timestamp": 7500}
    found = read(by, payload(3, one, {"alias": 2, "is_null": True}), "spBv1.0/plant/DDATA/edge/press")
    assert found == Content("spBv1.0/plant/edge/press", [Reading("temp/in", 20.5, 7.5)])


@pytest.mark.parametrize(
    ("metrics", "readings"),
    [
        (None, [("power", 5.5), ("day", 7.0)]),
        (["p*"], [("power", 5.5)]),
        (["?ower"], [("power", 5.5)]),
        (["power", "text"], [("power", 5.5), ("text", "type")]),
        (["t*"], []),
        (["at"], [("at", 9.0)]),
    ],
)
def test_metrics_by_name(metrics: list[str] | None, readings: list[tuple[str, Any]]) -> None:
    """Names and patterns choose; a text or date is one only where its very name asks for it, and then must fit."""
    by = reader("sparkplug", metrics=metrics)
    at = {"name": "at", "datatype": 13, "long_value": 9}
    all_of_them = (double(5.5, name="power"), TEXT, at, {"name": "day", "datatype": 1, "int_value": 7})
    read(by, payload(0, *all_of_them), "spBv1.0/plant/NBIRTH/edge")
    found = read(by, payload(1, *all_of_them), "spBv1.0/plant/NDATA/edge")
    assert told(found.readings) == [(*one, None) for one in readings]
    assert all(by.selects(name) for name, _ in readings)


def test_without_a_birth() -> None:
    """Metrics that no birth has named are one fault together, beside those that are known; the node is asked, in
    moderation."""
    by = reader("sparkplug")
    data = payload(5, {"alias": 1, "double_value": 5.5}, {"alias": 9, "double_value": 1.0})
    found = read(by, data, "spBv1.0/plant/NDATA/edge")
    assert ([why.reason for why in found.faults], found.readings) == (["alias"], [])
    assert found.command
    assert found.command.topic == "spBv1.0/plant/NCMD/edge"
    assert read(by, data, "spBv1.0/plant/NDATA/edge", NOW + 1).command is None
    assert read(by, data, "spBv1.0/plant/NDATA/edge", NOW + REBIRTH_SECONDS).command
    assert read(by, data, "spBv1.0/plant/NDATA/edge", NOW - 3600).command
    born(by)
    found = read(by, payload(2, {"alias": 1, "double_value": 5.5}, {"alias": 9}), "spBv1.0/plant/NDATA/edge")
    assert [reading.value for reading in found.readings] == [5.5]
    assert found.faults


@pytest.mark.parametrize(
    "topic",
    ["spBv1.0/plant/NCMD/edge", "spBv1.0/STATE/host", "spBv1.0/plant/NDEATH/edge", "spBv1.0/plant/DDEATH/edge/d"],
)
def test_no_data(topic: str) -> None:
    """Commands, states and deaths hold nothing and are no fault."""
    by = reader("sparkplug")
    born(by)
    found = read(by, payload(2), topic)
    assert ([*found.readings], [*found.faults], found.command) == ([], [], None)


def test_addresses() -> None:
    """Filters and templates apply to the topic that data come under."""
    by = reader("sparkplug")
    assert by.address("spBv1.0/g/n") == "spBv1.0/g/NDATA/n"
    assert by.address("spBv1.0/g/n/d") == "spBv1.0/g/DDATA/n/d"
    assert reader("influx").address("a/b") == reader("json", fields="*").address("a/b") == "a/b"


def test_readme() -> None:
    """Every format that the README of this stage shows is one, as it stands there."""
    shown = re.findall(
        r"^\| `({format: [^`]+})` \|", README.read_text(encoding="utf-8").split("## Covariates")[0], re.MULTILINE
    )
    assert len(shown) == 7
    for text in shown:
        payload = YAML(typ="safe").load(text)
        assert multiseries(Stream(name="a", topics=["#"], payload=payload).payload, 10)


def test_without_protobuf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where protobuf is not installed the configuration says which extra brings it."""
    for name in ("google.protobuf", "google"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ValueError, match=r"pip install 'streamer\[sparkplug\]'"):
            SparkplugPayload(format="sparkplug")
