"""A forecast in, its JSON message out (design, section 5)."""

from datetime import UTC, datetime

import numpy as np
import orjson

from streamer.records import Floats

DIGITS = 10
"""Significant digits of an element's largest value that are written; digits beyond them only lengthen messages."""

SMALLEST = 1e-290
"""Below it a forecast loses digits: smoothing a series that fell to 0 leads there, and 1/value would overflow."""


def encode(series: str, time: float, interval: float, model: str, version: int, mean: Floats) -> bytes:
    """One forecast: `mean` [h, d], its element i for time + (i + 1)·interval; d = 1 is written as plain numbers."""
    values = mean[:, 0] if mean.shape[1] == 1 else mean
    return orjson.dumps(
        {
            "series": series,
            "time": rfc3339(time),
            "interval": interval,
            "model": model,
            "version": version,
            "mean": np.ascontiguousarray(values),
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def rounded(mean: Floats) -> Floats:
    """Forecasts [b, h, d], each element rounded to DIGITS significant digits of its largest value."""
    peak = np.abs(mean).max(1, keepdims=True)
    magnitude = np.floor(np.log10(np.maximum(peak, SMALLEST)))
    step = np.power(10.0, DIGITS - 1 - magnitude)
    shorter: Floats = np.round(mean * step) / step
    return shorter


def rfc3339(time: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC, to the millisecond, or to the microsecond where that is needed."""
    microseconds = round(time * 1e6)
    at = datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(microsecond=microseconds % 1_000_000)
    return at.isoformat(timespec="microseconds" if microseconds % 1000 else "milliseconds").replace("+00:00", "Z")
