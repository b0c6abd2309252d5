"""A data set in; forecasts of simple methods, by name, out. To add a method, add a line to YARDSTICKS."""

from collections.abc import Callable

import numpy as np

from streamer.forecast.contract import REFERENCE
from streamer.records import Floats
from tests.studies.accuracy.boosting import boosted, installed
from tests.studies.accuracy.datasets import Data
from tests.studies.accuracy.rls import rls, seasonal_rls
from tests.studies.accuracy.seasons import persistence, seasonal

Method = Callable[[Data, Floats, int], Floats]
"""A data set, one series of it [n] and a seed in; forecasts [o, h] out."""


def references(data: Data) -> dict[str, Floats]:
    """[s, o, h] of the obvious forecasts: what a published forecast must not be worse than."""
    at, h = data.origins, data.spec.horizon
    found = {REFERENCE: np.array([persistence(x, at, h) for x in data.x.T])}
    for name, season in data.spec.seasons.items():
        found[name] = np.array([seasonal(x, at, h, season) for x in data.x.T])
    return found


def rls_of(data: Data, x: Floats, seed: int) -> Floats:
    return rls(x, data.start, data.origins, data.spec.lags, data.spec.horizon)


def seasonal_rls_of(data: Data, x: Floats, seed: int) -> Floats:
    season = [*data.spec.seasons.values()][-1]
    return seasonal_rls(x, data.start, data.origins, data.spec.lags, data.spec.horizon, season)


def boosted_of(data: Data, x: Floats, seed: int) -> Floats:
    return boosted(x, data.time, data.origins, data.spec.lags, data.spec.horizon, seed)


YARDSTICKS: dict[str, Method] = {"rls": rls_of, "seasonal-rls": seasonal_rls_of, "lightgbm": boosted_of}
"""By name; the seasonal one regresses the difference to the longest season ago."""


def applicable(data: Data) -> dict[str, Method]:
    """The methods that this data set and this machine allow."""
    can = {"seasonal-rls": bool(data.spec.seasons), "lightgbm": installed()}
    return {name: method for name, method in YARDSTICKS.items() if can.get(name, True)}
