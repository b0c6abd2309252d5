"""Forecasts and their bounds in; when they cross a threshold, and how likely that is, out."""

from collections.abc import Sequence

import numpy as np

from streamer.config import Threshold
from streamer.records import Floats

DIGITS = 6
"""Decimals of a probability."""


def ahead(values: Floats, threshold: Threshold) -> Floats:
    """Ticks until a threshold is crossed, inf where it is not: [b], of the newest value and its forecast [b, 1 + h].

    0 where the newest value is beyond already; else between two values, by linear interpolation.
    """
    sign = 1 if threshold.direction == "above" else -1
    values, limit = sign * values, sign * threshold.value
    beyond = values >= limit
    first = beyond.argmax(1)
    lead = np.where(beyond[:, 0], 0.0, np.inf)
    rows = first.nonzero()[0]
    i = first[rows]
    short, over = values[rows, i - 1], values[rows, i]
    with np.errstate(over="ignore", invalid="ignore"):
        share = (limit - short) / (over - short)
    lead[rows] = i - 1 + np.where(np.isfinite(share), share, 1.0)  # a step too large to be a float is taken whole
    return lead


def between(x: Floats, bounds: Floats, lead: Floats, threshold: Threshold) -> tuple[Floats, Floats]:
    """Ticks until the outermost bounds [b, Q, h] cross: the earliest and the latest, [b] each, with `lead`, that of the
    forecast, between them; x [b] are the newest values."""
    lowest, highest = (ahead(np.concatenate([x[:, None], bounds[:, outer]], 1), threshold) for outer in (0, -1))
    soon, late = (highest, lowest) if threshold.direction == "above" else (lowest, highest)
    return np.minimum(soon, lead), np.maximum(late, lead)


def likelihood(bounds: Floats, quantiles: Sequence[float], threshold: Threshold) -> Floats:
    """Probability [b], at the lead where it is greatest, that the value is beyond a threshold, by bounds [b, Q, h].

    Between two bounds it is interpolated by straight lines. Beyond the outermost ones it is what they vouch for: 0
    where even the last one does not reach the threshold, and with the quantiles 0.1 and 0.9 at most 0.9.
    """
    shares = 1 - np.array(quantiles)
    curves, limit = bounds, threshold.value
    if threshold.direction == "below":
        shares, curves, limit = np.array(quantiles)[::-1], -bounds[:, ::-1], -limit
    found = np.zeros(len(bounds))
    reach = np.flatnonzero((curves[:, -1] >= limit).any(1))
    curves = curves[reach]
    at = np.where(curves[:, -1] >= limit, shares[-1], 0.0)
    for i in range(len(shares) - 2, -1, -1):
        low, high = curves[:, i], curves[:, i + 1]
        inside = (low < limit) & (high >= limit)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            part = (high - limit) / (high - low)
        at = np.where(inside, shares[i + 1] + (shares[i] - shares[i + 1]) * np.where(part >= 0, part, 0.0), at)
    found[reach] = np.where(curves[:, 0] >= limit, shares[0], at).max(1, initial=0.0)
    return np.round(found, DIGITS)
