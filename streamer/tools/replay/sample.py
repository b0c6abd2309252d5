"""One sample of a replay, its time as text and number, and its payload."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import orjson

from streamer.errors import SourceError
from streamer.publish.encode import rfc3339

Style = Literal["json", "number"]

START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""Event time of the first sample of a source that has no times, in epoch seconds."""

MILLISECONDS_FROM = 1e11
"""Epoch numbers from here on are milliseconds: as seconds they would lie beyond the year 5000."""

YEAR_1, YEAR_10000 = -62135596800.0, 253402300800.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One message to come: `time` is event time in epoch seconds.

    A recording gives topic, payload, qos and retain; where they are None the command line's topic, qos and retain
    hold, and the payload is made of time and values (d numbers).
    """

    time: float
    values: tuple[float, ...] = ()
    topic: str | None = None
    payload: bytes | None = None
    qos: int | None = None
    retain: bool | None = None


def encode(sample: Sample, style: Style = "json") -> bytes:
    """The payload as recorded; else `{"time": RFC 3339, "value": x}` (json) or `x` (number), x a list for d > 1.

    Raises SourceError where the time is beyond the year 9999, which a loop at full speed can reach.
    """
    if sample.payload is not None:
        return sample.payload
    value = sample.values[0] if len(sample.values) == 1 else sample.values
    if style == "number":
        return orjson.dumps(value)
    try:
        return orjson.dumps({"time": rfc3339(sample.time), "value": value})
    except (ValueError, OverflowError) as error:
        raise SourceError(f"event time has left the years 1 to 9999: {sample.time} seconds since 1970") from error


def parse_time(value: float | str) -> float:
    """Epoch seconds of a number (epoch seconds, or milliseconds from 1e11 on) or of an RFC 3339 or ISO 8601 text.

    A text without an offset is UTC. Raises ValueError where it is neither, or not in the years 1 to 9999.
    """
    try:
        time = float(value)
        time = time / 1000 if abs(time) >= MILLISECONDS_FROM else time
    except ValueError:
        moment = datetime.fromisoformat(str(value).strip())
        time = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not (math.isfinite(time) and YEAR_1 <= time < YEAR_10000):
        raise ValueError(f"{value} is not in the years 1 to 9999")
    return time
