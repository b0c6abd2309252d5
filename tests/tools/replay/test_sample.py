"""Times and payloads of samples."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import SourceError
from streamer.publish.encode import rfc3339
from streamer.tools.replay.sample import START, Sample, Style, encode, parse_time

microseconds = st.integers(min_value=0, max_value=2 * 10**15)


@pytest.mark.parametrize(
    ("sample", "style", "payload"),
    [
        (Sample(START + 0.25, (0.1,)), "json", b'{"time":"2026-01-01T00:00:00.250Z","value":0.1}'),
        (Sample(START + 0.25, (0.1, -2.0)), "json", b'{"time":"2026-01-01T00:00:00.250Z","value":[0.1,-2.0]}'),
        (Sample(START + 0.000125, (1.0,)), "json", b'{"time":"2026-01-01T00:00:00.000125Z","value":1.0}'),
        (Sample(START, (0.1,)), "number", b"0.1"),
        (Sample(START, (0.1, 0.2)), "number", b"[0.1,0.2]"),
        (Sample(START, (), "a", b"\xff 1"), "json", b"\xff 1"),
    ],
)
def test_encode(sample: Sample, style: Style, payload: bytes) -> None:
    """A payload is a JSON object or a bare number, a list for d > 1, and a recorded one verbatim."""
    assert encode(sample, style) == payload


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4), microseconds)
def test_encode_loses_nothing(values: list[float], micros: int) -> None:
    """Values come back bit by bit from their payload, times to the microsecond."""
    document = orjson.loads(encode(Sample(micros / 1e6, tuple(values))))
    assert document["value"] == (values[0] if len(values) == 1 else values)
    assert round(parse_time(document["time"]) * 1e6) == micros


@given(microseconds)
def test_rfc3339_is_exact(micros: int) -> None:
    """The text names the very microsecond, and is read back by the standard library."""
    moment = datetime.fromisoformat(rfc3339(micros / 1e6))
    assert moment.tzinfo == UTC
    seconds, rest = divmod(micros, 10**6)
    assert moment == datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2016-07-01 00:00:00", 1467331200.0),
        ("2016-07-01", 1467331200.0),
        ("2016-07-01T02:00:00+02:00", 1467331200.0),
        ("2016-07-01T00:00:00.5Z", 1467331200.5),
        ("1467331200", 1467331200.0),
        ("1467331200500", 1467331200.5),
        (1467331200.5, 1467331200.5),
    ],
)
def test_parse_time(text: str | float, time: float) -> None:
    """Dates without an offset are UTC; numbers are epoch seconds, or milliseconds from 1e11 on."""
    assert parse_time(text) == time


@pytest.mark.parametrize("text", ["", "noon", "2016-13-01", "nan", "inf", "1e300", "01/07/2016"])
def test_parse_time_refuses(text: str) -> None:
    """What is no time in the years 1 to 9999 is a ValueError."""
    with pytest.raises(ValueError, match=r".+"):
        parse_time(text)


def test_end_of_time() -> None:
    """A loop that reaches the year 10000 ends with a SourceError, not with a bug."""
    with pytest.raises(SourceError, match="9999"):
        encode(Sample(253402300800.0, (1.0,)))
