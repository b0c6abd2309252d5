"""Payloads in, values and times or a reason out."""

import gzip
import math
import zlib
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import ArrayPayload, JsonPayload, NumberPayload, Payload
from streamer.errors import Rejected
from streamer.ingest.decode import LARGEST, Decoded, decoder

REASONS = {"empty", "syntax", "path", "type", "shape", "not_finite", "out_of_range", "time", "null"}

NUMBER = NumberPayload()
JSON = JsonPayload(format="json")
TIMED = JsonPayload(format="json", time="time")
THREE = ArrayPayload(format="array", d=3)
PICKED = JsonPayload(format="json", value=["a.x", "b.1"], time="at", time_format="ms")
INNER = JsonPayload(format="json", value="data.v", array=2, time="data.t", time_format="rfc3339")
FORMATS: list[Payload] = [NUMBER, JSON, TIMED, THREE, PICKED, INNER]

documents = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["value", "time", "a", "b", "x", "at", "data", "v", "t", "1"]), inner)
    ),
    max_leaves=12,
)


def reason(payload: Payload, data: bytes) -> str:
    """Why this payload is no sample."""
    with pytest.raises(Rejected) as caught:
        decoder(payload)(data)
    return caught.value.reason


@pytest.mark.parametrize(
    ("data", "value"),
    [
        *[(b"21.4", 21.4), (b"-3", -3.0), (b" 1e3\r\n", 1000.0), (b"+.5", 0.5), (b"0", 0.0), (b"-1e30", -1e30)],
        *[(b"ON", 1.0), (b"off", 0.0), (b" closed\n", 0.0), (b"0x41", 65.0), (b"\xef\xbb\xbf21.4", 21.4)],
        *[(gzip.compress(b"21.4", mtime=0), 21.4), (zlib.compress(b"on"), 1.0), (zstandard.compress(b"-3"), -3.0)],
    ],
)
def test_number(data: bytes, value: float) -> None:
    """A bare number is its value, blanks around it or not, and has no time of its own."""
    assert decoder(NUMBER)(data) == ((value,), None)


@given(st.floats(-LARGEST, LARGEST))
def test_number_round_trip(value: float) -> None:
    """Every float of the range comes back bit by bit from its text, bare and in JSON."""
    assert decoder(NUMBER)(repr(value).encode()) == ((value,), None)
    assert decoder(JSON)(orjson.dumps({"value": value})) == ((value,), None)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"21,4", "syntax"),
        (b"21.4 C", "syntax"),
        (b"1_000", "syntax"),
        (b"\xff\xfe", "syntax"),
        (b"\xd9\xa1", "syntax"),
        (b"1\0", "syntax"),
        (b'{"value": 1}', "syntax"),
        (b"nan", "not_finite"),
        (b"-Infinity", "not_finite"),
        (b"1.1e30", "out_of_range"),
        (b"-2e300", "out_of_range"),
    ],
)
def test_number_rejected(data: bytes, why: str) -> None:
    """What is no number is rejected with its reason."""
    assert reason(NUMBER, data) == why


