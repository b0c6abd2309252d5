"""The rule of bands (streamer/forecast/README.md) once more, for one series of one element, in plain Python."""

import math
from collections.abc import Sequence
from typing import NamedTuple

NORMAL = {0.1: -1.6062, 0.5: 0.0, 0.9: 1.6062, 0.975: 2.4565}
"""Quantiles of normal errors, in their mean size."""


class Issued(NamedTuple):
    """What was said of a tick to come: the forecast, bounds, what the others forecast, and the conditions."""

    mean: float
    bounds: list[float]
    others: list[float]
    known: tuple[float, float, float]


class ByHand:
    """Every issued bound is kept as it was until its truth comes. cycle: ticks of the season, 0 for none."""

    def __init__(self, leads: Sequence[int], quantiles: Sequence[float], cycle: int) -> None:
        self.leads, self.quantiles, self.cycle = leads, quantiles, cycle
        self.theta = {(q, lead): [NORMAL[q], 0.0, 0.0] for q in quantiles for lead in leads}
        self.errors: dict[int, tuple[float, float, int]] = {}  # of a lead: means of |error| and of day·σ, truths
        self.day, self.met, self.pace = [1.0] * max(cycle, 1), 0, 1.0
        self.w, self.usual_pace, self.usual = (0.0, 0.0), 0.0, dict.fromkeys(leads, 0.0)
        self.change, self.changes, self.last = 0.0, 0, math.nan
        self.level, self.deviation, self.known = 0.0, 0.0, (0.0, 0.0, 0.0)
        self.issued: dict[tuple[int, int], Issued] = {}

    def size(self, lead: int) -> float:
        if lead not in self.errors:
            return self.change * math.sqrt(lead)
        errors, day, _ = self.errors[lead]
        return errors / day

    def slot(self, tick: int) -> int:
        return tick % self.cycle if self.cycle else 0

    def conditions(self, lead: int, pace: float, mean: float, others: Sequence[float]) -> tuple[float, float]:
        """Pace and spread less what they usually are."""
        size = self.size(lead)
        far = [min(abs(one - mean) / size, 3.9) for one in others if not math.isnan(one) and size > 0]
        return pace - self.usual_pace, (sum(far) / len(far) if far else 0.0) - self.usual[lead]

    def sigma(self, pace: float, spread: float) -> float:
        usual = min(max(1 + self.w[0] * pace + self.w[1] * spread, 0.2), 5.0)
        root = 1 + pace + self.usual_pace
        return usual * min(1.0, root / 0.5) * max(1.0, root / 1.4)

    def truth(self, tick: int, y: float) -> None:
        slot = self.slot(tick)
        day, errors, sizes, ratios = self.day[slot], 0.0, 0.0, []
        for lead in self.leads:
            if (tick, lead) not in self.issued:
                continue
            mean, bounds, others, known = self.issued.pop((tick, lead))
            for q, bound in zip(self.quantiles, bounds, strict=True):
                if abs(y - bound) > 0.001 * self.change:
                    side = (q - (y < bound)) / math.sqrt(q * (1 - q))
                    steps = 0.006 / lead**0.125, 0.0005 * known[1], 0.0005 * known[2]
                    self.theta[q, lead] = [
                        one + step * side for one, step in zip(self.theta[q, lead], steps, strict=True)
                    ]
            size = self.size(lead)
            sums, usual, seen = self.errors.get(lead, (size, 1.0, 0))
            pace, spread = self.conditions(lead, known[0], mean, others)
            sigma = self.sigma(pace, spread)
            if seen and size * day > 0:
                ratio = min(abs(y - mean) / (size * day), 5.0)
                left = ratio - (1 + self.w[0] * pace + self.w[1] * spread)
                step = max(2e-4, 1 / (300 + self.met)) / (1 + pace**2 + spread**2) * left
                self.w = self.w[0] + step * pace, self.w[1] + step * spread
            self.usual[lead] += spread / min(self.met + 1, 1000)
            share = max(min(max(self.pace, 1.0), 1.5) / 100, 1 / (seen + 6))
            self.errors[lead] = sums + share * (abs(y - mean) - sums), usual + share * (day * sigma - usual), seen + 1
            errors, sizes = errors + abs(y - mean) / sigma, sizes + self.size(lead)
            if self.size(lead) * day > 0:
                ratios.append(min(10.0, abs(y - mean) / (self.size(lead) * day)))
        if self.cycle and sizes:
            share = max(min(0.03, 0.12), 1 / (self.met / self.cycle + 3))
            mean_day = sum(self.day) / len(self.day)
            self.day[slot] = max(0.001, day + share * (errors / sizes / mean_day - day))
        if ratios:
            self.pace += 0.1 * (sum(ratios) / len(ratios) - self.pace)
            self.met += 1
        self.take_in(y)

    def take_in(self, y: float) -> None:
        """The newest value, and the conditions from now on."""
        if math.isnan(y):
            return
        change = (y - self.last) / self.change if self.change else 0.0
        if not math.isnan(self.last):
            self.changes = min(self.changes + 1, 500)
            self.change += (abs(y - self.last) - self.change) / self.changes
        self.last = y
        self.level += (y - self.level) / (self.changes + 1)
        self.deviation += (abs(y - self.level) - self.deviation) / (self.changes + 1)
        place = (y - self.level) / (1.25 * self.deviation) if self.deviation else 0.0
        root = math.sqrt(self.pace) - 1
        self.usual_pace += (root - self.usual_pace) / min(self.met + 10, 1000)
        self.known = tuple(min(max(one, -3.9), 3.9) for one in (root, change, place))  # type: ignore[assignment]

    def bounds(self, tick: int, lead: int, mean: float, others: Sequence[float]) -> list[float]:
        """Bounds at a lead of the grid."""
        size = self.size(lead) * self.day[self.slot(tick + lead)]
        size *= self.sigma(*self.conditions(lead, self.known[0], mean, others))
        _, change, place = self.known
        thetas = [self.theta[q, lead] for q in self.quantiles]
        offsets = [(one[0] + one[1] * change + one[2] * place) * size for one in thetas]
        return [mean + max(offsets[: i + 1]) for i in range(len(offsets))]

    def issue(self, tick: int, lead: int, mean: float, bounds: list[float], others: list[float]) -> None:
        """These bounds were published at this tick: they will be judged by their truth."""
        self.issued[tick + lead, lead] = Issued(mean, bounds, others, self.known)
