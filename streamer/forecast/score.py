"""Forecasts in, and later their truth; errors by model and lead out.

A forecast made at tick t for t + lead is scored when the sample of t + lead arrives, never earlier, and every model
against that same sample. Two things are kept per series: a ring with what each model predicted for each coming tick at
the scored leads, and one whole forecast at a time (a *trajectory*), which gives E_p, eq. (15), exactly, every h ticks.
The ring takes `8·h·M·L·d` bytes per series, a trajectory `8·h·M·d`: double precision, for a meter that stands at 1e8
would leave single precision no digits for its changes.
"""

import numpy as np
from numpy.typing import NDArray

from streamer.records import MODELS, Floats, Ints, Wave

M = len(MODELS)


class Scores:
    """Rolling errors of a stream: exponential means over `window` ticks, per series, model and lead."""

    def __init__(self, leads: list[int], horizon: int, d: int, window: int) -> None:
        self.leads, self.horizon, self.d = np.array(leads), horizon, d
        self.decay, self.trajectory_decay = np.exp(-1 / window), np.exp(-horizon / window)
        n_leads = len(leads)
        self.ring = np.zeros((0, horizon, M, n_leads, d))
        self.matured = np.zeros((0, M, n_leads, d))
        self.trajectory = np.zeros((0, M, horizon, d))
        self.origin = np.zeros(0, np.int64)
        self.trajectory_sum = np.zeros((0, M, d))
        self.trajectory_count = np.zeros(0)
        self.weight, self.squared, self.absolute = (np.zeros((0, M, n_leads)) for _ in range(3))
        self.ep_weight, self.ep_squared = np.zeros((0, M)), np.zeros((0, M, d))

    def grow(self, rows: int) -> None:
        """Room for `rows` series."""
        more = rows - len(self.origin)
        if more <= 0:
            return
        for name in ("ring", "matured", "trajectory"):
            array = getattr(self, name)
            setattr(self, name, np.concatenate([array, np.full((more, *array.shape[1:]), np.nan)]))
        self.origin = np.concatenate([self.origin, np.full(more, -1)])
        for name in (
            "trajectory_sum", "trajectory_count", "weight", "squared", "absolute", "ep_weight", "ep_squared",
        ):  # fmt: skip
            array = getattr(self, name)
            setattr(self, name, np.concatenate([array, np.zeros((more, *array.shape[1:]))]))

    def truth(self, wave: Wave) -> None:
        """Score what was predicted for these ticks; what was predicted for a missing tick is dropped."""
        self.restart(wave.rows[wave.fresh])
        slot = wave.tick % self.horizon
        predicted = self.ring[wave.rows, slot]
        self.ring[wave.rows, slot] = np.nan
        self.matured[wave.rows] = predicted
        error = predicted - wave.x[:, None, None, :]
        known = ~np.isnan(error[..., 0])
        for sums, value in ((self.squared, np.square(error)), (self.absolute, np.abs(error))):
            sums[wave.rows] = np.where(known, sums[wave.rows] * self.decay + value.mean(3), sums[wave.rows])
        self.weight[wave.rows] = np.where(known, self.weight[wave.rows] * self.decay + 1, self.weight[wave.rows])
        self.follow(wave)

    def follow(self, wave: Wave) -> None:
        """Add these truths to the trajectories that are under way, and close those that end here."""
        at = wave.tick - self.origin[wave.rows] - 1
        under_way = self.origin[wave.rows] >= 0
        measured = under_way & (at < self.horizon) & ~np.isnan(wave.x[:, 0])
        rows = wave.rows[measured]
        error = self.trajectory[rows, :, at[measured]] - wave.x[measured][:, None]
        self.trajectory_sum[rows] += np.square(error)
        self.trajectory_count[rows] += 1
        rows = wave.rows[under_way & (at >= self.horizon - 1)]
        e_p = self.trajectory_sum[rows] / np.maximum(self.trajectory_count[rows], 1)[:, None, None]
        known = ~np.isnan(e_p[..., 0]) & (self.trajectory_count[rows] > 0)[:, None]
        weight, squared = self.ep_weight[rows], self.ep_squared[rows]
        self.ep_weight[rows] = np.where(known, weight * self.trajectory_decay + 1, weight)
        self.ep_squared[rows] = np.where(known[..., None], squared * self.trajectory_decay + e_p, squared)
        self.origin[rows] = -1

    def predicted(self, wave: Wave, mean: Floats) -> None:
        """Keep what every model predicts from these ticks on: mean [b, M, h, d]."""
        slots = (wave.tick[:, None] + self.leads) % self.horizon
        at_leads = mean[:, :, self.leads - 1].transpose(0, 2, 1, 3)
        self.ring[wave.rows[:, None], slots, :, np.arange(len(self.leads))] = at_leads
        idle = self.origin[wave.rows] < 0
        rows = wave.rows[idle]
        self.trajectory[rows] = mean[idle]
        self.trajectory_sum[rows] = 0
        self.trajectory_count[rows] = 0
        self.origin[rows] = wave.tick[idle]

    def restart(self, rows: Ints) -> None:
        """Forget pending forecasts of series that start anew."""
        self.ring[rows] = np.nan
        self.origin[rows] = -1

    def reset(self, models: list[int]) -> None:
        """Forget everything of these models: they speak with new weights."""
        self.ring[:, :, models] = np.nan
        self.trajectory[:, models] = np.nan
        self.trajectory_sum[:, models] = np.nan
        for array in (self.weight, self.squared, self.absolute, self.ep_weight, self.ep_squared):
            array[:, models] = 0

    def e_p(self, rows: Ints) -> Floats:
        """Rolling E_p of each model, [b, M], infinite until a whole forecast has met its truth."""
        e_p: Floats = np.sqrt(self.ep_by_element(rows).mean(2))
        return e_p

    def ranking(self, rows: Ints) -> Floats:
        """What the choice between models goes by, [b, M]: E_p² over that of persistence, mean over elements.

        Elements may be in very different units; for d = 1 the order is that of E_p.
        """
        squared = self.ep_by_element(rows)
        naive = squared[:, :1]
        relative: Floats = (squared / np.where((naive > 0) & np.isfinite(naive), naive, 1.0)).mean(2)
        return relative

    def ep_by_element(self, rows: Ints) -> Floats:
        """Rolling mean square over whole forecasts, [b, M, d], infinite until one has met its truth."""
        weight = self.ep_weight[rows][..., None]
        squared: Floats = np.where(weight > 0, self.ep_squared[rows] / np.maximum(weight, 1e-300), np.inf)
        return squared

    def by_lead(self) -> tuple[Floats, Floats]:
        """RMSE and MAE of the stream, [M, L]: over its series, NaN where nothing was scored yet."""
        return np.sqrt(pooled(self.squared, self.weight)), pooled(self.absolute, self.weight)

    def e_p_of_stream(self) -> Floats:
        """E_p of each model over the series of the stream, [M], NaN where none was scored yet."""
        return np.sqrt(pooled(self.ep_squared.mean(2), self.ep_weight))


def pooled(sums: Floats, weight: NDArray[np.float64]) -> Floats:
    """Mean over series of each one's rolling mean; NaN where none has weight.

    Called from the metrics' threads: the arrays may just be growing, one before the other.
    """
    rows = min(len(sums), len(weight))
    sums, weight = sums[:rows], weight[:rows]
    known = weight > 0
    each = np.divide(sums, weight, out=np.zeros_like(sums), where=known)
    count = known.sum(0)
    mean: Floats = np.divide(each.sum(0), count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean
