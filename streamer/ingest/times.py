"""A time as messages give it in, seconds since 1970 out; any other raises `Rejected` (time)."""

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from streamer.errors import Rejected

MILLISECONDS_FROM = 1e11
PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
SIZES = ((1e17, 1e9), (1e14, 1e6), (MILLISECONDS_FROM, 1e3))
"""From which number on, in `auto`, it counts so many parts of a second."""
SHORTEST_NUMBER = 9
"""Digits of the shortest text that is a number of seconds in `auto`: 20260301 is a day."""


class Doubled(float):
    """The first of the two instants that a local time names in the hour that summer time ends with; `later`: the other.

    Which one is meant follows from the order of a series, so the series decides.
    """

    __slots__ = ("later",)
    later: float

    def __new__(cls, first: float, later: float) -> "Doubled":
        made = super().__new__(cls, first)
        made.later = later
        return made


def clock(style: str | list[str], timezone: str | None) -> Callable[[Any], float]:
    """The function that reads times of this format; texts without an offset are local in this time zone."""
    zone = None if timezone is None else ZoneInfo(timezone)
    patterns = [style] if isinstance(style, str) else style
    if "%" not in patterns[0]:
        return lambda value: moment(value, patterns[0], zone)
    return lambda value: patterned(value, patterns, zone)


def patterned(value: Any, patterns: list[str], zone: ZoneInfo | None) -> float:
    """The instant of a text that fits one of the patterns."""
    if isinstance(value, str):
        for pattern in patterns:
            try:
                return instant(datetime.strptime(value.strip(), pattern), zone)  # noqa: DTZ007 # instant wants a zone
            except ValueError:
                continue
    raise Rejected("time", f"{str(value)[:40]!r} does not fit payload.time_format")


def instant(at: datetime, zone: ZoneInfo | None) -> float:
    """Seconds since 1970, of a local time in this zone where it has no offset."""
    if at.tzinfo is None and zone is None:
        raise Rejected("time", "it has no offset, such as Z or +02:00: give payload.timezone")
    try:
        if at.tzinfo is not None:
            return at.timestamp()
        first, later = (at.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    except (OverflowError, ValueError):
        raise Rejected("time", "out of range") from None
    if first > later:
        raise Rejected("time", "this hour does not exist in payload.timezone, as summer time begins with it")
    return first if first == later else Doubled(first, later)


def moment(value: Any, style: str, zone: ZoneInfo | None = None) -> float:
    """Seconds since 1970 of an RFC 3339 text, or of a number, or its text, that counts parts of a second."""
    if isinstance(value, str):
        number = None if style == "rfc3339" else plain_number(value, style)
        if number is None:
            return written(value, style, zone)
        value = number
    if style == "rfc3339" or type(value) not in (float, int):
        raise Rejected("time", f"{type(value).__name__} where {style} was expected")
    try:
        counted = float(value)
    except OverflowError:
        raise Rejected("time", "out of range") from None
    if not math.isfinite(counted):
        raise Rejected("time", "not finite")
    return counted / parts(counted, style)


def written(text: str, style: str, zone: ZoneInfo | None) -> float:
    """The instant of an RFC 3339 text, where the format allows one."""
    if style not in ("auto", "rfc3339"):
        raise Rejected("time", f"{text[:40]!r} is no number of {style}")
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Rejected("time", f"{text[:40]!r} is not RFC 3339: give its pattern as payload.time_format") from None
    return instant(at, zone)


def parts(counted: float, style: str) -> float:
    """How many of what is counted make a second."""
    if style != "auto":
        return PER_SECOND[style]
    if -MILLISECONDS_FROM < counted < MILLISECONDS_FROM:
        return 1.0
    return next((parts for least, parts in SIZES if abs(counted) >= least), 1.0)


def plain_number(text: str, style: str) -> float | None:
    """The number that a text is, None for another text; in `auto` only one that is too long for a day."""
    digits = text.strip()
    if not digits.replace(".", "", 1).isdecimal() or not digits.isascii():
        return None
    return None if style == "auto" and len(digits.partition(".")[0]) < SHORTEST_NUMBER else float(digits)
