"""Forecasts in, and later their truth; errors by model and lead out.

A forecast made at tick t for t + lead is scored when the sample of t + lead arrives, never earlier, and every model
against that same sample. Two things are kept per series until their truth comes:

- a ring for each scored lead: what each model predicted for tick t lies in its slot t mod lead, `8·M·d` bytes a slot,
  so `8·M·d` times the sum of the leads in all; double precision, for a meter that stands at 1e8 would leave single
  precision no digits for its changes;
- one whole forecast at a time (a *trajectory*), which gives E_p, eq. (15), every h ticks: `4·h·(M - 1)·d` bytes, for
  what a model's forecast changes from its own first value on is kept in single precision, and that value in double;
  persistence, the first model, changes nothing.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.records import MODELS, Floats, Ints, TickBatch

M = len(MODELS)


class Scores:
    """Rolling errors of a stream: exponential means over `window` ticks, per series, model and lead.

    ring: [N, Σ leads, M, d], the slots of one lead after those of another; matured: [N, M, L, d] what was predicted
    for the newest tick; sums: [N, 3, M, L] of weights, squares and sizes of errors; whole: [N, M, 1 + d] of weights
    and E_p². A trajectory that began at tick `origin` [N], -1 for none, is `first` [N, M, d] + `change`
    [N, h, M - 1, d], with the squares of its errors in `met` [N, M, d], of `count` [N] ticks.
    """

    def __init__(self, leads: list[int], horizon: int, d: int, window: int) -> None:
        self.leads, self.horizon, self.d = np.array(leads), horizon, d
        self.decay, self.whole_decay = np.exp(-1 / window), np.exp(-horizon / window)
        self.begins = np.cumsum(leads) - leads
        self.ring = np.zeros((0, sum(leads), M, d))
        self.matured = np.zeros((0, M, len(leads), d))
        self.sums = np.zeros((0, 3, M, len(leads)))
        self.whole = np.zeros((0, M, 1 + d))
        self.origin = np.zeros(0, np.int64)
        self.first, self.met, self.count = np.zeros((0, M, d)), np.zeros((0, M, d)), np.zeros(0)
        self.change = np.zeros((0, horizon, M - 1, d), np.float32)

    @property
    def weight(self) -> Floats:
        """What the sums of each model and lead have been divided by, [N, M, L]."""
        return self.sums[:, 0]

    @property
    def squared(self) -> Floats:
        """Fading sums of squared errors, [N, M, L]."""
        return self.sums[:, 1]

    def grow(self, rows: int) -> None:
        """Room for `rows` series, on pages that no memory is taken for until one begins there (`restart`)."""
        for name, array in self.arrays().items() if rows > len(self.origin) else ():
            grown = np.zeros((rows, *array.shape[1:]), array.dtype)
            grown[: len(array)] = array
            setattr(self, name, grown)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that decides the future, live, a row per series."""
        names = ("ring", "matured", "sums", "whole", "origin", "first", "change", "met", "count")
        return {name: getattr(self, name) for name in names}

    def truth(self, wave: TickBatch) -> None:
        """Score what was predicted for these ticks; what was predicted for a missing tick is dropped."""
        self.restart(wave.rows[wave.fresh])
        slots, at = self.slots(wave)
        predicted = np.ascontiguousarray(slots.take(at, 0).transpose(0, 2, 1, 3))
        slots[at] = np.nan
        self.matured[wave.rows] = predicted
        error = predicted - wave.x[:, None, None, :]
        known = ~np.isnan(error[..., 0])
        sums = self.sums.take(wave.rows, 0)
        sums *= np.where(known, self.decay, 1.0)[:, None]
        sums[:, 0] += known
        sums[:, 1] += np.where(known, np.square(error).mean(3), 0.0)
        sums[:, 2] += np.where(known, np.abs(error).mean(3), 0.0)
        self.sums[wave.rows] = sums
        self.follow(wave)

    def slots(self, wave: TickBatch) -> tuple[Floats, Ints]:
        """The ring's slots one after another, [N·Σ leads, M, d], and those of a tick by lead, [b, L].

        What was predicted for tick t, and what will be for t + lead, belong into the same ones.
        """
        slots = self.ring.reshape(-1, M, self.d)
        return slots, (wave.rows * self.ring.shape[1])[:, None] + self.begins + wave.tick[:, None] % self.leads

    def follow(self, wave: TickBatch) -> None:
        """Add these truths to the trajectories that are under way, and close those that end here."""
        origin = self.origin[wave.rows]
        at = wave.tick - origin - 1
        under_way = origin >= 0
        measured = under_way & (at < self.horizon) & ~np.isnan(wave.x[:, 0])
        rows = wave.rows[measured]
        predicted = self.first[rows]
        predicted[:, 1:] += self.change.reshape(-1, M - 1, self.d).take(rows * self.horizon + at[measured], 0)
        self.met[rows] += np.square(predicted - wave.x[measured][:, None])
        self.count[rows] += 1
        over = under_way & (at >= self.horizon - 1)
        if over.any():
            self.close(wave.rows[over])

    def close(self, rows: Ints) -> None:
        """Put E_p² of whole trajectories into the rolling means."""
        count = self.count[rows, None, None]
        e_p = self.met[rows] / np.maximum(count, 1)
        known = ~np.isnan(e_p[..., :1]) & (count > 0)
        faded = self.whole[rows] * self.whole_decay
        faded[..., :1] += 1
        faded[..., 1:] += e_p
        self.whole[rows] = np.where(known, faded, self.whole[rows])
        self.origin[rows] = -1

    def predicted(self, wave: TickBatch, mean: Floats) -> None:
        """Keep what every model predicts from these ticks on: mean [b, M, h, d]."""
        slots, at = self.slots(wave)
        slots[at] = mean.take(self.leads - 1, 2).transpose(0, 2, 1, 3)
        idle = self.origin[wave.rows] < 0
        rows, whole = wave.rows[idle], mean[idle]
        self.first[rows] = first = whole[:, :, 0]
        self.change[rows] = (whole[:, 1:] - first[:, 1:, None]).transpose(0, 2, 1, 3)
        self.met[rows] = 0
        self.count[rows] = 0
        self.origin[rows] = wave.tick[idle]

    def restart(self, rows: Ints) -> None:
        """Forget pending forecasts of series that begin, or start anew."""
        self.ring[rows] = np.nan
        self.matured[rows] = np.nan
        self.origin[rows] = -1

    def reset(self, models: list[int]) -> None:
        """Forget everything of these models: they speak with new weights."""
        self.ring[:, :, models] = np.nan
        self.matured[:, models] = np.nan
        self.met[:, models] = np.nan
        self.sums[:, :, models] = 0
        self.whole[:, models] = 0

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
        whole = self.whole.take(rows, 0)
        weight = whole[..., :1]
        squared: Floats = np.where(weight > 0, whole[..., 1:] / np.maximum(weight, 1e-300), np.inf)
        return squared

    def by_lead(self) -> tuple[Floats, Floats]:
        """RMSE and MAE of the stream, [M, L]: over its series, NaN where nothing was scored yet."""
        sums = self.sums
        return np.sqrt(pooled(sums[:, 1], sums[:, 0])), pooled(sums[:, 2], sums[:, 0])

    def e_p_of_stream(self) -> Floats:
        """E_p of each model over the series of the stream, [M], NaN where none was scored yet."""
        whole = self.whole
        return np.sqrt(pooled(whole[..., 1:].mean(2), whole[..., 0]))


def pooled(sums: Floats, weight: Floats) -> Floats:
    """Mean over series of each one's rolling mean; NaN where none has weight.

    Called from the metrics' threads, with views of one array: while it grows, two might differ in length.
    """
    known = weight > 0
    each = np.divide(sums, weight, out=np.zeros_like(sums), where=known)
    count = known.sum(0)
    mean: Floats = np.divide(each.sum(0), count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean
