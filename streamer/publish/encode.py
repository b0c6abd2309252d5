"""Forecasts in, their JSON messages out."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import orjson

from streamer.records import Floats

DIGITS, MOST_DIGITS = 10, 15
"""Significant digits of an element's largest value that are written: those beyond 10 mostly only lengthen messages, and
15 are what double precision holds for sure."""
DIGITS_OF_CHANGE = 4
"""Digits of the largest step from the newest value that are written as well."""

SMALLEST = 1e-290
"""Below it a forecast loses digits: smoothing a series that fell to 0 leads there, and 1/value would overflow."""

SEPARATOR = "\x7f"
"""A character that JSON leaves as it is and hardly any topic has."""


def encode(
    series: Sequence[str],
    time: Floats,
    interval: Floats,
    spoken: Iterable[tuple[str, int]],
    mean: Floats,
    extra: Sequence[bytes] | None = None,
) -> list[bytes]:
    """The messages of forecasts `mean` [b, h, d], each with its series, time [b], interval [b], and (model, version).

    Value i of a forecast is for time + (i + 1)·interval; for d = 1 it is a plain number, else a list. extra: JSON that
    each message carries besides, beginning with a comma. All numbers are written in one go and then
    cut apart, which is several times cheaper than a document at a time.
    """
    flat = mean.shape[2] == 1
    opening, closing = (b"[", b"]}") if flat else (b"[[", b"]]}")
    intervals = numbers(interval, 1).split(b",")
    if extra is not None:
        intervals = [one + more for one, more in zip(intervals, extra, strict=True)]
    columns = (
        texts(series),
        rfc3339_all(time),
        intervals,
        (model_of(model, version) for model, version in spoken),
        numbers(mean[:, :, 0] if flat else mean, 2 if flat else 3).split(b"],[" if flat else b"]],[["),
    )
    return [
        b"".join(
            (b'{"series":"', name, b'","time":"', at, b'","interval":', spacing, speaker, opening, values, closing)
        )
        for name, at, spacing, speaker, values in zip(*columns, strict=True)
    ]


def numbers(values: Floats, brackets: int) -> bytes:
    """An array as JSON, without that many brackets at each end."""
    return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[brackets:-brackets]


def texts(values: Sequence[str]) -> list[bytes]:
    """Each as JSON, without its quotes."""
    parts = orjson.dumps(SEPARATOR.join(values))[1:-1].split(SEPARATOR.encode())
    return parts if len(parts) == len(values) else [orjson.dumps(value)[1:-1] for value in values]


@lru_cache(maxsize=64)
def model_of(model: str, version: int) -> bytes:
    """The part of a message that names model and version."""
    return b',"model":%b,"version":%d,"mean":' % (orjson.dumps(model), version)


def rounded(mean: Floats, x: Floats) -> Floats:
    """Forecasts [b, h, d] after the newest values x [b, d], each element rounded to the digits that it needs.

    They are DIGITS significant digits of its largest value, and more where these would not show DIGITS_OF_CHANGE digits
    of the largest step from the newest value, as of a meter that stands at 1e12.
    """
    low, high = mean.min(1, keepdims=True), mean.max(1, keepdims=True)
    change = np.maximum(high - x[:, None], x[:, None] - low)
    magnitude, finer = (np.floor(np.log10(np.maximum(size, SMALLEST))) for size in (np.maximum(high, -low), change))
    digits = np.clip(magnitude - finer + DIGITS_OF_CHANGE, DIGITS, MOST_DIGITS)
    step = np.power(10.0, digits - 1 - magnitude)
    shorter: Floats = mean * step
    np.rint(shorter, out=shorter)
    shorter /= step
    return shorter


def rfc3339(time: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC, to the millisecond, or to the microsecond where that is needed."""
    return rfc3339_all(np.array([time]))[0].decode()


def rfc3339_all(time: Floats) -> list[bytes]:
    """The same of several times [b]."""
    seconds, micros = np.divmod(np.rint(time * 1e6).astype(np.int64), 1_000_000)
    return [
        b"%b.%06dZ" % (second(at), part) if part % 1000 else b"%b.%03dZ" % (second(at), part // 1000)
        for at, part in zip(seconds.tolist(), micros.tolist(), strict=True)
    ]


@lru_cache(maxsize=4096)
def second(at: int) -> bytes:
    """A whole second since 1970, as 2026-03-01T12:00:00: most samples of a batch share a few."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
