"""Bounds and truths in; coverage, width, Winkler score and pinball loss out. And two simple ways to make bounds.

The simple ways: the value of one season before (the newest one where there is no season) with quantiles of its past
errors by lead, and LightGBM's quantile regression; both learn anew at every tenth of the origins.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from streamer.records import Floats, Ints
from tests.studies.accuracy.boosting import REFITS, boosted, installed
from tests.studies.accuracy.datasets import Data, ahead
from tests.studies.accuracy.scores import geometric_mean
from tests.studies.accuracy.seasons import persistence, seasonal

QUANTILES = 0.1, 0.9
"""Of the bounds that are studied; the daemon publishes them by default."""
LEVEL = QUANTILES[1] - QUANTILES[0]
Bounder = Callable[[Data, Floats, int], Floats]
"""A data set, one series of it [n] and a seed in; bounds [2, o, h] out."""


@dataclass(frozen=True, slots=True)
class BandScore:
    """One band on one series, by lead [h]: coverage; width, Winkler score and pinball loss over the mean absolute error
    of persistence. pinball is the mean of both bounds; overall is that of all leads, over the error at all leads."""

    coverage: Floats
    width: Floats
    winkler: Floats
    pinball: Floats
    overall: float

    @property
    def off(self) -> float:
        """The largest distance of the coverage from what it should be, over the leads."""
        return float(np.nanmax(np.abs(self.coverage - LEVEL)))


def score_band(truth: Floats, bounds: Floats, naive: Floats) -> BandScore:
    """Judge bounds [2, o, h] of one series, NaN where there are none; naive [o, h] are forecasts of persistence."""
    known = ~np.isnan(bounds[0]) & ~np.isnan(truth) & ~np.isnan(naive)
    count = np.where(known.any(0), known.sum(0), np.nan)

    def mean(values: Floats) -> Floats:
        found: Floats = np.where(known, values, 0.0).sum(0) / count
        return found

    low, high = bounds
    below, above = np.maximum(low - truth, 0), np.maximum(truth - high, 0)
    error = mean(np.abs(truth - naive))
    losses = [
        np.maximum(q * (truth - bound), (q - 1) * (truth - bound)) for q, bound in zip(QUANTILES, bounds, strict=True)
    ]
    pinball = mean((losses[0] + losses[1]) / 2)
    winkler = mean(high - low + below / QUANTILES[0] + above / (1 - QUANTILES[1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        return BandScore(
            mean((below == 0) & (above == 0)),
            mean(high - low) / error,
            winkler / error,
            pinball / error,
            float(np.nansum(pinball) / np.nansum(error)),
        )


def naive_bounds(data: Data, x: Floats, seed: int) -> Floats:
    """The value of the shortest season before, with quantiles of its errors of the past at each lead."""
    h, season = data.spec.horizon, next(iter(data.spec.seasons.values()), None)

    def base(at: Ints) -> Floats:
        return persistence(x, at, h) if season is None else seasonal(x, at, h, season)

    every = np.arange(season or 0, len(x) - h)
    errors = x[ahead(every, h)] - base(every)
    out = np.repeat(base(data.origins)[None], 2, 0)
    for part in np.array_split(np.arange(len(data.origins)), REFITS):
        newest = data.origins[part[0]]
        for j in range(h):
            past = errors[every + j + 1 <= newest, j]
            out[:, part, j] += np.nanquantile(past, QUANTILES)[:, None]
    return out


def boosted_bounds(data: Data, x: Floats, seed: int) -> Floats:
    """LightGBM on the pinball loss of each bound; crossing bounds are exchanged."""
    made = [
        boosted(
            x, data.time, data.origins, data.spec.lags, data.spec.horizon, seed, {"objective": "quantile", "alpha": q}
        )
        for q in QUANTILES
    ]
    return np.sort(np.array(made), 0)


BOUNDERS: dict[str, Bounder] = {"season-quantiles": naive_bounds, "lightgbm-quantiles": boosted_bounds}
"""By name."""


def applicable_bounders() -> dict[str, Bounder]:
    """Those that this machine allows."""
    return {name: one for name, one in BOUNDERS.items() if name != "lightgbm-quantiles" or installed()}


def score_bands(data: Data, found: Mapping[str, Floats], naive: Floats) -> dict[str, dict[str, BandScore]]:
    """Who -> series -> score, of bounds [s, 2, o, h]; naive [s, o, h] is what persistence says."""
    return {
        who: {name: score_band(data.truth[i], bounds[i], naive[i]) for i, name in enumerate(data.names)}
        for who, bounds in found.items()
    }


def pinball_of(scores: Mapping[str, BandScore]) -> float:
    """Geometric mean over series."""
    return geometric_mean(one.overall for one in scores.values())
