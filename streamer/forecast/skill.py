"""What every model had predicted and what came in; out: how good each is beside the obvious forecasts.

A model and a reference are compared on the truths that both had predicted: a network that went live yesterday is
compared with what the reference has said since. Errors are absolute, means over the elements of a sample. Each counts
for at most WILD times a large error of the reference at this lead, so that one wild reading does not decide for a whole
window who is better. Jumps that recur are large errors themselves, and count in full.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.forecast.score import pooled
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, TickBatch

MOST = 10.0
"""Times that of the reference that the mean error of one series counts for at most."""
WILD = 3.0
"""Times a large error of the reference that one error counts for at most. For Gaussian errors: ten times their mean."""
RISE, FALL = 1.2, 0.998
"""Factors for what counts as large after a larger and after a smaller error: it settles where one in a hundred is."""
WARM = 10
"""Errors of the reference before any is compared: the least of them, as one may be wild, is the first large one."""
LEAST = 1e-6
"""Large errors that those of the reference in the window add up to: with less, on a series that stands still, there is
nothing to compare with."""
F = NDArray[np.floating]


class Comparisons(NamedTuple):
    """The state of comparisons, as `Skill` has it."""

    sums: F
    large: F
    met: NDArray[np.uint8]


class Skill(Rows):
    """Rolling errors of a stream on common truths: exponential means over `window` truths.

    sums: [N, R, 2, M, S], for each of R references and S leads the fading sums of the errors of each model and of those
    that the reference made on the same truths. large: [N, R, S], an error that one in a hundred of the reference's
    exceeds, those of 0 left out: a standstill does not make wild what follows it. met: [N, R, S] how many, up to WARM.
    """

    name = "skill"
    sums: F
    large: F
    met: NDArray[np.uint8]

    def __init__(
        self,
        models: Sequence[str],
        leads: Sequence[int],
        references: Sequence[str],
        window: float,
        dtype: type[np.floating] = np.float32,
    ) -> None:
        self.models, self.leads, self.references, self.window = tuple(models), [*leads], [*references], window
        self.decay = float(np.exp(-1 / window))
        self.at: Ints = np.array([self.models.index(one) for one in references], np.int64)
        count, shown = len(self.references), len(self.leads)
        super().__init__(
            sums=Column((count, 2, len(self.models), shown), dtype, axis=3, names=self.models),
            large=Column((count, shown), np.float32),
            met=Column((count, shown), np.uint8),
        )

    def fit(self) -> list[Any]:
        return [self.leads, self.references, self.window]

    def truth(self, batch: TickBatch, predicted: Floats) -> None:
        """Compare what was predicted for these ticks, [b, M, S, d], NaN where a model has said nothing."""
        state = Comparisons(self.sums, self.large, self.met)
        compare_all(state, batch.rows, batch.x, predicted, self.at, self.decay)

    def forget(self, models: Sequence[str]) -> None:
        """Forget the errors of these models: they speak with new weights."""
        self.sums[:, :, :, [self.models.index(model) for model in models]] = 0

    def ratios(self, reference: str, rows: slice) -> Floats:
        """Mean error of each model over that of the reference on the same truths, of these series, [n, M, S].

        At most MOST; NaN where there is nothing to compare.
        """
        own, others = self.errors(reference, rows)
        ratios: Floats = np.divide(own, others, out=np.full(own.shape, np.nan), where=others > 0)
        return ratios

    def ratio(self, reference: str, rows: slice = slice(None)) -> Floats:
        """The mean of these ratios over series, [M, S], which has no unit; NaN where no series has one."""
        return pooled(*self.errors(reference, rows))

    def errors(self, reference: str, rows: slice) -> tuple[Floats, Floats]:
        """Sums of errors of each model, at most MOST times the others, and the reference's; both [N, M, S]."""
        sums = self.sums[rows, self.references.index(reference)].astype(np.float64)
        return np.minimum(sums[:, 0], MOST * sums[:, 1]), sums[:, 1]


@compiled
def compare_all(s: Comparisons, rows: Ints, x: Floats, predicted: Floats, references: Ints, decay: float) -> None:
    """The truths x [b, d] of one tick of each row."""
    models = predicted.shape[1]
    errors = np.empty(models)
    for i in range(len(rows)):
        for k in range(predicted.shape[2]):
            for m in range(models):
                errors[m] = 0
                for c in range(x.shape[1]):
                    errors[m] += abs(predicted[i, m, k, c] - x[i, c]) / x.shape[1]
            for r in range(len(references)):
                if not np.isnan(errors[references[r]]):
                    compare(s, rows[i], r, k, errors, errors[references[r]], decay)
                    learn(s, rows[i], r, k, errors[references[r]])


@compiled
def compare(s: Comparisons, row: int, r: int, k: int, errors: Floats, other: float, decay: float) -> None:
    """The errors of all models [M] at one truth, which a reference missed by `other`."""
    if s.met[row, r, k] < WARM:
        return
    large = np.float64(s.large[row, r, k])
    bound = WILD * large
    bounded = min(other, bound)
    for m in range(len(errors)):
        if not np.isnan(errors[m]):
            others = s.sums[row, r, 1, m, k] * decay + bounded
            stuck = not other and others < LEAST * large
            s.sums[row, r, 0, m, k] = 0 if stuck else s.sums[row, r, 0, m, k] * decay + min(errors[m], bound)
            s.sums[row, r, 1, m, k] = 0 if stuck else others


@compiled
def learn(s: Comparisons, row: int, r: int, k: int, error: float) -> None:
    """What counts as large after this error of a reference."""
    if not error:
        return
    large = np.float64(s.large[row, r, k])
    if s.met[row, r, k] < WARM:
        s.large[row, r, k] = min(large, error) if s.met[row, r, k] else error
        s.met[row, r, k] += 1
    else:
        s.large[row, r, k] = large * (RISE if error > large else FALL)
