"""Forecasts in, and later their truth; errors of every model by lead out.

A forecast made at tick t for t + lead is scored when the sample of t + lead arrives, never earlier, and every model
against that same sample. Until then a ring for each scored lead keeps it: what each model predicted for tick t lies in
slot t mod lead, as the difference from the value that it was predicted after, in 16 bits (codes.py): off by at most a
30,000th of the largest change that any model predicted at that tick, however high the series stands. Where that cannot
be told from the truth it counts as the truth: the sign of such an error would be that of its code. A slot takes
`2·M·d` bytes, the rings of a series `2·M·d` times the sum of the leads, and `12·d` for each of the newest h ticks.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.forecast.codes import MOST_16, coarseness, decoded, encoded, unit_of
from streamer.forecast.contract import REFERENCE
from streamer.forecast.leads import LeadGrid
from streamer.part import Arrays, Column, Rows
from streamer.records import Floats, Ints, TickBatch

NONE = -32_768
"""The code of no forecast, or of one that is no number."""

MOST = 1e38
"""The largest sum of squares, or of sizes, of errors: an infinite one would never fade."""

F32 = NDArray[np.float32]


class Errors(NamedTuple):
    """The state of scores, as `Scores` has it."""

    ring: NDArray[np.int16]
    values: Floats
    largest: F32
    sums: F32


class Scores(Rows):
    """Rolling errors of a stream: exponential means over `window` ticks, per series, model and lead.

    ring: [N, Σ leads, d, M], codes, the slots of one lead after those of another. values: [N, h, d], the newest values,
    in slot tick mod h, and largest: [N, h, d], the largest change that any model predicted from them. matured:
    [N, M, S, d], what was predicted for the newest tick at the S leads that are `shown`, indices among all, and ahead:
    [N, d], what the last model had predicted at the first lead. sums: [N, L, 3, M], of weights, squares and sizes of
    errors.
    """

    name = "scores"
    ring: NDArray[np.int16]
    values: Floats
    largest: F32
    matured: Floats
    ahead: Floats
    sums: F32

    def __init__(
        self, models: Sequence[str], leads: Sequence[int], d: int, window: int, shown: Sequence[int] | None = None
    ) -> None:
        self.models, self.leads, self.window = tuple(models), np.array(leads), window
        self.shown: Ints = np.array(range(len(leads)) if shown is None else shown, np.int64)
        self.decay = float(np.exp(-1 / window))
        self.begins: Ints = np.cumsum(leads) - self.leads
        count, scored = len(self.models), len(leads)
        super().__init__(
            ring=Column((sum(leads), d, count), np.int16, float(NONE), axis=3, names=self.models),
            values=Column((max(leads), d)),
            largest=Column((max(leads), d), np.float32),
            matured=Column((count, len(self.shown), d), axis=1, names=self.models),
            ahead=Column((d,)),
            sums=Column((scored, 3, count), np.float32, axis=3, names=self.models),
        )

    @property
    def state(self) -> Errors:
        return Errors(self.ring, self.values, self.largest, self.sums)

    @property
    def reference(self) -> int:
        """The index of the model that skill is measured against."""
        return self.models.index(REFERENCE)

    @property
    def weight(self) -> F32:
        """What the sums of each model and lead have been divided by, [N, M, L]."""
        return self.sums[:, :, 0].swapaxes(1, 2)

    @property
    def squared(self) -> F32:
        """Fading sums of squared errors, [N, M, L]."""
        return self.sums[:, :, 1].swapaxes(1, 2)

    def fit(self) -> list[Any]:
        return [self.leads.tolist(), self.shown.tolist(), self.values.shape[2], self.window]

    def restore(self, labels: Any, saved: Arrays) -> None:
        super().restore(labels, saved)
        self.forget([model for model in self.models if model not in labels["ring"]])

    def truth(self, batch: TickBatch) -> Floats:
        """Score what was predicted for these ticks, and give it: [b, M, L, d], NaN where nothing was.

        What was predicted for a missing tick is dropped.
        """
        self.restart(batch.rows[batch.fresh])
        found = score_all(self.state, batch.rows, batch.x, batch.tick, self.leads, self.begins, self.decay)
        found = found.transpose(0, 3, 1, 2)
        self.matured[batch.rows] = found[:, :, self.shown]
        self.ahead[batch.rows] = found[:, -1, 0]
        return found

    def predicted(self, batch: TickBatch, mean: Floats) -> None:
        """Keep what every model predicts from these ticks on: mean [b, M, h, d]."""
        keep_all(self.state, batch.rows, batch.x, batch.tick, self.leads, self.begins, mean)

    def renew(self, rows: Ints) -> None:
        super().renew(rows)
        self.restart(rows)

    def restart(self, rows: Ints) -> None:
        """Forget pending forecasts of series that begin, or start anew."""
        self.ring[rows] = NONE
        self.matured[rows] = self.ahead[rows] = np.nan

    def forget(self, models: Sequence[str]) -> None:
        """Forget everything of these models: they speak with new weights, or for the first time."""
        at = [self.models.index(model) for model in models]
        self.ring[..., at] = NONE
        self.matured[:, at] = np.nan
        self.sums[..., at] = 0

    def e_p(self, grid: LeadGrid) -> Floats:
        """E_p of each model over the series of the stream, [M], eq. (15): from its errors at the grid's leads."""
        sums = self.sums
        e_p: Floats = np.sqrt(grid.spread(pooled(sums[:, :, 1], sums[:, :, 0]).T).mean(1))
        return e_p

    def by_lead(self) -> tuple[Floats, Floats]:
        """RMSE and MAE of the stream, [M, L]: over its series, NaN where nothing was scored yet."""
        sums = self.sums
        return np.sqrt(pooled(sums[:, :, 1], sums[:, :, 0])).T, pooled(sums[:, :, 2], sums[:, :, 0]).T


