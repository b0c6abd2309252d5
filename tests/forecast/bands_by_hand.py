"""The rule of bands (streamer/forecast/README.md) once more, for one series of one element, in plain Python."""

import math
from collections.abc import Sequence

NORMAL = {0.1: -1.6062, 0.5: 0.0, 0.9: 1.6062, 0.975: 2.4565}
"""Quantiles of normal errors, in their mean size."""


class ByHand:
    """Every issued bound is kept as it was until its truth comes. cycle: ticks of the season, 0 for none."""

    def __init__(self, leads: Sequence[int], quantiles: Sequence[float], cycle: int) -> None:
        self.leads, self.quantiles, self.cycle = leads, quantiles, cycle
        self.theta = {(q, lead): NORMAL[q] for q in quantiles for lead in leads}
        self.errors: dict[int, tuple[float, float, int]] = {}  # of a lead: means of |error| and of day, truths
        self.day, self.met, self.pace = [1.0] * max(cycle, 1), 0, 1.0
        self.change, self.changes, self.last = 0.0, 0, math.nan
        self.issued: dict[tuple[int, int], tuple[float, list[float]]] = {}

    def size(self, lead: int) -> float:
        if lead not in self.errors:
            return self.change * math.sqrt(lead)
        errors, day, _ = self.errors[lead]
        return errors / day

    def slot(self, tick: int) -> int:
        return tick % self.cycle if self.cycle else 0

    def truth(self, tick: int, y: float) -> None:
        day, slot = self.day[self.slot(tick)], self.slot(tick)
        errors, sizes, ratios = 0.0, 0.0, []
        for lead in self.leads:
            if (tick, lead) not in self.issued:
                continue
            mean, bounds = self.issued.pop((tick, lead))
            first = (self.change * math.sqrt(lead), 1.0, 0)
            size, usual, seen = self.errors.get(lead, first)
            share = max(1 / 100, 1 / (seen + 6))
            self.errors[lead] = size + share * (abs(y - mean) - size), usual + share * (day - usual), seen + 1
            for q, bound in zip(self.quantiles, bounds, strict=True):
                if abs(y - bound) > 0.001 * self.change:
                    self.theta[q, lead] += 0.006 / math.sqrt(q * (1 - q)) * (q - (y < bound))
            errors, sizes = errors + abs(y - mean), sizes + self.size(lead)
            if self.size(lead) * day > 0:
                ratios.append(min(10.0, abs(y - mean) / (self.size(lead) * day)))
        if self.cycle and sizes:
            share = max(min(0.03, 0.12), 1 / (self.met / self.cycle + 3))
            mean_day = sum(self.day) / len(self.day)
            self.day[slot] = max(0.001, day + share * (errors / sizes / mean_day - day))
            self.met += 1
        if ratios:
            self.pace += 0.1 * (sum(ratios) / len(ratios) - self.pace)
        if not math.isnan(self.last):
            self.changes = min(self.changes + 1, 500)
            self.change += (abs(y - self.last) - self.change) / self.changes
        self.last = y

    def bounds(self, tick: int, lead: int, mean: float) -> list[float]:
        """Bounds at a lead of the grid."""
        size = self.size(lead) * math.sqrt(self.pace) * self.day[self.slot(tick + lead)]
        offsets = [self.theta[q, lead] * size for q in self.quantiles]
        return [mean + max(offsets[: i + 1]) for i in range(len(offsets))]

    def issue(self, tick: int, lead: int, mean: float, bounds: list[float]) -> None:
        """These bounds were published at this tick: they will be judged by their truth."""
        self.issued[tick + lead, lead] = mean, bounds
