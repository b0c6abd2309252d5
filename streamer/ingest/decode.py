"""A payload in, its values and its time, if any, out; a payload that is no sample raises `Rejected` with a reason."""

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson

from streamer.config import ArrayPayload, JsonPayload, Payload
from streamer.errors import Rejected

Decoded = tuple[tuple[float, ...], float | None]
Decode = Callable[[bytes], Decoded]

LARGEST = 1e30
MILLISECONDS_FROM = 1e11


def decoder(payload: Payload) -> Decode:
    """The function that decodes payloads of this format to (values, time in seconds since 1970 or None).

    It raises Rejected: empty, syntax (not UTF-8, not JSON, not a number), path (no such key), type, shape (not d
    numbers), not_finite, out_of_range (beyond 1e30, too large for a float32 network), time.
    """
    if isinstance(payload, JsonPayload):
        return json_decoder(payload)
    if isinstance(payload, ArrayPayload):
        d = payload.d
        return lambda data: (vector(document(data), d), None)
    return lambda data: ((number(data),), None)


def number(data: bytes) -> float:
    """The number that is the whole payload, with or without blanks around it."""
    try:
        value = float(data)
    except ValueError:
        raise Rejected("syntax" if data.strip() else "empty", "not a number") from None
    if b"_" in data:
        raise Rejected("syntax", "not a number")
    return checked(value)


def checked(value: float) -> float:
    """The value, if it is finite and a float32 network can take it."""
    if not math.isfinite(value):
        raise Rejected("not_finite", "NaN and infinities are no samples")
    if abs(value) > LARGEST:
        raise Rejected("out_of_range", f"beyond ±{LARGEST:g}")
    return value


def document(data: bytes) -> Any:
    """The payload parsed as JSON (RFC 8259, which has no NaN and no Infinity)."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Rejected("syntax" if data.strip() else "empty", str(error)) from None


def scalar(value: Any) -> float:
    """The value of a JSON number; texts and booleans are rejected."""
    if type(value) is not float and type(value) is not int:
        raise Rejected("type", f"a number was expected, not {type(value).__name__}")
    try:
        return checked(float(value))
    except OverflowError:
        raise Rejected("out_of_range", f"beyond ±{LARGEST:g}") from None


def vector(value: Any, d: int) -> tuple[float, ...]:
    """The values of a JSON array of d numbers."""
    if not isinstance(value, list):
        raise Rejected("type", f"an array was expected, not {type(value).__name__}")
    if len(value) != d:
        raise Rejected("shape", f"{len(value)} elements instead of {d}")
    return tuple(scalar(item) for item in value)


def json_decoder(payload: JsonPayload) -> Decode:
    """The decoder of a JSON document: values and, if configured, their time, by path."""
    paths = [path.split(".") for path in ([payload.value] if isinstance(payload.value, str) else payload.value)]
    time_path = payload.time.split(".") if payload.time is not None else None
    array, style = payload.array, payload.time_format
    plain = array is None and len(paths) == len(paths[0]) == len(time_path or ()) == 1 and style in ("auto", "s")
    value_key, time_key = paths[0][0], time_path[0] if time_path else ""

    def decode(data: bytes) -> Decoded:
        whole = document(data)
        if plain and type(whole) is dict:
            # A fast path for the usual message, without a function call per value.
            value, time = whole.get(value_key), whole.get(time_key)
            if type(value) is type(time) is float and abs(value) <= LARGEST and 0 <= time < MILLISECONDS_FROM:
                return (value,), time
        if array is None:
            values = tuple(scalar(pick(whole, path)) for path in paths)
        else:
            values = vector(pick(whole, paths[0]), array)
        return values, None if time_path is None else moment(pick(whole, time_path), style)

    return decode


def pick(value: Any, path: list[str]) -> Any:
    """The JSON value at a path of keys and list positions."""
    for part in path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and part.isascii() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise Rejected("path", f"nothing at {'.'.join(path)}")
    return value


def moment(value: Any, style: str) -> float:
    """Seconds since 1970 of an RFC 3339 text with an offset, or of a number in seconds or milliseconds."""
    if isinstance(value, str) and style in ("auto", "rfc3339"):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            raise Rejected("time", "not RFC 3339") from None
        if at.tzinfo is None:
            raise Rejected("time", "RFC 3339 wants an offset, as Z or +02:00")
        try:
            return at.timestamp()
        except OverflowError:
            raise Rejected("time", "out of range") from None
    if style == "rfc3339" or type(value) not in (float, int):
        raise Rejected("time", f"{type(value).__name__} where {style} was expected")
    try:
        number_of = float(value)
    except OverflowError:
        raise Rejected("time", "out of range") from None
    if not math.isfinite(number_of):
        raise Rejected("time", "not finite")
    in_milliseconds = style == "ms" or (style == "auto" and abs(number_of) >= MILLISECONDS_FROM)
    return number_of / 1000 if in_milliseconds else number_of
