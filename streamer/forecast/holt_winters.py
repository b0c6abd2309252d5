"""Holt-Winters of every series in arrays: what is published before the first training, and a yardstick after it.

Kept in arrays and not as one object per series and element, its state can be saved with the others and a whole wave
is learnt and forecast at once; an object each, as river has them, costs about 9 µs per sample and series.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.records import Floats, Ints, TickBatch

ALPHA, BETA, GAMMA = 0.3, 0.1, 0.3
"""How much of a level, trend and season each value replaces."""


class HoltWinters:
    """Additive Holt-Winters (Winters, Management Science 6, 1960); level and trend alone without a season.

    Level and trend [N, d] and the season's part of each of its ticks [N, ticks, d]. The first season sets them: the
    level is its mean, the trend its mean step, a tick's part what its value has above the level. Until it is over,
    `level` holds the sum of its values and `season` the values. Without a season, the first two values do the same.
    """

    def __init__(self, d: int, horizon: int, season: int | None) -> None:
        self.d, self.horizon = d, horizon
        self.ticks = season or 2
        self.gamma = GAMMA if season else 0.0
        self.needs = 2 * (season or 1) + 1
        """Samples before the first forecast: two seasons, or two samples for a trend, and one."""
        self.learnt = np.zeros(0, np.int64)
        self.level, self.trend = np.zeros((0, d)), np.zeros((0, d))
        self.season = np.zeros((0, self.ticks, d))

    def grow(self, rows: int) -> None:
        """Room for `rows` series."""
        for name, array in self.arrays().items() if rows > len(self.learnt) else ():
            grown = np.zeros((rows, *array.shape[1:]), array.dtype)
            grown[: len(array)] = array
            setattr(self, name, grown)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that decides the future, live, a row per series."""
        return {"learnt": self.learnt, "level": self.level, "trend": self.trend, "season": self.season}

    def learn(self, wave: TickBatch) -> None:
        """One tick of each row; a missing one is bridged by the model's own prediction, if it has one."""
        anew = wave.rows[wave.fresh]
        self.learnt[anew] = 0
        self.level[anew] = 0.0
        missing = np.isnan(wave.x[:, 0])
        taken = ~missing | (self.learnt[wave.rows] >= self.needs)
        rows, x, missing = wave.rows[taken], wave.x[taken], missing[taken]
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

    def forecast(self, wave: TickBatch) -> Floats:
        """[b, h, d]; NaN for rows that have not seen enough."""
        rows, ahead = wave.rows, np.arange(self.horizon)
        learnt = self.learnt[rows]
        mean: Floats = self.level[rows, None] + (ahead + 1)[:, None] * self.trend[rows, None]
        if self.gamma:
            mean += self.season[rows[:, None], (learnt[:, None] + ahead) % self.ticks]
        mean[learnt < self.needs] = np.nan
        return mean