@pytest.mark.parametrize(
    ("path", "data", "value"),
    [
        ("value", b'{"value": 1.5, "unit": "bar"}', 1.5),
        ("value", b'{"value": 7}', 7.0),
        ("a.b.c", b'{"a": {"b": {"c": -2}}}', -2.0),
        ("data.1.t", b'{"data": [{"t": 1}, {"t": 2}]}', 2.0),
        ("0", b"[5, 6]", 5.0),
        ("0", b'{"0": 5}', 5.0),
        ("1.0", b"[0, [9]]", 9.0),
        ("value", b'{"value": 18446744073709551615}', 18446744073709551615.0),
        ("value", b'{"value": true}', 1.0),
        ("value", b'{"value": " 21.4 "}', 21.4),
        ("value", b'\xef\xbb\xbf{"value": 2}', 2.0),
        ("value", gzip.compress(b'{"value": 2}', mtime=0), 2.0),
        ("a.PM2\\.5", b'{"a": {"PM2.5": 7}}', 7.0),
        ("a.b.0", b'{"a": "{\\"b\\": [4]}"}', 4.0),
    ],
)
def test_path(path: str, data: bytes, value: float) -> None:
    """Keys and list positions joined by dots lead to the number."""
    assert decoder(JsonPayload(format="json", value=path))(data) == ((value,), None)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("value", b"{}"),
        ("value", b"3"),
        ("value", b"[3]"),
        ("value", b'"value"'),
        ("a.b", b'{"a": 3}'),
        ("a.b", b'{"a.b": 3}'),
        ("data.2", b'{"data": [0, 1]}'),
        ("data.-1", b'{"data": [0, 1]}'),
        ("data.1.5", b'{"data": [0, 1]}'),
        ("data.\u00b2", b'{"data": [0, 1, 2]}'),
        ("data.\u0662", b'{"data": [0, 1, 2]}'),
        ("value.0", b'{"value": "12"}'),
        ("value.0", b'{"value": "[12"}'),
    ],
)
def test_path_rejected(path: str, data: bytes) -> None:
    """Where a path ends nowhere the reason is path."""
    assert reason(JsonPayload(format="json", value=path), data) == "path"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\t", "empty"),
        (b"{", "syntax"),
        (b'{"value": NaN}', "syntax"),
        (b'{"value": 1} x', "syntax"),
        (b'{"value": "\xff"}', "syntax"),
        (b"[" * 5000, "syntax"),
        (b'{"value": null}', "null"),
        (b'{"value": [21.4]}', "type"),
        (b'{"value": {}}', "type"),
        (b'{"value": 1.0000001e30}', "out_of_range"),
    ],
)
def test_json_rejected(data: bytes, why: str) -> None:
    """A document that is none, or holds another type or too large a number, is rejected with its reason."""
    assert reason(JSON, data) == why


@pytest.mark.parametrize("digits", [b"1e400", b"9" * 400, b"-" + b"9" * 5000])
def test_beyond_float64(digits: bytes) -> None:
    """A number that no float64 holds is rejected for its size, whatever the parser makes of it."""
    assert reason(JSON, b'{"value": %s}' % digits) in {"out_of_range", "not_finite", "syntax"}
    assert reason(NUMBER, digits) in {"out_of_range", "not_finite"}


def test_array() -> None:
    """An array of d numbers is one sample, whole numbers among them."""
    assert decoder(THREE)(b"[1, 2.5, -3]") == ((1.0, 2.5, -3.0), None)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[1, 2]", "shape"),
        (b"[1, 2, 3, 4]", "shape"),
        (b"[]", "shape"),
        (b"1", "type"),
        (b'{"0": 1}', "type"),
        (b"[1, [2], 3]", "type"),
        (b"[1, null, 3]", "null"),
        (b"[1, 2, 1e31]", "out_of_range"),
        (b"1, 2, 3", "syntax"),
        (b"", "empty"),
    ],
)
def test_array_rejected(data: bytes, why: str) -> None:
    """An array of another length or with anything but numbers is rejected with its reason."""
    assert reason(THREE, data) == why


def test_several_paths() -> None:
    """A list of paths gives one element each, in its order."""
    assert decoder(PICKED)(b'{"b": [0, 2], "a": {"x": 1}, "at": 1500}') == ((1.0, 2.0), 1.5)
    assert reason(PICKED, b'{"b": [0], "a": {"x": 1}, "at": 1500}') == "path"


def test_array_in_a_document() -> None:
    """An array at a path gives the elements, with the document's time."""
    assert decoder(INNER)(b'{"data": {"v": [1, 2], "t": "1970-01-01T00:00:10Z"}}') == ((1.0, 2.0), 10.0)
    assert reason(INNER, b'{"data": {"v": [1], "t": "1970-01-01T00:00:10Z"}}') == "shape"


@pytest.mark.parametrize(
    ("style", "text", "time"),
    [
        ("auto", '"2026-03-01T12:00:00Z"', 1772366400.0),
        ("auto", '"2026-03-01T12:00:00.25Z"', 1772366400.25),
        ("auto", '"2026-03-01T14:00:00.000125+02:00"', 1772366400.000125),
        ("rfc3339", '"2026-03-01T07:30:00-04:30"', 1772366400.0),
        ("rfc3339", '"2026-03-01 12:00:00+00:00"', 1772366400.0),
        ("rfc3339", '"2026-03-01T12:00:00.123456789Z"', 1772366400.123456),
        ("rfc3339", '"1969-12-31T23:59:59Z"', -1.0),
        ("auto", "1772366400", 1772366400.0),
        ("auto", "1772366400.5", 1772366400.5),
        ("auto", "99999999999", 99999999999.0),
        ("auto", "1772366400500", 1772366400.5),
        ("auto", '"1772366400"', 1772366400.0),
        ("auto", "1772366400500250", 1772366400.50025),
        ("auto", "1772366400500250125", 1772366400.50025),
        ("us", "1500000", 1.5),
        ("ns", "1500000000", 1.5),
        ("ms", '"1500"', 1.5),
        ("s", "1772366400500", 1772366400500.0),
        ("ms", "1500", 1.5),
        ("ms", "0", 0.0),
    ],
)
def test_time(style: str, text: str, time: float) -> None:
    """RFC 3339 with its offset, seconds and milliseconds since 1970 all give seconds since 1970."""
    payload = JsonPayload.model_validate({"format": "json", "time": "t", "time_format": style})
    assert decoder(payload)(b'{"value": 1, "t": %s}' % text.encode()) == ((1.0,), time)


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("auto", '"noon"'),
        ("auto", '""'),
        ("auto", '"2026-03-01T12:00:00"'),
        ("auto", '"2026-03-01"'),
        ("auto", '"2026-02-30T00:00:00Z"'),
        ("auto", '"2026-03-01T12:00:60Z"'),
        ("auto", "true"),
        ("auto", "null"),
        ("auto", "[1]"),
        ("rfc3339", "1772366400"),
        ("s", '"2026-03-01T12:00:00Z"'),
        ("s", "false"),
    ],
)
def test_time_rejected(style: str, text: str) -> None:
    """What is no time in the configured format is rejected for its time."""
    payload = JsonPayload.model_validate({"format": "json", "time": "t", "time_format": style})
    assert reason(payload, b'{"value": 1, "t": %s}' % text.encode()) == "time"


def test_time_missing() -> None:
    """A document without the time that the configuration names is rejected for the path."""
    assert reason(TIMED, b'{"value": 1}') == "path"


@given(st.datetimes(timezones=st.timezones() | st.none()))
def test_time_against_the_standard_library(moment: Any) -> None:
    """ISO text of any moment with an offset gives that moment, and without one it is rejected."""
    data = orjson.dumps({"value": 1, "time": moment.isoformat()})
    if moment.tzinfo is None:
        assert reason(TIMED, data) == "time"
    else:
        assert decoder(TIMED)(data)[1] == moment.timestamp()


def outcome(payload: Payload, data: bytes) -> Decoded | str:
    """What decoding gives: a sample or the reason of its rejection; anything else is a bug."""
    try:
        return decoder(payload)(data)
    except Rejected as rejected:
        return rejected.reason


def is_sound(payload: Payload, result: Decoded | str) -> bool:
    """Whether it is a known reason, or finite numbers of the right count and a finite time."""
    if isinstance(result, str):
        return result in REASONS
    values, time = result
    numbers = [*values] if time is None else [*values, time]
    return len(values) == payload.d and all(type(x) is float and math.isfinite(x) for x in numbers)


@given(st.sampled_from(FORMATS), st.binary() | st.text(alphabet='0123456789.eE+-_ naif[],{}":', max_size=20))
def test_arbitrary_bytes(payload: Payload, data: bytes | str) -> None:
    """Any bytes give finite numbers of the right count or a known rejection, nothing else."""
    assert is_sound(payload, outcome(payload, data.encode() if isinstance(data, str) else data))


@given(st.sampled_from(FORMATS), documents)
def test_arbitrary_documents(payload: Payload, document: Any) -> None:
    """Any JSON document gives finite numbers of the right count or a known rejection, nothing else."""
    assert is_sound(payload, outcome(payload, orjson.dumps(document)))


@given(documents, documents)
def test_documents_of_the_right_form(value: Any, time: Any) -> None:
    """Anything where the value and the time belong gives a sample or a known rejection."""
    at_paths = {"value": value, "time": time, "a": {"x": value}, "b": [0, value], "at": time}
    data = orjson.dumps({**at_paths, "data": {"v": [value, 1], "t": time}})
    for payload in FORMATS:
        assert is_sound(payload, outcome(payload, data))
