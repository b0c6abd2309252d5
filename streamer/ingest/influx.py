"""InfluxDB line protocol in, its points out, and what is wrong with lines that are none.

Source: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

import re
from dataclasses import dataclass
from typing import Literal

from streamer.errors import Rejected
from streamer.ingest.packed import inflated

Precision = Literal["s", "ms", "us", "ns"]
Value = float | int | bool | str

PER_SECOND: dict[Precision, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

# A backslash before any other character is literal: writers do not double it, and InfluxDB reads it so.
NAME = r"(?:\\[, ]|[^, \n])++"
KEY = r"(?:\\[,= ]|[^,= \n])++"
VALUE = r'(?:"(?:\\.|[^"\\])*+"|[^", \r\n]++)'

BLANK = re.compile(r"[ \t\r]*+(?:#[^\n]*+)?(?:\n|\Z)")
POINT = re.compile(
    rf"[ \t]*+({NAME})((?:,{KEY}={KEY})*+) ++({KEY}={VALUE}(?:,{KEY}={VALUE})*+)(?: ++([+-]?[0-9]++))?[ \r]*+(?:\n|\Z)",
    re.DOTALL,
)
TAG = re.compile(rf",({KEY})=({KEY})")
FIELD = re.compile(rf"({KEY})=({VALUE})", re.DOTALL)

ESCAPED_IN_NAME = re.compile(r"\\([, ])")
ESCAPED_IN_KEY = re.compile(r"\\([,= ])")
ESCAPED_IN_TEXT = re.compile(r'\\([\\"])')

INTEGER = re.compile(r"([+-]?[0-9]+)([iu])")
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
BOOLEANS = {
    **dict.fromkeys(["t", "T", "true", "True", "TRUE"], True),
    **dict.fromkeys(["f", "F", "false", "False", "FALSE"], False),
}
LONGEST = 30  # digits
RANGES = {"i": (-(2**63), 2**63 - 1), "u": (0, 2**64 - 1)}


@dataclass(frozen=True, slots=True)
class Point:
    """One line: `fields` holds all fields as sent, `time` is in seconds since 1970, or None if the line has none."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, Value]
    time: float | None


def points(data: bytes, precision: Precision = "ns") -> tuple[list[Point], list[Rejected]]:
    """The points of a payload of one or more lines, and what is wrong with its bad lines; `precision` is the unit of
    the timestamps.

    A fault names its line. Lines that begin with # are comments. Reasons: syntax (not line protocol), not_finite,
    out_of_range (an integer beyond 64 bits, a float beyond double precision), time (beyond 64 bits). Raises Rejected
    where there is neither point nor bad line: empty, syntax (not UTF-8), too_large (decompressed).
    """
    text = _text(data)
    found, faults = list[Point](), list[Rejected]()
    position = 0
    while position < len(text):
        if (blank := BLANK.match(text, position)) is not None:
            position = blank.end()
            continue
        match = POINT.match(text, position)
        try:
            if match is None:
                raise Rejected("syntax", "not measurement[,tag=…] field=value[,…] [time]")
            found.append(_point(match, precision))
        except Rejected as why:
            line = text.count("\n", 0, position) + 1
            faults.append(Rejected(why.reason, f"line {line}: {why}"))
        position = match.end() if match else (text.find("\n", position) + 1 or len(text))
    if not found and not faults:
        raise Rejected("empty", "no points")
    return found, faults


def _text(data: bytes) -> str:
    """The text of a payload. No line begins like gzip or zstd; one that begins like zlib is text where it is UTF-8."""
    try:
        return data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        inner = inflated(data)
        if inner is None:
            raise Rejected("syntax", f"not UTF-8: {error.reason}") from None
        return inner.decode(errors="replace")


def _point(match: re.Match[str], precision: Precision) -> Point:
    name, tags, fields, time = match.groups()
    return Point(
        ESCAPED_IN_NAME.sub(r"\1", name),
        {_key(key): _key(value) for key, value in TAG.findall(tags)},
        {_key(key): _value(value) for key, value in FIELD.findall(fields)},
        None if time is None else _time(time, precision),
    )


def _key(text: str) -> str:
    return ESCAPED_IN_KEY.sub(r"\1", text) if "\\" in text else text


def _value(text: str) -> Value:
    """The value of a float, an integer such as 1i or 1u, a boolean, or a text in double quotes."""
    if NUMBER.fullmatch(text):
        value = float(text)
        if abs(value) == float("inf"):
            raise Rejected("out_of_range", f"{text} is beyond double precision")
        return value
    if (integer := INTEGER.fullmatch(text)) is not None:
        return _integer(*integer.groups())
    if text in BOOLEANS:
        return BOOLEANS[text]
    if text[0] == '"':
        return ESCAPED_IN_TEXT.sub(r"\1", text[1:-1])
    if NOT_FINITE.fullmatch(text):
        raise Rejected("not_finite", "NaN and infinities are no samples")
    raise Rejected("syntax", f"{text!r} is no field value")


def _integer(digits: str, kind: str) -> int:
    least, most = RANGES[kind]
    # The length is checked first, as Python refuses to convert thousands of digits.
    if len(digits) > LONGEST or not least <= int(digits) <= most:
        raise Rejected("out_of_range", f"an integer beyond {least} to {most}")
    return int(digits)


def _time(digits: str, precision: Precision) -> float:
    try:
        return _integer(digits, "i") / PER_SECOND[precision]
    except Rejected as why:
        raise Rejected("time", str(why)) from None
