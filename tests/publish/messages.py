"""Forecast messages for tests."""

import numpy as np

from streamer.publish.encode import encode
from streamer.records import Floats


def message_of(series: str, time: float, interval: float, model: str, version: int, mean: Floats) -> bytes:
    """The message of one forecast, mean [h, d]."""
    (payload,) = encode([series], np.array([time]), np.array([interval]), [(model, version)], mean[None, None])
    return payload
