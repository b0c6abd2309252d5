"""A series in; forecasts of LightGBM, refitted ten times on all that came before, out.

One model for all leads ("direct") predicts the step from the last value. Its inputs are the lags minus the last value,
the lead, and the hour of the day and the day of the week of the tick that is forecast. It learns by the absolute error.
`lightgbm` is no dependency of this project: where it is not installed, the study runs without it.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

import numpy as np

from streamer.records import Floats, Ints
from tests.studies.accuracy.datasets import filled
from tests.studies.accuracy.rls import lagged

REFITS = 10
MOST = 40_000
"""Pairs of tick and lead, drawn at random, that one fit learns from: time is bounded on every data set."""
SETTINGS = {"objective": "regression_l1", "num_leaves": 31, "learning_rate": 0.1, "num_threads": 1, "verbosity": -1}
ROUNDS = 100
DAY, WEEK = 86400.0, 604800.0


def installed() -> bool:
    """Whether `lightgbm` can be imported."""
    return find_spec("lightgbm") is not None


def boosted(
    x: Floats,
    time: Floats,
    origins: Ints,
    lags: int,
    horizon: int,
    seed: int,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> Floats:
    """Forecasts [o, h] of the series x [n] with these times [n], in seconds since 1970."""
    lightgbm: Any = import_module("lightgbm")
    z, random = filled(x), np.random.default_rng(seed)
    inputs = lagged(z, lags) - z[:, None]
    leads = np.arange(1, horizon + 1)
    out = np.full((len(origins), horizon), np.nan)
    for part in np.array_split(np.arange(len(origins)), REFITS):
        newest = int(origins[part[0]])
        ticks, ahead = drawn(x, lags - 1, newest, horizon, random)
        learnt = lightgbm.Dataset(features(inputs, time, ticks, ahead), x[ticks + ahead] - z[ticks])
        model = lightgbm.train({**SETTINGS, **settings, "seed": seed}, learnt, ROUNDS)
        at = np.repeat(origins[part], horizon)
        asked = features(inputs, time, at, np.tile(leads, len(part)))
        out[part] = z[origins[part], None] + model.predict(asked, num_threads=1).reshape(len(part), horizon)
    return out


def drawn(x: Floats, first: int, newest: int, horizon: int, random: np.random.Generator) -> tuple[Ints, Ints]:
    """Ticks and leads of pairs whose truth is known by the `newest` tick, at most so many as MOST."""
    ticks, leads = np.meshgrid(np.arange(first, newest), np.arange(1, horizon + 1), indexing="ij")
    truth = ticks + leads
    good = np.flatnonzero((truth <= newest) & ~np.isnan(x[np.minimum(truth, newest)]))
    chosen = np.sort(random.choice(good, MOST, replace=False)) if len(good) > MOST else good
    return ticks.ravel()[chosen], leads.ravel()[chosen]


def features(inputs: Floats, time: Floats, ticks: Ints, leads: Ints) -> Floats:
    """[b, lags + 3] what is known of each pair of tick and lead; days of the week count from that of 1 January 1970."""
    then = time[ticks + leads]
    return np.column_stack([inputs[ticks], leads, then % DAY // 3600, then % WEEK // DAY])
