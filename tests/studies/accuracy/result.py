"""Scores of all forecasters on all series of a data set in; figures of the data set, and over data sets, out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.studies.accuracy.bands import BandScore
from tests.studies.accuracy.scores import Ratio, Score, geometric_mean


@dataclass(frozen=True, slots=True)
class Figures:
    """The error of a forecaster over that of a reference, on a data set.

    overall, first: geometric means over the series of the ratio over all leads, and at lead 1. worst: the largest ratio
    of any lead and series, and where it is. above: how many leads of all series are above 1.02, `of` how many.
    """

    overall: float
    first: float
    worst: float
    worst_lead: int
    worst_series: str
    above: int
    of: int


@dataclass(frozen=True, slots=True)
class Result:
    """One data set.

    scores: forecaster -> series -> score. trainings: what came of the daemon's trainings, counted. bands: who gave
    bounds -> series -> score.
    """

    name: str
    series: int
    origins: int
    references: tuple[str, ...]
    scores: Mapping[str, Mapping[str, Score]]
    trainings: Mapping[str, int]
    bands: Mapping[str, Mapping[str, BandScore]] = field(default_factory=dict)

    def figures(self, who: str, reference: str) -> Figures:
        ratios = {series: score.ratios[reference] for series, score in self.scores[who].items()}
        return figures(ratios)

    def share(self, who: str) -> float:
        """Mean over the series of the share of truths that the forecaster spoke for."""
        return float(np.mean([score.share for score in self.scores[who].values()]))


def figures(ratios: Mapping[str, Ratio]) -> Figures:
    """Figures over the series, by name."""
    worst = {series: one.by_lead[one.worst - 1] for series, one in ratios.items() if one.worst}
    where = max(worst, key=lambda series: worst[series]) if worst else ""
    return Figures(
        overall=geometric_mean(one.overall for one in ratios.values()),
        first=geometric_mean(one.by_lead[0] for one in ratios.values()),
        worst=float(worst[where]) if where else float("nan"),
        worst_lead=ratios[where].worst if where else 0,
        worst_series=where,
        above=sum(one.above for one in ratios.values()),
        of=sum(int((~np.isnan(one.by_lead)).sum()) for one in ratios.values()),
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """A forecaster against a reference over the data sets where both are: geometric means, the worst, and the sums."""

    sets: int
    overall: float
    first: float
    worst: float
    worst_set: str
    above: int
    of: int


def summary(results: Sequence[Result], who: str, reference: str) -> Summary | None:
    """None where no data set has both."""
    some = {r.name: r.figures(who, reference) for r in results if who in r.scores and reference in r.references}
    if not some:
        return None
    where = max(some, key=lambda name: np.nan_to_num(some[name].worst, nan=-1.0))
    return Summary(
        sets=len(some),
        overall=geometric_mean(one.overall for one in some.values()),
        first=geometric_mean(one.first for one in some.values()),
        worst=some[where].worst,
        worst_set=where,
        above=sum(one.above for one in some.values()),
        of=sum(one.of for one in some.values()),
    )


def forecasters(results: Sequence[Result]) -> list[str]:
    """All names, in the order in which they first appear."""
    return [*dict.fromkeys(who for result in results for who in result.scores)]


def document(results: Sequence[Result]) -> dict[str, Any]:
    """Every figure as JSON values; null where there is none."""
    return {result.name: of_result(result) for result in results}


def of_result(result: Result) -> dict[str, Any]:
    return {
        "origins": result.origins,
        "trainings": dict(result.trainings),
        "forecasters": {
            who: {series: of_score(score) for series, score in by_series.items()}
            for who, by_series in result.scores.items()
        },
        "bands": {
            who: {series: of_band(score) for series, score in by_series.items()}
            for who, by_series in result.bands.items()
        },
    }


def of_band(score: BandScore) -> dict[str, Any]:
    tables = {name: getattr(score, name) for name in ("coverage", "width", "winkler", "pinball")}
    by_lead = {f"{name} by lead": [number(value) for value in values] for name, values in tables.items()}
    return {**by_lead, "pinball, all leads": number(score.overall)}


def of_score(score: Score) -> dict[str, Any]:
    ratios = {
        name: {"all leads": number(one.overall), "by lead": [number(value) for value in one.by_lead]}
        for name, one in score.ratios.items()
    }
    return {
        "share": number(score.share),
        "mean absolute error by lead": [number(value) for value in score.mae],
        "relative to": ratios,
    }


def number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