@compiled
def score_all(s: Errors, rows: Ints, x: Floats, tick: Ints, leads: Ints, begins: Ints, decay: float) -> Floats:
    """One tick of each row: what was predicted for it, [b, L, d, M], is taken out and scored if x [b, d] is there."""
    d, models, h = s.ring.shape[2], s.ring.shape[3], s.values.shape[1]
    found, squares, sizes = np.empty((len(rows), len(leads), d, models)), np.empty(models), np.empty(models)
    for i in range(len(rows)):
        row = rows[i]
        for k in range(len(leads)):
            slot, then = begins[k] + tick[i] % leads[k], (tick[i] - leads[k]) % h
            squares[:] = sizes[:] = 0
            for c in range(d):
                value, truth, unit = s.values[row, then, c], x[i, c], unit_of(s.largest[row, then, c], MOST_16)
                for m in range(models):
                    code = s.ring[row, slot, c, m]
                    predicted = value + decoded(np.float32(code), unit)
                    same = abs(predicted - truth) <= coarseness(np.float32(code), unit)
                    predicted = np.nan if code == NONE else truth if same else predicted
                    found[i, k, c, m] = predicted
                    squares[m] += (predicted - truth) ** 2
                    sizes[m] += abs(predicted - truth)
                    s.ring[row, slot, c, m] = NONE
            for m in range(models):
                known, fade = not np.isnan(squares[m]), np.float64(decay)
                weight, square, size = s.sums[row, k, 0, m], s.sums[row, k, 1, m], s.sums[row, k, 2, m]
                s.sums[row, k, 0, m] = weight * fade + 1 if known else weight
                s.sums[row, k, 1, m] = min(square * fade + squares[m] / d, MOST) if known else square
                s.sums[row, k, 2, m] = min(size * fade + sizes[m] / d, MOST) if known else size
    return found


@compiled
def keep_all(s: Errors, rows: Ints, x: Floats, tick: Ints, leads: Ints, begins: Ints, mean: Floats) -> None:
    """What every model predicts after the sample x [b, d] of each row."""
    models = mean.shape[1]
    changes = np.empty((len(leads), models), np.float32)
    for i in range(len(rows)):
        row, now = rows[i], tick[i] % s.values.shape[1]
        for c in range(x.shape[1]):
            largest = np.float32(0)
            for k in range(len(leads)):
                for m in range(models):
                    change = np.float32(mean[i, m, leads[k] - 1, c] - x[i, c])
                    changes[k, m] = change
                    largest = max(largest, abs(change) if abs(change) < np.inf else np.float32(0))
            s.values[row, now, c], s.largest[row, now, c] = x[i, c], largest
            for k in range(len(leads)):
                slot = begins[k] + tick[i] % leads[k]
                for m in range(models):
                    finite = abs(changes[k, m]) < np.inf
                    code = encoded(changes[k, m], largest, MOST_16) if finite else np.float32(NONE)
                    s.ring[row, slot, c, m] = np.int16(code)


def pooled(sums: NDArray[np.floating], weight: NDArray[np.floating]) -> Floats:
    """Mean over series of each one's rolling mean; NaN where none has weight.

    The metrics' threads call it with views of one array: while it grows, two arrays might differ in length.
    """
    known = weight > 0
    each = np.divide(sums, weight, out=np.zeros(sums.shape), where=known)
    count = known.sum(0)
    mean: Floats = np.divide(each.sum(0), count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean
