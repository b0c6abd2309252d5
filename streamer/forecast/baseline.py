"""Holt-Winters per series: what is published before the first training, and a yardstick after it."""

import math

import numpy as np
from river.time_series import HoltWinters

from streamer.records import Floats, Wave


def teach(model: HoltWinters, value: float) -> None:
    """One value learnt, the first season started as what its values have above their mean, the level.

    River 0.26 divides by the mean instead, as for a multiplicative season: 1e16 times too much about a mean near 0.
    """
    season = model.season
    if season is None or len(season):
        model.learn_one(value)
        return
    model.season = None
    model.learn_one(value)
    model.season = season
    season.extend(first - level for level in model.level for first in model._first_values)


class Baseline:
    """river's additive Holt-Winters, one per series and element; level and trend alone without a season."""

    def __init__(self, d: int, horizon: int, season: int | None) -> None:
        self.d, self.horizon, self.season = d, horizon, season
        self.models: dict[int, list[HoltWinters]] = {}
        self.learnt: dict[int, int] = {}

    @property
    def needs(self) -> int:
        """Samples before the first forecast: two seasons, or two samples for a trend."""
        return 2 * (self.season or 1) + 1

    def start(self) -> HoltWinters:
        if self.season is None:
            return HoltWinters(alpha=0.3, beta=0.1)
        return HoltWinters(alpha=0.3, beta=0.1, gamma=0.3, seasonality=self.season)

    def learn(self, wave: Wave) -> None:
        """One tick of each row; a missing one is bridged by the model's own prediction."""
        for row, x, fresh in zip(wave.rows.tolist(), wave.x.tolist(), wave.fresh.tolist(), strict=True):
            if fresh or row not in self.models:
                self.models[row] = [self.start() for _ in range(self.d)]
                self.learnt[row] = 0
            ready = self.learnt[row] >= self.needs
            if math.isnan(x[0]) and not ready:
                continue
            for model, value in zip(self.models[row], x, strict=True):
                teach(model, model.forecast(1)[0] if math.isnan(value) else value)
            self.learnt[row] += 1

    def forecast(self, wave: Wave) -> Floats:
        """[b, h, d]; NaN for rows that have not seen enough."""
        out = np.full((len(wave.rows), self.horizon, self.d), np.nan)
        for i, row in enumerate(wave.rows.tolist()):
            if self.learnt.get(row, 0) >= self.needs:
                for element, model in enumerate(self.models[row]):
                    out[i, :, element] = model.forecast(self.horizon)
        return out
