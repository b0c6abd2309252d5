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

DIGITS_OF_WIDTH = 4
"""Digits of a band's width beyond which neither its bounds nor its mean mean anything."""

SMALLEST = 1e-290
"""Below it a forecast loses digits: smoothing a series that fell to 0 leads there, and 1/value would overflow."""

SEPARATOR = "\x7f"
"""A character that JSON leaves as it is and hardly any topic has."""


def encode(
    series: Sequence[str],
    time: Floats,
    interval: Floats,
    spoken: Iterable[tuple[str, int]],
    curves: Floats,
    extra: Sequence[bytes] | None = None,
    quantiles: Sequence[float] = (),
) -> list[bytes]:
    """The messages of forecasts and their bounds, curves [b, 1 + Q, h, d], each with its series, time [b], interval
    [b], and (model, version).

    Value i of a forecast is for time + (i + 1)·interval; for d = 1 it is a plain number, else a list. extra: JSON that
    each message carries besides, beginning with a comma. All numbers are written in one go and then
    cut apart, which is several times cheaper than a document at a time.
    """
    b, each, h, d = curves.shape
    opening, closing = (b"[", b"]") if d == 1 else (b"[[", b"]]")
    intervals = numbers(interval, 1).split(b",")
    if extra is not None:
        intervals = [one + more for one, more in zip(intervals, extra, strict=True)]
    lists = numbers(curves.reshape((b * each, h) if d == 1 else (b * each, h, d)), 2 if d == 1 else 3)
    values = lists.split(b"],[" if d == 1 else b"]],[[")
    columns = (
        texts(series),
        rfc3339_all(time),
        intervals,
        (model_of(model, version) for model, version in spoken),
        bracketed(values, quantiles, opening, closing),
    )
    return [
        b"".join((b'{"series":"', name, b'","time":"', at, b'","interval":', spacing, speaker, curve))
        for name, at, spacing, speaker, curve in zip(*columns, strict=True)
    ]


def bracketed(values: list[bytes], quantiles: Sequence[float], opening: bytes, closing: bytes) -> list[bytes]:
    """The end of each message, its mean and the bounds by quantile; values are the numbers of all of them in turn."""
    pattern, before = opening + b"%b" + closing, b',"quantiles":{'
    for quantile in quantiles:
        pattern += b'%b"%b":%b%%b%b' % (before, str(quantile).encode(), opening, closing)
        before = b","
    pattern += b"}}" if quantiles else b"}"
    step = len(quantiles) + 1
    return [pattern % tuple(values[i : i + step]) for i in range(0, len(values), step)]


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


def rounded(curves: Floats, x: Floats) -> Floats:
    """Forecasts and their bounds, curves [b, 1 + Q, h, d], after the newest values x [b, d], rounded to the digits that
    they need.

    They are DIGITS significant digits of an element's largest value, and more where these would not show
    DIGITS_OF_CHANGE digits of the largest step from the newest value, as of a meter that stands at 1e12; but at no lead
    more than DIGITS_OF_WIDTH digits of how far apart the curves are.
    """
    mean = curves[:, 0]
    low, high = mean.min(1, keepdims=True), mean.max(1, keepdims=True)
    change = np.maximum(high - x[:, None], x[:, None] - low)
    magnitude, finer = (np.floor(np.log10(np.maximum(size, SMALLEST))) for size in (np.maximum(high, -low), change))
    digits = np.clip(magnitude - finer + DIGITS_OF_CHANGE, DIGITS, MOST_DIGITS)
    places = digits - 1 - magnitude
    if curves.shape[1] > 1:
        width = curves.max(1) - curves.min(1)
        meant = DIGITS_OF_WIDTH - 1 - np.floor(np.log10(np.maximum(width, SMALLEST)))
        places = np.minimum(places, np.where(width > 0, meant, np.inf))
    step = np.power(10.0, places)[:, None]
    shorter: Floats = curves * step
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
