"""Means and standard errors over seeds, from the results of a study."""

import math
from collections.abc import Iterable, Mapping
from statistics import fmean, stdev
from typing import Any, NamedTuple

Row = dict[str, Any]


class Estimate(NamedTuple):
    """A mean over seeds and its standard error, which is 0 for a single seed."""

    mean: float
    error: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.error:.3f}"


def estimate(values: Iterable[float]) -> Estimate:
    """Mean and standard error of values from independent seeds."""
    held = list(values)
    return Estimate(fmean(held), stdev(held) / math.sqrt(len(held)) if len(held) > 1 else 0.0)


def networks(results: Mapping[str, Any], prefix: str, **wanted: object) -> list[Row]:
    """The records of networks with the `wanted` values, in all groups whose name has this prefix."""
    groups = [found["networks"] for name, found in results.items() if name.startswith(prefix)]
    rows = [row for group in groups for row in group]
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def error(rows: Iterable[Row], way: str, key: str) -> Estimate:
    """E_p of networks for a key "signal kp", tested `way` ("windowed" or "carried")."""
    return estimate(row[way][key] for row in rows)


def by_ratio(rows: Iterable[Row]) -> dict[float, list[Row]]:
    """Records grouped by r, smallest r first."""
    found: dict[float, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (float(row["r"]), int(row["seed"]))):
        found.setdefault(float(row["r"]), []).append(row)
    return found


def slope(rows: Iterable[Row], way: str, key: str) -> Estimate:
    """The least-squares slope of E_p against ln r: mean and standard error of the slopes of the seeds."""
    by_seed: dict[int, list[Row]] = {}
    for row in rows:
        by_seed.setdefault(int(row["seed"]), []).append(row)
    return estimate(_slope([(math.log(r["r"]), r[way][key]) for r in of_seed]) for of_seed in by_seed.values())


def _slope(points: list[tuple[float, float]]) -> float:
    x, y = fmean(p[0] for p in points), fmean(p[1] for p in points)
    return sum((p[0] - x) * (p[1] - y) for p in points) / sum((p[0] - x) ** 2 for p in points)
