"""Forecasts in, and later their truth; errors of every model by lead out.

A forecast made at tick t for t + lead is scored when the sample of t + lead arrives, never earlier, and every model
against that same sample. Until then a ring for each scored lead keeps it: what each model predicted for tick t lies in
slot t mod lead. A slot takes `8·M·d` bytes, the rings of a series `8·M·d` times the sum of the leads. They are in
double precision, for a meter that stands at 1e8 would leave single precision no digits for its changes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from streamer.forecast.contract import REFERENCE
from streamer.part import Arrays, Column, Rows
from streamer.records import Floats, Ints, TickBatch


class Scores(Rows):
    """Rolling errors of a stream: exponential means over `window` ticks, per series, model and lead.

    ring: [N, Σ leads, M, d], the slots of one lead after those of another. matured: [N, M, L, d], what was predicted
    for the newest tick. sums: [N, 3, M, L], of weights, squares and sizes of errors.
    """

    name = "scores"
    ring: Floats
    matured: Floats
    sums: Floats

    def __init__(self, models: Sequence[str], leads: Sequence[int], d: int, window: int) -> None:
        self.models, self.leads, self.d, self.window = tuple(models), np.array(leads), d, window
        self.decay = np.exp(-1 / window)
        self.begins = np.cumsum(leads) - leads
        count, scored = len(self.models), len(leads)
        super().__init__(
            ring=Column((sum(leads), count, d), axis=2, names=self.models),
            matured=Column((count, scored, d), axis=1, names=self.models),
            sums=Column((3, count, scored), axis=2, names=self.models),
        )

    @property
    def reference(self) -> int:
        """The index of the model that skill is measured against."""
        return self.models.index(REFERENCE)

    @property
    def weight(self) -> Floats:
        """What the sums of each model and lead have been divided by, [N, M, L]."""
        return self.sums[:, 0]

    @property
    def squared(self) -> Floats:
        """Fading sums of squared errors, [N, M, L]."""
        return self.sums[:, 1]

    def fit(self) -> list[Any]:
        return [self.leads.tolist(), self.d, self.window]

    def restore(self, labels: Any, saved: Arrays) -> None:
        super().restore(labels, saved)
        self.forget([model for model in self.models if model not in labels["ring"]])

    def truth(self, batch: TickBatch) -> None:
        """Score what was predicted for these ticks; what was predicted for a missing tick is dropped."""
        self.restart(batch.rows[batch.fresh])
        slots, at = self.slots(batch)
        predicted = np.ascontiguousarray(slots.take(at, 0).transpose(0, 2, 1, 3))
        slots[at] = np.nan
        self.matured[batch.rows] = predicted
        error = predicted - batch.x[:, None, None, :]
        known = ~np.isnan(error[..., 0])
        sums = self.sums.take(batch.rows, 0)
        sums *= np.where(known, self.decay, 1.0)[:, None]
        sums[:, 0] += known
        sums[:, 1] += np.where(known, np.square(error).mean(3), 0.0)
        sums[:, 2] += np.where(known, np.abs(error).mean(3), 0.0)
        self.sums[batch.rows] = sums

    def slots(self, batch: TickBatch) -> tuple[Floats, Ints]:
        """All slots of the rings, [N·Σ leads, M, d], and the numbers of those of a tick by lead, [b, L].

        What was predicted for tick t, and what is predicted at it for t + lead, belong into the same ones.
        """
        slots = self.ring.reshape(-1, len(self.models), self.d)
        return slots, (batch.rows * self.ring.shape[1])[:, None] + self.begins + batch.tick[:, None] % self.leads

    def predicted(self, batch: TickBatch, mean: Floats) -> None:
        """Keep what every model predicts from these ticks on: mean [b, M, h, d]."""
        slots, at = self.slots(batch)
        slots[at] = mean.take(self.leads - 1, 2).transpose(0, 2, 1, 3)

    def restart(self, rows: Ints) -> None:
        """Forget pending forecasts of series that begin, or start anew."""
        self.ring[rows] = np.nan
        self.matured[rows] = np.nan

    def forget(self, models: Sequence[str]) -> None:
        """Forget everything of these models: they speak with new weights, or for the first time."""
        at = [self.models.index(model) for model in models]
        self.ring[:, :, at] = np.nan
        self.matured[:, at] = np.nan
        self.sums[:, :, at] = 0

    def by_lead(self) -> tuple[Floats, Floats]:
        """RMSE and MAE of the stream, [M, L]: over its series, NaN where nothing was scored yet."""
        sums = self.sums
        return np.sqrt(pooled(sums[:, 1], sums[:, 0])), pooled(sums[:, 2], sums[:, 0])


def pooled(sums: Floats, weight: Floats) -> Floats:
    """Mean over series of each one's rolling mean; NaN where none has weight.

    The metrics' threads call it with views of one array: while it grows, two arrays might differ in length.
    """
    known = weight > 0
    each = np.divide(sums, weight, out=np.zeros_like(sums), where=known)
    count = known.sum(0)
    mean: Floats = np.divide(each.sum(0), count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean
