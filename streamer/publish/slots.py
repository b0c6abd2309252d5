"""Forecasts in, lists of slots out: what programs read that plan by tariffs, evcc and EMHASS among them.

A slot begins at the moment that its value is for and lasts for an interval, as there each value holds until the next.
README.md says what these programs take.
"""

from collections.abc import Sequence

import numpy as np
import orjson

from streamer.publish.encode import rfc3339_all
from streamer.publish.thresholds import LAST_SECOND
from streamer.records import Floats


def slots(time: Floats, interval: Floats, curves: Floats, quantiles: Sequence[float] = ()) -> list[bytes]:
    """The messages of forecasts and their bounds, curves [b, 1 + Q, h, 1], of time [b] and interval [b]."""
    b, each, h = curves.shape[:3]
    moments = time[:, None] + np.arange(1, h + 2) * interval[:, None]
    times = rfc3339_all(np.minimum(moments, LAST_SECOND).ravel())
    flat = np.ascontiguousarray(curves[..., 0].transpose(0, 2, 1)).ravel()
    values = orjson.dumps(flat, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    bounds = b",".join(b'"%b":%%b' % str(quantile).encode() for quantile in quantiles)
    pattern = b'{"start":"%b","end":"%b","value":%b' + (b',"quantiles":{%b}}' % bounds if bounds else b"}")
    out = []
    for i in range(b):
        ends, of = times[i * (h + 1) : (i + 1) * (h + 1)], values[i * h * each : (i + 1) * h * each]
        some = (pattern % (*ends[j : j + 2], *of[j * each : (j + 1) * each]) for j in range(h))
        out.append(b"[" + b",".join(some) + b"]")
    return out
