"""Whole forecasts in, and later their truths; E_p of every model, eq. (15), out.

Of each series one whole forecast at a time (a *trajectory*) is followed, which gives E_p every h ticks. It takes
`4·h·(M - 1)·d` bytes: how a model's forecast changes from its own first value on is kept in single precision, and that
value in double. The reference changes nothing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from streamer.forecast.contract import REFERENCE
from streamer.forecast.score import pooled
from streamer.part import Arrays, Column, Rows
from streamer.records import Floats, Ints, TickBatch


class Trajectories(Rows):
    """Rolling E_p of a stream: an exponential mean over `window` ticks, per series and model.

    whole: [N, M, 1 + d], of weights and E_p². A trajectory that began at tick `origin` [N], -1 for none, is `first`
    [N, M, d] plus `change` [N, h, M - 1, d], without the reference. The squares of its errors so far are summed in
    `met` [N, M, d], of `count` [N] ticks.
    """

    name = "trajectories"
    whole: Floats
    origin: Ints
    first: Floats
    met: Floats
    count: Floats
    change: Floats

    def __init__(self, models: Sequence[str], horizon: int, d: int, window: int) -> None:
        self.models, self.horizon, self.window = tuple(models), horizon, window
        if self.models[0] != REFERENCE:
            raise ValueError(f"the first model must be {REFERENCE}, whose trajectory is its first value")
        self.decay = np.exp(-horizon / window)
        count, others = len(self.models), self.models[1:]
        super().__init__(
            whole=Column((count, 1 + d), axis=1, names=self.models),
            origin=Column(dtype=np.int64),
            first=Column((count, d), axis=1, names=self.models),
            met=Column((count, d), axis=1, names=self.models),
            count=Column(),
            change=Column((horizon, len(others), d), np.float32, axis=2, names=others),
        )

    def fit(self) -> list[Any]:
        return [self.horizon, self.first.shape[2], self.window]

    def restore(self, labels: Any, saved: Arrays) -> None:
        super().restore(labels, saved)
        self.forget([model for model in self.models if model not in labels["whole"]])

    def truth(self, batch: TickBatch) -> None:
        """Add these truths to the trajectories that are under way, and close those that end here."""
        self.restart(batch.rows[batch.fresh])
        origin = self.origin[batch.rows]
        at = batch.tick - origin - 1
        under_way = origin >= 0
        measured = under_way & (at < self.horizon) & ~np.isnan(batch.x[:, 0])
        rows = batch.rows[measured]
        predicted = self.first[rows]
        changes = self.change.reshape(-1, *self.change.shape[2:])
        predicted[:, 1:] += changes.take(rows * self.horizon + at[measured], 0)
        self.met[rows] += np.square(predicted - batch.x[measured][:, None])
        self.count[rows] += 1
        over = under_way & (at >= self.horizon - 1)
        if over.any():
            self.close(batch.rows[over])

    def close(self, rows: Ints) -> None:
        """Put E_p² of whole trajectories into the rolling means."""
        count = self.count[rows, None, None]
        e_p = self.met[rows] / np.maximum(count, 1)
        known = ~np.isnan(e_p[..., :1]) & (count > 0)
        faded = self.whole[rows] * self.decay
        faded[..., :1] += 1
        faded[..., 1:] += e_p
        self.whole[rows] = np.where(known, faded, self.whole[rows])
        self.origin[rows] = -1

    def predicted(self, batch: TickBatch, mean: Floats) -> None:
        """Follow the forecasts made at these ticks, mean [b, M, h, d], where none is being followed."""
        idle = self.origin[batch.rows] < 0
        rows, whole = batch.rows[idle], mean[idle]
        self.first[rows] = first = whole[:, :, 0]
        self.change[rows] = (whole[:, 1:] - first[:, 1:, None]).transpose(0, 2, 1, 3)
        self.met[rows] = 0
        self.count[rows] = 0
        self.origin[rows] = batch.tick[idle]

    def restart(self, rows: Ints) -> None:
        """Follow nothing any more of series that begin, or start anew."""
        self.origin[rows] = -1

    def forget(self, models: Sequence[str]) -> None:
        """Forget everything of these models: they speak with new weights, or for the first time."""
        at = [self.models.index(model) for model in models]
        self.met[:, at] = np.nan
        self.whole[:, at] = 0

    def e_p(self, rows: Ints) -> Floats:
        """Rolling E_p of each model, [b, M], infinite until a whole forecast has met its truth."""
        e_p: Floats = np.sqrt(self.by_element(rows).mean(2))
        return e_p

    def ranking(self, rows: Ints) -> Floats:
        """What the choice between models goes by, [b, M]: E_p² over that of the reference, mean over elements.

        Elements may be in very different units; for d = 1 the order is that of E_p.
        """
        squared = self.by_element(rows)
        naive = squared[:, :1]
        relative: Floats = (squared / np.where((naive > 0) & np.isfinite(naive), naive, 1.0)).mean(2)
        return relative

    def by_element(self, rows: Ints) -> Floats:
        """Rolling mean square over whole forecasts, [b, M, d], infinite until one has met its truth."""
        whole = self.whole.take(rows, 0)
        weight = whole[..., :1]
        squared: Floats = np.where(weight > 0, whole[..., 1:] / np.maximum(weight, 1e-300), np.inf)
        return squared

    def of_stream(self) -> Floats:
        """E_p of each model over the series of the stream, [M], NaN where none was scored yet."""
        whole = self.whole
        return np.sqrt(pooled(whole[..., 1:].mean(2), whole[..., 0]))
