"""JSON messages of several samples or several devices in, readings out; nothing is lost without a count."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from streamer.config import JsonPayload
from streamer.errors import Ignored, Rejected
from streamer.ingest.decode import decoder
from streamer.ingest.documents import Documents
from streamer.ingest.paths import fits, found, parse, written
from streamer.ingest.readings import Content
from streamer.records import Message

NOW = 1_800_000_000.0


def read(data: Any, **keys: Any) -> Content:
    """What a message holds under these keys of the configuration."""
    return Documents(JsonPayload(format="json", **keys)).read(
        Message("a", json.dumps(data).encode(), 0, False, None, NOW)
    )


def told(content: Content) -> list[tuple[str, float | str, float | None]]:
    """Readings with the reason in place of what is rejected, then the faults."""
    readings = [(p, v.reason if isinstance(v, Rejected) else v, t) for p, v, t in content.readings]
    return readings + [("", why.reason, None) for why in content.faults]


BATCH = [{"t": 30, "v": 3}, {"t": 10, "v": 1}, {"t": 20, "v": "2"}]
EACH: dict[str, Any] = {"each": "*", "value": "v"}


@pytest.mark.parametrize(
    ("data", "keys", "readings"),
    [
        (BATCH, {**EACH, "time": "t"}, [("", 1.0, 10.0), ("", 2.0, 20.0), ("", 3.0, 30.0)]),
        (
            {"10": {"v": 1}, "20": {"v": 2}},
            {**EACH, "time": "@key", "time_format": "s"},
            [("", 1.0, 10.0), ("", 2.0, 20.0)],
        ),
        ({"1772366400": 5}, {"each": "*", "value": "@", "time": "@key"}, [("", 5.0, 1772366400.0)]),
        ([4, 5], {"each": "*", "value": "@"}, [("", 4.0, None), ("", 5.0, None)]),
        (
            {"dev": "d/1", "data": [{"v": 1}]},
            {"each": "data.*", "value": "v", "series": "$.dev"},
            [("d\\/1", 1.0, None)],
        ),
        ({"a": {"v": 1}, "b": {"v": 2}}, {**EACH, "series": "@key"}, [("a", 1.0, None), ("b", 2.0, None)]),
        (
            {"id": 7, "T": 1, "H": None},
            {"series": ["id"], "fields": ["T", "H", "P"]},
            [("7/T", 1.0, None), ("7/H", "null", None), ("7/P", "null", None)],
        ),
        (
            {"a": {"b.c": 1, "d": [2, "x"]}, "t": 9},
            {"fields": "**", "time": "t"},
            [("a.b\\.c", 1.0, 9.0), ("a.d.0", 2.0, 9.0)],
        ),
        (
            {"a": True, "b": "ON", "c": "x", "d": None},
            {"fields": "*", "numbers": {}},
            [("a", 1.0, None), ("b", 1.0, None)],
        ),
        ({"x": {"T": 1}, "y": {"T": 2, "P": 3}}, {"fields": ["*.T"]}, [("x.T", 1.0, None), ("y.T", 2.0, None)]),
        ({"u": {"p": {"T": 1}}}, {"fields": ["**.T"]}, [("u.p.T", 1.0, None)]),
        ([{"v": 1}, {"w": 1}, {"v": "x"}], EACH, [("", 1.0, None), ("", "path", None), ("", "type", None)]),
        ([{"v": 1, "t": "x"}, {"v": 2, "t": 5}], {**EACH, "time": "t"}, [("", 2.0, 5.0), ("", "time", None)]),
        ([], {"each": "*"}, []),
    ],
)
def test_readings(data: Any, keys: dict[str, Any], readings: list[Any]) -> None:
    """Each sample, device and field is a reading, in order of time; a bad one is told by itself."""
    assert told(read(data, **keys)) == readings


@pytest.mark.parametrize(
    ("data", "keys", "detail"),
    [
        (5, {"each": "*"}, r"nothing at \*, which is payload\.each"),
        ({"v": 1}, {"series": "id", "value": "v"}, "nothing at id"),
        ({"id": {}, "v": 1}, {"series": "id", "value": "v"}, "at id: a text or a whole number"),
        ({"id": " ", "v": 1}, {"series": "id", "value": "v"}, "at id: an empty text"),
        ({"PM2.5": 1}, {"series": "PM2.5", "value": "v"}, r"the key PM2.5 is written PM2\\.5"),
    ],
)
def test_faults_name_the_key(data: Any, keys: dict[str, Any], detail: str) -> None:
    """A message that cannot be read is rejected, and told by the key at fault."""
    with pytest.raises(Rejected, match=detail):
        read(data, **keys)


@pytest.mark.parametrize(
    ("keys", "part", "asked"),
    [
        ({"fields": ["*.T"]}, "x.T", True),
        ({"fields": ["*.T"]}, "x.P", False),
        ({"fields": ["a.T"], "series": "id"}, "d\\/1/a.T", True),
        ({"fields": ["a.T"], "series": "id"}, "d/1/a.T", False),
        ({"fields": "*"}, "PM2.5", True),
        ({"fields": "**", "series": ["m", "id"]}, "m/1/x.y", True),
        ({"value": "v", "series": ["m", "id"]}, "m/1", True),
        ({"value": "v", "series": ["m", "id"]}, "m", False),
        ({"value": "v", "each": "*"}, "", True),
        ({"value": "v", "each": "*"}, "x", False),
    ],
)
def test_parts_that_are_asked_for(keys: dict[str, Any], part: str, asked: bool) -> None:
    """A series that the journal knows is asked for where a message could give it."""
    assert Documents(JsonPayload(format="json", **keys)).selects(part) == asked


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"each": "**"}, r"each\n.*takes"),
        ({"value": "a.*"}, "value, time and series take no"),
        ({"fields": ["**.a.**"]}, "one \\*\\*"),
        ({"time": "@key"}, "give each"),
        ({"each": "*", "array": 3}, "each makes samples of one number"),
        ({"time": "t", "time_format": "iso"}, "strptime patterns"),
        ({"time": "t", "time_format": ["%d", "s"]}, "strptime patterns"),
        ({"time": "t", "timezone": "Europe/Bonn"}, "no IANA time zone"),
    ],
)
def test_keys_that_cannot_be_meant(keys: dict[str, Any], problem: str) -> None:
    """Keys that contradict each other are refused with the remedy."""
    with pytest.raises(ValidationError, match=problem):
        JsonPayload(format="json", **keys)


KEYS = ["a", "b", "t", "id", "v", "PM2.5", "0", "1772366400"]
texts = st.sampled_from(["ON", "x", "21,5", '{"v": 1}', "2026-10-25T02:30"]) | st.text(max_size=3)
documents = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers(-(10**30), 10**30) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=14,
)  # fmt: skip
paths = st.lists(
    st.sampled_from([*KEYS, "0", "1"]).map(lambda key: key.replace(".", "\\.")), min_size=1, max_size=2
).map(".".join)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "value": paths | st.just("@"),
        "time": paths | st.just("$.t"),
        "fields": st.lists(paths | st.sampled_from(["*", "**", "a.*", "**.v"]), min_size=1, max_size=2, unique=True),
        "each": st.sampled_from(["*", "a.*", "a.*.b"]),
        "series": st.lists(paths | st.just("$.id"), min_size=1, max_size=2, unique=True),
        "numbers": st.sampled_from([None, {}, {"decimal": ","}]),
        "timezone": st.sampled_from([None, "Europe/Berlin"]),
        "time_format": st.sampled_from(["auto", "ms", "ns", "%H:%M", ["%d.%m.%y"]]),
    },
)  # fmt: skip
REASONS = {"empty", "syntax", "path", "type", "shape", "not_finite", "out_of_range", "time", "name", "null"}


@given(documents, payloads)
def test_any_document_and_any_configuration(data: Any, keys: dict[str, Any]) -> None:
    """Any document under any configuration gives samples, or rejections with a documented reason."""
    try:
        payload = JsonPayload(format="json", **keys)
    except ValidationError:
        return
    message = Message("a", json.dumps(data).replace("Infinity", "1e999").encode(), 0, False, None, NOW)
    reasons: set[str] = set()
    try:
        if payload.fields is None and payload.each is None and payload.series is None:
            values, _ = decoder(payload)(message.payload)
            assert len(values) == payload.d
            return
        by = Documents(payload)
        content = by.read(message)
        reasons |= {why.reason for why in content.faults}
        for part, value, time in content.readings:
            reasons |= {value.reason} if isinstance(value, Rejected) else set()
            assert isinstance(value, Rejected) or abs(value) <= 1e30
            assert time is None or isinstance(time, float)
            assert by.selects(part), part
    except Rejected as why:
        reasons = {why.reason}
    assert reasons <= REASONS


@given(st.lists(st.integers(0, 3), max_size=8))
def test_every_sample_of_a_batch_is_counted(kinds: list[int]) -> None:
    """Each item of a list is a reading or a fault: their numbers add up."""
    items = [({"t": i, "v": i}, {"t": i}, {"v": i}, {"t": i, "v": None})[kind] for i, kind in enumerate(kinds)]
    content = read(items, each="*", value="v", time="t")
    assert len(content.readings) + len(content.faults) == len(items)
    assert sum(isinstance(one.value, Ignored) for one in content.readings) == kinds.count(3)
    times = [one.time for one in content.readings]
    assert times == sorted(times, key=lambda time: time or 0.0)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\\"), max_size=4), min_size=1, max_size=4))
def test_paths_as_written(keys: list[str]) -> None:
    """A path that is written is read back, whatever dots are in its keys."""
    assert parse(written(keys)) == keys


@given(documents, st.lists(st.sampled_from(["*", "**", "a", "b", "0"]), min_size=1, max_size=3))
def test_a_pattern_fits_what_it_finds(data: Any, pattern: list[str]) -> None:
    """What a pattern finds in a document are the paths that it fits."""
    every = {path for path, _ in found(data, ["**"])}
    assert {path for path, _ in found(data, pattern)} == {path for path in every if fits(path, pattern)}
