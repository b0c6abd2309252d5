"""A payload in, its values and its time, if any, out; a payload that is no sample raises `Rejected` with a reason."""

import codecs
import math
from collections.abc import Callable
from typing import Any

import orjson

from streamer.config import ArrayPayload, JsonPayload, Payload
from streamer.config.numbers import Numbers
from streamer.errors import Ignored, Rejected
from streamer.ingest import packed
from streamer.ingest.paths import Path, parse, pick, written
from streamer.ingest.texts import AROUND, reader
from streamer.ingest.times import MILLISECONDS_FROM, clock

Decoded = tuple[tuple[float, ...], float | None]
Decode = Callable[[bytes], Decoded]
Scalar = Callable[[Any], float]
"""The number of a JSON value. Raises Rejected, Ignored."""

LARGEST = 1e30


def decoder(payload: Payload) -> Decode:
    """The function that decodes payloads of this format to (values, time in seconds since 1970 or None).

    It raises Rejected: empty, syntax (not UTF-8, not JSON, not a number), path (no such key), type, shape (not d
    numbers), not_finite, out_of_range (beyond 1e30, too large for a float32 network), time, too_large (decompressed);
    and Ignored (null).
    """
    if isinstance(payload, JsonPayload):
        return json_decoder(payload)
    if isinstance(payload, ArrayPayload):
        d, read = payload.d, scalar_of(payload.numbers)
        return lambda data: (vector(document(data), d, read), None)
    return number_decoder(getattr(payload, "numbers", None))


def number_decoder(rules: Numbers | None) -> Decode:
    """The decoder of a number that is the whole payload, with or without blanks around it."""
    read = reader(rules or Numbers())
    python = rules is None or rules.decimal == "."

    def number(data: bytes) -> float:
        if python:
            # A fast path for the usual text.
            try:
                value = float(data)
            except ValueError:
                pass
            else:
                if b"_" not in data:
                    return checked(value)
        return slow(data, packed.inflated(data))

    def slow(data: bytes, inner: bytes | None) -> float:
        try:
            text = (data if inner is None else inner).decode()
        except UnicodeDecodeError as error:
            raise Rejected("syntax", f"not UTF-8: {error.reason}") from None
        if (found := read(text)) is None:
            if not text.strip(AROUND):
                raise Rejected("empty", "not a number")
            raise Rejected("syntax", f"{text[:40]!r} is no number; see payload.numbers")
        return checked(found)

    return lambda data: ((number(data),), None)


def checked(value: float) -> float:
    """The value, if it is finite and a float32 network can take it."""
    if not math.isfinite(value):
        raise Rejected("not_finite", "NaN and infinities are no samples")
    if abs(value) > LARGEST:
        raise Rejected("out_of_range", f"beyond ±{LARGEST:g}")
    return value


def document(data: bytes) -> Any:
    """The payload parsed as JSON (RFC 8259, which has no NaN and no Infinity), compressed or not."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if (inner := packed.inflated(data)) is not None:
            return document_within(inner)
        if data.startswith(codecs.BOM_UTF8):
            return document_within(data.removeprefix(codecs.BOM_UTF8))
        raise Rejected("syntax" if data.strip() else "empty", str(error)) from None


def document_within(data: bytes) -> Any:
    """The same, once what was around it is gone."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Rejected("syntax" if data.strip() else "empty", str(error)) from None


def loader(payload: JsonPayload) -> Callable[[bytes], Any]:
    """The function that makes the document of a payload."""
    if payload.encoding == "json":
        return document
    return packed.unpacking(packed.cbor if payload.encoding == "cbor" else packed.msgpack)


def scalar(value: Any) -> float:
    """The value of a JSON number; texts and booleans are rejected."""
    if type(value) is not float and type(value) is not int:
        raise Rejected("type", f"a number was expected, not {type(value).__name__}")
    try:
        return checked(float(value))
    except OverflowError:
        raise Rejected("out_of_range", f"beyond ±{LARGEST:g}") from None


def scalar_of(rules: Numbers | None) -> Scalar:
    """The same for texts and booleans too, by these rules or the default ones; null is ignored."""
    text = reader(rules or Numbers())

    def read(value: Any) -> float:
        kind = type(value)
        if kind is float or kind is int:
            return scalar(value)
        if kind is str or kind is bool:
            if (found := text(str(value))) is None:
                raise Rejected("type", f"{str(value)[:40]!r} is no number; see payload.numbers")
            return checked(found)
        if value is None:
            raise Ignored
        return scalar(value)

    return read


def vector(value: Any, d: int, read: Scalar = scalar) -> tuple[float, ...]:
    """The values of a JSON array of d numbers."""
    if not isinstance(value, list):
        raise Rejected("type", f"an array was expected, not {type(value).__name__}")
    if len(value) != d:
        raise Rejected("shape", f"{len(value)} elements instead of {d}")
    return tuple(read(item) for item in value)


def at(whole: Any, path: Path, read: Callable[[Any], Any]) -> Any:
    """What `read` makes of the value at a path; a rejection names the path."""
    value = pick(whole, path)
    try:
        return read(value)
    except Ignored:
        raise
    except Rejected as why:
        raise Rejected(why.reason, f"at {written(path)}: {why}") from None


def json_decoder(payload: JsonPayload) -> Decode:
    """The decoder of a JSON document: values and, if configured, their time, by path."""
    paths = [parse(path) for path in ([payload.value] if isinstance(payload.value, str) else payload.value)]
    time_path = parse(payload.time) if payload.time is not None else None
    array, style, load, read = payload.array, payload.time_format, loader(payload), scalar_of(payload.numbers)
    times = clock(style, payload.timezone)

    def pick_out(whole: Any) -> Decoded:
        try:
            if array is None:
                values = tuple([read(pick(whole, path)) for path in paths])
            else:
                values = vector(pick(whole, paths[0]), array, read)
            return values, None if time_path is None else times(pick(whole, time_path))
        except Rejected:
            name_fault(whole)
            raise

    def name_fault(whole: Any) -> None:
        """Raise the rejection again, with the path in it: nothing that is no fault pays for that."""
        for path in paths:
            at(whole, path, read if array is None else lambda value: vector(value, array, read))
        if time_path is not None:
            at(whole, time_path, times)

    plain = array is None and len(paths) == len(paths[0]) == len(time_path or ()) == 1 and style in ("auto", "s")
    if plain and payload.encoding == "json" and time_path:
        return usual_decoder(paths[0][0], time_path[0], pick_out)
    return lambda data: pick_out(load(data))


def usual_decoder(value_key: str, time_key: str, pick_out: Callable[[Any], Decoded]) -> Decode:
    """A fast path for the usual message, an object with number and time, without a function call per value."""

    def decode(data: bytes) -> Decoded:
        try:
            whole = orjson.loads(data)
        except orjson.JSONDecodeError:
            whole = document(data)
        if type(whole) is dict:
            value, time = whole.get(value_key), whole.get(time_key)
            if type(value) is type(time) is float and abs(value) <= LARGEST and 0 <= time < MILLISECONDS_FROM:
                return (value,), time
        return pick_out(whole)

    return decode
