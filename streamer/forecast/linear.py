"""Least squares without a memory of past values: one model of few features per lead, learned sample by sample.

Expert e sees the residuals r of one cycle's usual values, or the values themselves. Its features of a tick are
φ = [r_{t-i} - r_t for i = 1 … 7; μ_τ - x_t for 8 exponential means of x; r_t, with a cycle; 1] / δ, with δ the running
mean of the |x_t - x_{t-1}| that are not 0. Its forecast for lead h is usual(slot of t + h) + r_t + δ·W_h·φ, or
x_t + δ·W_h·φ. All leads of the grid share φ and hence P of recursive least squares (no forgetting, from P = I / RIDGE);
W_h learns when the truth of t + h is there, with the gain of tick t. Errors are cut at CUT running mean sizes of the
errors of their lead.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.config import Stream
from streamer.forecast.covariates import Covariates
from streamer.forecast.factor import packed
from streamer.forecast.leads import LeadGrid, grid_of
from streamer.forecast.least_squares import COUNT_MEANS, FEATURES, LAGS, Past, Regression, step_all, steps_all
from streamer.forecast.seasonal import Seasons
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, TickBatch

F32 = NDArray[np.float32]


class LinearExperts(Rows):
    """The linear experts of all series: one without a cycle, then one for each cycle."""

    name = "linear-experts"
    origin: Floats
    x: F32
    means: F32
    residuals: F32
    newest: F32
    behind: F32
    delta: F32

    def __init__(self, config: Stream, seasons: Seasons) -> None:
        d, h, self.seasons = config.sizes.d, config.sizes.horizon, seasons
        self.grid = LeadGrid(grid_of(h), h)
        self.asked: tuple[TickBatch | None, F32] = None, np.zeros(0, np.float32)
        self.covariates = Covariates(config, seasons, self.grid.leads, FEATURES)
        experts, leads, f32, i64 = 1 + len(seasons.calendar.cycles), len(self.grid.leads), np.float32, np.int64
        super().__init__(
            ticks=Column(dtype=i64),
            rises=Column(dtype=i64),
            since=Column(dtype=i64),
            origin=Column((d,)),
            x=Column((d,), f32),
            means=Column((d, COUNT_MEANS), f32),
            delta=Column((d,), f32),
            residuals=Column((d, experts, h + LAGS), f32),
            newest=Column((d, experts), f32),
            scale=Column((h, d), f32),
            behind=Column((leads, d, COUNT_MEANS), f32),
            factor=Column((d, experts, packed(FEATURES)), f32),
            w=Column((leads, d, experts, FEATURES), f32),
            size=Column((leads, d, experts), f32),
            met=Column((leads, d), f32),
            gain=Column((h, d, experts, FEATURES), np.int8),
            unit=Column((h, d, experts), f32),
        )

    @property
    def state(self) -> tuple[Past, Regression]:
        arrays = self.arrays()
        past, regression = ({name: arrays[name] for name in kind._fields} for kind in (Past, Regression))
        return Past(**past), Regression(**regression)

    def fit(self) -> list[Any]:
        return [self.seasons.fit(), self.grid.leads.tolist(), FEATURES, "factors"]

    def take_in(self, batch: TickBatch) -> None:
        """Learn from the truths of these ticks, then take them in; a missing one is held at what its slot suggests."""
        usual = np.zeros((len(batch.rows), *self.newest.shape[1:]))
        usual[..., 1:] = self.seasons.usual_at(batch.rows, self.seasons.now(batch)).swapaxes(1, 2)
        now, effects = self.covariates.take_in(batch), self.covariates.state
        step_all(*self.state, effects, batch.rows, batch.x, batch.tick, batch.fresh, usual, self.grid.leads, now)

    def move(self, rows: Ints, by: Floats) -> None:
        """All past values of these rows are higher by so much, [b, d]."""
        self.origin[rows] += by

    def move_origin(self, rows: Ints, origin: Floats) -> None:
        """Keep values of these rows as differences from another origin [b, d]; residuals have none but the first's."""
        by = origin - self.origin[rows]
        self.x[rows] -= by
        self.means[rows] -= by[..., None]
        self.residuals[rows, :, 0] -= by[..., None]
        self.newest[rows, :, 0] -= by
        self.behind[rows] -= by[:, None, :, None]
        self.origin[rows] = origin

    def steps(self, batch: TickBatch) -> F32:
        """What each expert adds to its base, [E, b, h, d], NaN without a scale yet; the forecasters ask in turn.

        The last is that with covariates, where there are any.
        """
        if self.asked[0] is not batch:
            grid, coming, effects = self.grid, self.covariates.coming(batch), self.covariates.state
            steps = steps_all(*self.state, effects, batch.rows, batch.tick, grid.left, grid.right, grid.share, coming)
            self.asked = batch, steps
        return self.asked[1]

    def forecast(self, batch: TickBatch, expert: int, *, covariates: bool = False) -> Floats:
        """What one expert says, perhaps with covariates, [b, h, d]; NaN where there is no scale yet."""
        rows, steps = batch.rows, self.steps(batch)[-1 if covariates else expert]
        value = self.origin[rows] + self.x[rows]
        if not expert:
            plain: Floats = value[:, None] + steps
            return plain
        usual = self.seasons.usual_at(rows, self.seasons.coming(batch)[expert - 1])
        return add_usual(value, value - self.newest[rows, :, expert], steps, usual)


@compiled
def add_usual(value: Floats, now: Floats, steps: F32, usual: Floats) -> Floats:
    """value [b, d] and steps [b, h, d], and what is usual then, usual [b, h, d], less what is usual now [b, d]; where
    that is unknown, nothing."""
    out = np.empty(usual.shape)
    for i in range(usual.shape[0]):
        for c in range(usual.shape[2]):
            newest, before = value[i, c], now[i, c]
            for j in range(usual.shape[1]):
                unusual = usual[i, j, c] - before
                out[i, j, c] = newest + steps[i, j, c] + (0.0 if np.isnan(unusual) else unusual)
    return out


class Linear(Rows):
    """One of the linear experts as a forecaster, perhaps with covariates; the state is in `LinearExperts`."""

    version = 0

    def __init__(self, name: str, experts: LinearExperts, expert: int, *, covariates: bool = False) -> None:
        self.name, self.experts, self.expert, self.covariates = name, experts, expert, covariates
        super().__init__()

    def fit(self) -> None:
        return None

    def step(self, batch: TickBatch) -> None:
        """The experts are stepped together."""

    def forecast(self, batch: TickBatch) -> Floats:
        return self.experts.forecast(batch, self.expert, covariates=self.covariates)
