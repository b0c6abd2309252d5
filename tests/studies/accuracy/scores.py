"""Forecasts and truths in; mean absolute errors by lead, and their ratios to those of simple forecasts, out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.records import Floats

MOST = 1.02
"""A published forecast must not have more than this times the error of an obvious one, at any lead."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The error of one forecaster over that of a reference, at the origins and truths where both spoke.

    overall: of the mean errors over all leads together. by_lead: [h], NaN at a lead where nothing can be compared.
    """

    overall: float
    by_lead: Floats

    @property
    def worst(self) -> int:
        """The lead, from 1, with the largest ratio; 0 if there is none."""
        return 0 if np.isnan(self.by_lead).all() else int(np.nanargmax(self.by_lead)) + 1

    @property
    def above(self) -> int:
        """How many leads have more than the ratio `MOST`."""
        return int((self.by_lead > MOST).sum())


@dataclass(frozen=True, slots=True)
class Score:
    """One forecaster on one series: share of the truths that it spoke for, mean absolute error by lead, ratios."""

    share: float
    mae: Floats
    ratios: Mapping[str, Ratio]


def score(truth: Floats, forecast: NDArray[np.floating], references: Mapping[str, Floats]) -> Score:
    """Score forecasts [o, h] of one series, NaN where there is none, against each reference [o, h] by name."""
    error = np.abs(np.asarray(forecast, np.float64) - truth)
    spoke, known = ~np.isnan(error), ~np.isnan(truth)
    ratios = {name: ratio(error, np.abs(one - truth)) for name, one in references.items()}
    return Score(float(spoke.sum() / known.sum()), mean_by_lead(error), ratios)


def ratio(error: Floats, reference: Floats) -> Ratio:
    """Compare absolute errors [o, h] where neither is NaN; two errors of zero are equal, ratio 1."""
    both = ~np.isnan(error) & ~np.isnan(reference)
    mine, other = np.where(both, error, 0.0).sum(0), np.where(both, reference, 0.0).sum(0)
    by_lead = np.where(both.any(0), divide(mine, other), np.nan)
    overall = float(divide(mine.sum(), other.sum())) if both.any() else np.nan
    return Ratio(overall, by_lead)


def divide(mine: Floats, other: Floats) -> Floats:
    """Errors over those of a reference; 0 / 0 is 1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        quotient: Floats = np.where((mine == 0) & (other == 0), 1.0, np.divide(mine, other))
    return quotient


def mean_by_lead(error: Floats) -> Floats:
    """[h] mean of [o, h] over the origins where it is known, NaN where there is none."""
    known = ~np.isnan(error)
    count = known.sum(0)
    total = np.where(known, error, 0.0).sum(0)
    mean: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def geometric_mean(values: Iterable[float]) -> float:
    """Geometric mean of those values that are numbers, NaN if there is none."""
    known = [value for value in values if not np.isnan(value)]
    if not known:
        return float("nan")
    with np.errstate(divide="ignore"):
        return float(np.exp(np.mean(np.log(known))))
