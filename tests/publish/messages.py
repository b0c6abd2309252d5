"""Forecast messages for tests."""

import numpy as np

from streamer.publish.encode import Curves, encode
from streamer.records import Floats


def message_of(series: str, time: float, interval: float, model: str, version: int, mean: Floats) -> bytes:
    """The message of one forecast, mean [h, d], after a value as its first."""
    curves = Curves(mean[None, None], mean[:1])
    (payload,) = encode([series], np.array([time]), np.array([interval]), [(model, version)], curves)
    return payload
