"""Forecasts in, their JSON messages out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import inf

import numpy as np
import orjson

from streamer.publish.digits import written
from streamer.records import Floats

SEPARATOR = "\x7f"
"""A character that JSON leaves as it is and hardly any topic has."""


@dataclass(frozen=True, slots=True)
class Curves:
    """Forecasts and their bounds of b series, values [b, 1 + Q, h, d], at these quantiles, after newest values x
    [b, d]; what is written is within limits."""

    values: Floats
    x: Floats
    quantiles: Sequence[float] = ()
    limits: tuple[float, float] = (-inf, inf)

    def written(self) -> list[bytes]:
        """The end of each message: its mean and the bounds by quantile."""
        pieces = [b',"mean":']
        for quantile in self.quantiles:
            pieces.append(b'%b"%b":' % (b',"quantiles":{' if len(pieces) == 1 else b",", str(quantile).encode()))
        return written(self.values, self.x, self.limits, [*pieces, b"}}" if self.quantiles else b"}"])


def encode(
    series: Sequence[str],
    time: Floats,
    interval: Floats,
    spoken: Iterable[tuple[str, int]],
    curves: Curves,
    extra: Sequence[bytes] | None = None,
) -> list[bytes]:
    """The messages of forecasts and their bounds, each with its series, time [b], interval [b], and (model, version).

    Value i of a forecast is for time + (i + 1)·interval; for d = 1 it is a plain number, else a list. extra: JSON that
    each message carries besides, beginning with a comma. Numbers of the whole batch are written in one go and then cut
    apart, which is several times cheaper than a document at a time.
    """
    intervals = orjson.dumps(np.ascontiguousarray(interval), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    if extra is not None:
        intervals = [one + more for one, more in zip(intervals, extra, strict=True)]
    columns = (
        texts(series),
        rfc3339_all(time),
        intervals,
        (model_of(model, version) for model, version in spoken),
        curves.written(),
    )
    return [
        b"".join((b'{"series":"', name, b'","time":"', at, b'","interval":', spacing, speaker, curve))
        for name, at, spacing, speaker, curve in zip(*columns, strict=True)
    ]


def texts(values: Sequence[str]) -> list[bytes]:
    """Each as JSON, without its quotes."""
    parts = orjson.dumps(SEPARATOR.join(values))[1:-1].split(SEPARATOR.encode())
    return parts if len(parts) == len(values) else [orjson.dumps(value)[1:-1] for value in values]


@lru_cache(maxsize=64)
def model_of(model: str, version: int) -> bytes:
    """The part of a message that names model and version."""
    return b',"model":%b,"version":%d' % (orjson.dumps(model), version)


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
