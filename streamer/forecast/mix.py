"""What every model predicted and what came in, the weights of the published mixture out, per series, lead and element.

MLpol (Gaillard, Stoltz, van Erven, COLT 2014) on the gradient of the absolute error, with the mixture as it was issued
for this truth: r_k = sign(ŷ - y)·(ŷ - f_k); R_k ← (1 - FORGET)·R_k + r_k; B' = max(B, max_k r_k²);
1/η_k += r_k² + B' - B; the weight is proportional to η_k·max(R_k, 0). A model that says nothing has r = 0 and no
weight; where no weight is positive the reference speaks alone. So it does at a lead whose forecasts mostly meet no
truth: truths that come by chance, such as those of a series that reports changes alone, say little of the others.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.forecast.contract import REFERENCE
from streamer.forecast.guard import Calm
from streamer.forecast.leads import LeadGrid
from streamer.part import Arrays, Column, Rows
from streamer.records import Floats, Ints, TickBatch

FORGET = 0.001
WILD = 10.0
"""Times its running mean size that r may count for: one glitch must not decide for long."""
LONG = 500
"""Ticks over which that size, and errors, are means."""
HOPELESS = 10.0
"""Times the least mean error of any model: one with a larger one has no weight, and gains nothing. Its r would be as
often far above as far below 0, so that by chance it would have weight half of the time."""
SURE = 50
"""Truths before which none is hopeless."""
DOUBT = 2
"""Mixtures issued that more than half of all must have met their truth by: for a series of two states that reports its
changes, every other one does."""
MIX = "mix"
F32 = NDArray[np.float32]


class Regrets(NamedTuple):
    """The state of a mixture, as `Mix` has it."""

    regret: F32
    error: F32
    rate: Floats
    bound: Floats
    size: F32
    met: F32
    issued: F32
    heard: F32
    doubted: NDArray[np.bool_]


class Mix(Rows):
    """Regrets, learning rates and mean sizes of errors (`error`) of the models that are mixed, [N, K, L, d]; `bound`
    (B), `size` of r, and how many truths there were (`met`), [N, L, d]; of about the LONG newest mixtures issued, how
    many there are (`issued`) and how many of them a truth came for (`heard`), [N, L, d]; whether the guard did not
    believe the newest h values (`doubted`), [N, h, d], in slot tick mod h."""

    name = MIX
    regret: F32
    rate: Floats
    error: F32
    bound: Floats
    size: F32
    met: F32
    issued: F32
    heard: F32
    doubted: NDArray[np.bool_]

    def __init__(self, models: Sequence[str], grid: LeadGrid, d: int) -> None:
        self.models, self.grid = tuple(models), grid
        left, right = ((one[:, None] * d + np.arange(d)).ravel() for one in (grid.left, grid.right))
        self.between = left, right, np.repeat(grid.share, d)
        leads = len(grid.leads)
        by_model = (len(self.models), leads, d)
        by_lead = Column((leads, d), np.float32)
        super().__init__(
            regret=Column(by_model, np.float32, axis=1, names=self.models),
            rate=Column(by_model, axis=1, names=self.models),
            error=Column(by_model, np.float32, axis=1, names=self.models),
            bound=Column((leads, d)),
            size=by_lead,
            met=by_lead,
            issued=by_lead,
            heard=by_lead,
            doubted=Column((grid.leads[-1], d), np.bool_),
        )

    def fit(self) -> list[Any]:
        return [self.grid.leads.tolist(), self.bound.shape[2], "error"]

    def restore(self, labels: Any, saved: Arrays) -> None:
        super().restore(labels, saved)
        self.forget([model for model in self.models if model not in labels["regret"]])

    @property
    def state(self) -> Regrets:
        return Regrets(**self.arrays())

    def doubt(self, batch: TickBatch, calm: Calm) -> None:
        """What was predicted before a series jumped will count as if it was after a value that is not believed."""
        if calm.moved.any():
            self.doubted[batch.rows] |= (calm.moved != 0)[:, None]

    def truth(self, batch: TickBatch, calm: Calm, matured: Floats) -> None:
        """Learn from these ticks: matured [b, K + 1, L, d] is what models and mixture had predicted for them.

        Where the calm value differs, the guard does not believe this one. What was predicted for it, and later what was
        predicted after it, counts up to once the usual size of r.
        """
        learn_all(self.state, batch.rows, batch.x, calm.ticks.x, batch.tick, batch.fresh, self.grid.leads, matured)

    def weights(self, rows: Ints, speaks: NDArray[np.bool_]) -> Floats:
        """The weight of each model, [b, K, L, d], which add up to 1; speaks [b, K]."""
        return weights_all(self.state, rows, speaks, self.models.index(REFERENCE))

    def mixture(self, rows: Ints, mean: Floats) -> None:
        """Put the mixture of the K first of the forecasts mean [b, K + 1, h, d] into the last.

        Between leads of the grid weights are interpolated.
        """
        flat = mean.reshape(*mean.shape[:2], mean.shape[2] * mean.shape[3])
        mix_all(self.state, rows, flat, self.models.index(REFERENCE), *self.between)

    def forget(self, models: Sequence[str]) -> None:
        """These models have no weight until they have earned it again."""
        at = [self.models.index(model) for model in models]
        self.regret[:, at] = self.error[:, at] = 0
        self.rate[:, at] = self.bound[:, None]


@compiled
def learn_all(
    s: Regrets, rows: Ints, x: Floats, calm: Floats, tick: Ints, fresh: NDArray[np.bool_], leads: Ints, matured: Floats
) -> None:
    """The truths x [b, d] of one tick of each row, and what the guard makes of them.

    A series that starts anew has had a gap, in which a forecast of each lead met no truth.
    """
    models, h = s.regret.shape[1], s.doubted.shape[1]
    r = np.empty(models, np.float32)
    for i in range(len(rows)):
        row = rows[i]
        for k in range(len(leads)):
            for c in range(x.shape[1]):
                issued = matured[i, models, k, c]
                met = not np.isnan(issued) and not np.isnan(x[i, c])
                if not np.isnan(issued) or (fresh[i] and s.issued[row, k, c] > 0):
                    s.issued[row, k, c] += np.float32(1) - s.issued[row, k, c] / np.float32(LONG)
                    s.heard[row, k, c] += np.float32(met) - s.heard[row, k, c] / np.float32(LONG)
                if not met:
                    continue
                sign, largest = np.sign(issued - x[i, c]), np.float32(0)
                doubted = calm[i, c] != x[i, c] or s.doubted[row, (tick[i] - leads[k]) % h, c]
                times = np.float32(1 if doubted else WILD)
                error = s.error[row, :, k, c]
                if not doubted:
                    judge(error, matured[i, :, k, c], x[i, c], min(s.met[row, k, c] + 1, LONG))
                most = bearable(error, s.met[row, k, c])
                for m in range(models):
                    predicted = matured[i, m, k, c]
                    counts = np.isfinite(predicted) and error[m] <= most
                    r[m] = sign * (issued - predicted) if counts else 0
                    largest = max(largest, abs(r[m]))
                learn(s, row, k, c, r, largest, times)
        s.doubted[row, tick[i] % h] = calm[i] != x[i]


@compiled
def judge(error: F32, predicted: Floats, x: float, count: float) -> None:
    """Mean sizes of errors [K] after a truth that they predicted, [K + 1]: means over so many.

    One that is 0 is not known yet: a model that speaks for the first time is taken to be as good as the best.
    """
    best = least(error)
    for m in range(len(error)):
        off = abs(predicted[m] - x)
        if off < np.inf:
            before = error[m] if error[m] > 0 else min(best, off)
            error[m] = before + (off - before) / count


@compiled
def least(error: F32) -> float:
    """The least of the mean sizes of errors [K] that are known, or infinite."""
    found = np.inf
    for m in range(len(error)):
        if error[m] > 0:
            found = min(found, np.float64(error[m]))
    return found


@compiled
def bearable(error: F32, met: float) -> float:
    """The largest mean size of errors of a model that is not hopeless; before SURE truths, infinite."""
    return HOPELESS * least(error) if met >= SURE else np.inf


@compiled
def learn(s: Regrets, row: int, lead: int, c: int, r: F32, largest: np.float32, times: np.float32) -> None:
    """The regrets r [K] of one truth, of which `largest` is the largest size; they count up to `times` the usual size.

    After truths that all models met exactly, the first other one only gives that size, unless it is not believed.
    """
    size, bound = s.size[row, lead, c], s.bound[row, lead, c]
    if not size and times < WILD:
        return
    limit = times * size if size > 0 else largest
    s.met[row, lead, c] += 1
    s.size[row, lead, c] = size + (min(largest, limit) - size) / min(s.met[row, lead, c], np.float32(LONG))
    if not size and s.met[row, lead, c] > 1:
        return
    new = bound
    for m in range(len(r)):
        r[m] = min(max(r[m], -limit), limit)
        new = max(new, np.float64(r[m]) ** 2)
    for m in range(len(r)):
        s.regret[row, m, lead, c] = np.float32(1 - FORGET) * s.regret[row, m, lead, c] + r[m]
        s.rate[row, m, lead, c] += np.float64(r[m]) ** 2 + new - bound
    s.bound[row, lead, c] = new


@compiled
def weigh(s: Regrets, row: int, speaks: NDArray[np.bool_], reference: int, out: Floats) -> None:
    """The weights of a row, [K, L, d]."""
    models, leads, d = out.shape
    for k in range(leads):
        for c in range(d):
            heard, issued, total = s.heard[row, k, c], s.issued[row, k, c], 0.0
            judged = heard == issued or 2 * heard > issued + DOUBT
            most = bearable(s.error[row, :, k, c], s.met[row, k, c])
            for m in range(models):
                regret, rate = np.float64(s.regret[row, m, k, c]), s.rate[row, m, k, c]
                weight = regret / rate if regret > 0 and rate > 0 else 0.0
                out[m, k, c] = weight if judged and speaks[m] and s.error[row, m, k, c] <= most else 0.0
                total += out[m, k, c]
            for m in range(models):
                out[m, k, c] = out[m, k, c] / total if total > 0 else np.float64(m == reference)


@compiled
def weights_all(s: Regrets, rows: Ints, speaks: NDArray[np.bool_], reference: int) -> Floats:
    """The weights of these rows, [b, K, L, d]."""
    models, leads, d = s.regret.shape[1], s.regret.shape[2], s.regret.shape[3]
    out = np.empty((len(rows), models, leads, d))
    for i in range(len(rows)):
        weigh(s, rows[i], speaks[i], reference, out[i])
    return out


@compiled
def who_speaks(mean: Floats, i: int, speaks: NDArray[np.bool_]) -> None:
    """Which models [K] have finite forecasts for row i of mean [b, K + 1, h·d]."""
    for m in range(len(speaks)):
        silent = 0
        for j in range(mean.shape[2]):
            silent += not abs(mean[i, m, j]) < np.inf
        speaks[m] = not silent


@compiled
def mix_all(s: Regrets, rows: Ints, mean: Floats, reference: int, left: Ints, right: Ints, share: Floats) -> None:
    """The mixture of each row of mean [b, K + 1, h·d] into its last; left, right and share are for all h·d values."""
    models, leads, d, n = s.regret.shape[1], s.regret.shape[2], s.regret.shape[3], mean.shape[2]
    weights, speaks, mixed = np.empty((models, leads, d)), np.empty(models, np.bool_), np.empty(n)
    weight = weights.reshape(models, leads * d)
    for i in range(len(rows)):
        who_speaks(mean, i, speaks)
        weigh(s, rows[i], speaks, reference, weights)
        for j in range(n):
            mixed[j] = 0
        for m in range(models):
            if weight[m].any():
                for j in range(n):
                    w = weight[m, left[j]] * (1 - share[j]) + weight[m, right[j]] * share[j]
                    mixed[j] += w * mean[i, m, j]
        for j in range(n):
            mean[i, models, j] = mixed[j]
