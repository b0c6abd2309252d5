"""Holt-Winters of every series in arrays: what is published before the first training, and a yardstick after it.

The arrays are saved with those of the other parts, and a whole tick batch is learnt and forecast at once. An object
per series and element, as river has them, costs about 9 µs per sample and series.
"""

import numpy as np
from numpy.typing import NDArray

from streamer.config import Stream
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, TickBatch

ALPHA, BETA, GAMMA = 0.3, 0.1, 0.3
"""The share of a level, a trend and a season that each value replaces."""


class HoltWinters(Rows):
    """Additive Holt-Winters (Winters, Management Science 6, 1960); level and trend alone without a season.

    Level and trend are [N, d]; `season` [N, ticks, d] has what each tick of the season adds to the level. The first
    season sets them: the level is its mean, the trend its mean step. Until it is over, `level` holds the sum of its
    values and `season` the values themselves. Without a season, the first two values do the same. `learnt` [N] counts
    values.
    """

    name = "holt-winters"
    version = 0
    learnt: Ints
    level: Floats
    trend: Floats
    season: Floats

    def __init__(self, d: int, horizon: int, season: int | None) -> None:
        self.horizon = horizon
        self.ticks = season or 2
        self.gamma = GAMMA if season else 0.0
        self.needs = 2 * (season or 1) + 1
        """Samples before the first forecast: two seasons, or two samples for a trend, and one."""
        row = Column((d,))
        super().__init__(learnt=Column(dtype=np.int64), level=row, trend=row, season=Column((self.ticks, d)))

    def fit(self) -> list[int | bool]:
        return [self.ticks, bool(self.gamma), self.level.shape[1]]

    def step(self, batch: TickBatch) -> None:
        """One tick of each row; a missing one is bridged by the model's own prediction, if it has one."""
        anew = batch.rows[batch.fresh]
        self.learnt[anew] = 0
        self.level[anew] = 0.0
        missing = np.isnan(batch.x[:, 0])
        taken = ~missing | (self.learnt[batch.rows] >= self.needs)
        rows, x, missing = batch.rows[taken], batch.x[taken], missing[taken]
        starting = self.learnt[rows] < self.ticks
        if starting.any():
            self.start(rows[starting], x[starting])
        if not starting.all():
            going = ~starting
            self.smooth(rows[going], x[going], missing[going])
        self.learnt[rows] += 1

    def start(self, rows: Ints, x: Floats) -> None:
        """One value x [b, d] of the first season of each row."""
        at = self.learnt[rows]
        self.level[rows] += x
        self.season[rows, at] = x
        over = rows[at == self.ticks - 1]
        if len(over):
            season = self.season[over]
            level = self.level[over] / self.ticks
            self.level[over] = level
            self.trend[over] = (season[:, -1] - season[:, 0]) / (self.ticks - 1)
            self.season[over] = season - level[:, None] if self.gamma else 0.0

    def smooth(self, rows: Ints, x: Floats, missing: NDArray[np.bool_]) -> None:
        """One later value of each row."""
        slot = self.learnt[rows] % self.ticks
        level, trend, season = self.level[rows], self.trend[rows], self.season[rows, slot]
        x = np.where(missing[:, None], level + trend + season, x)
        self.level[rows] = new = ALPHA * (x - season) + (1 - ALPHA) * (level + trend)
        self.trend[rows] = BETA * (new - level) + (1 - BETA) * trend
        if self.gamma:
            self.season[rows, slot] = self.gamma * (x - level - trend) + (1 - self.gamma) * season

    def forecast(self, batch: TickBatch) -> Floats:
        rows, ahead = batch.rows, np.arange(self.horizon)
        learnt = self.learnt[rows]
        mean: Floats = self.level[rows, None] + (ahead + 1)[:, None] * self.trend[rows, None]
        if self.gamma:
            mean += self.season[rows[:, None], (learnt[:, None] + ahead) % self.ticks]
        mean[learnt < self.needs] = np.nan
        return mean


def holt_winters(config: Stream) -> HoltWinters | None:
    """That of a stream, None where its baseline is persistence alone."""
    if config.baseline != "holt-winters":
        return None
    return HoltWinters(config.sizes.d, config.sizes.horizon, config.season)
