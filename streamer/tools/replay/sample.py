"""One sample of a replay: its time, values and payload."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import orjson

from streamer.errors import SourceError
from streamer.publish.encode import rfc3339

Style = Literal["json", "number"]

START = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""Time of the first sample of a source without times, in seconds since 1970."""

MILLISECONDS_FROM = 1e11
"""Numbers from here on are milliseconds since 1970: as seconds they would be beyond the year 5000."""

YEAR_1, YEAR_10000 = -62135596800.0, 253402300800.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One message to send; `time` is event time, in seconds since 1970.

    Topic, payload, qos and retain are set for samples of a recording. Where they are None, those of the command line
    apply, and the payload is built from time and values (d numbers).
    """

    time: float
    values: tuple[float, ...] = ()
    topic: str | None = None
    payload: bytes | None = None
    qos: int | None = None
    retain: bool | None = None


def encode(sample: Sample, style: Style = "json") -> bytes:
    """The recorded payload, or else `{"time": RFC 3339, "value": x}` (json) or `x` (number); x is a list for d > 1.

    Raises SourceError if the time is beyond the year 9999, which a repeated source can reach at full speed.
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
    """Seconds since 1970 of a number (seconds, or milliseconds from 1e11 on) or of an RFC 3339 or ISO 8601 text.

    A text without an offset is UTC. Raises ValueError for any other text, and outside the years 1 to 9999.
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
