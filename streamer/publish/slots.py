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
    h = curves.shape[2]
    moments = time[:, None] + np.arange(1, h + 2) * interval[:, None]
    texts = [text.decode() for text in rfc3339_all(np.minimum(moments, LAST_SECOND).ravel())]
    names = [str(quantile) for quantile in quantiles]
    out = []
    for i, values in enumerate(curves[..., 0].tolist()):
        ends = texts[i * (h + 1) : (i + 1) * (h + 1)]
        some = zip(ends[:-1], ends[1:], *values, strict=True)
        if names:
            document = [
                {"start": start, "end": end, "value": value, "quantiles": dict(zip(names, bounds, strict=True))}
                for start, end, value, *bounds in some
            ]
        else:
            document = [{"start": start, "end": end, "value": value} for start, end, value in some]
        out.append(orjson.dumps(document))
    return out
