"""Bounds as issued and what came in; out: whether they kept their promise, and what they are worth.

Winkler score (1972) of a band between the quantiles a and b: its width, and what a truth is outside of it over a, or
over 1 - b. Of two bands with the same coverage the better one has the smaller score. The pinball loss is that of a
single bound; the score is the loss of the lower over a and that of the upper over 1 - b.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.forecast.bands import Bands
from streamer.forecast.score import MOST, pooled
from streamer.forecast.skill import MOST as MOST_RATIO
from streamer.forecast.tracks import TIE
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, TickBatch

HEARD, NAIVE, FIRST = 0, 1, 2
"""Fields of the sums: truths, errors of persistence on those that the guard believes; of each quantile three more, from
FIRST on: truths below the bound, and on believed ones pinball losses and how far the bound lay above."""
FIELDS = 3
FEWEST = 100
"""Truths before anything is said of a series at a lead, or half of the window if that is less."""
F = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Promise:
    """Bands and bounds by lead [S], means over series, NaN where nothing can be told.

    coverage: by level of a band, the share of truths in it. width, winkler: by level, over the mean error of
    persistence. pinball: the same of each quantile's bound.
    """

    coverage: dict[str, Floats]
    width: dict[str, Floats]
    winkler: dict[str, Floats]
    pinball: dict[str, Floats]


class Coverage(Rows):
    """Rolling sums over `window` truths: sums [N, S, 2 + 3·Q], for each of S leads the fields above.

    A truth that can hardly be told from a bound counts as below it for as much as its quantile. So a series that stands
    still has the coverage that it should have. Truths that the guard does not believe count for coverage alone.
    """

    name = "coverage"
    sums: F

    def __init__(
        self,
        bands: Bands,
        shown: Sequence[int],
        window: float,
        dtype: type[np.floating] = np.float32,
    ) -> None:
        """shown: the indices of the S leads in the grid."""
        self.bands, self.window, self.quantiles = bands, window, bands.rule.quantiles
        self.at: Ints = np.array(shown, np.int64)
        self.decay = float(np.exp(-1 / window))
        super().__init__(sums=Column((len(shown), FIRST + FIELDS * len(self.quantiles)), dtype))

    def fit(self) -> list[Any]:
        return [self.bands.grid.leads[self.at].tolist(), self.quantiles.tolist(), self.window]

    @property
    def pairs(self) -> dict[str, tuple[int, int]]:
        """The bands by level: of the lowest and the highest quantile, of the next ones, and so on."""
        count, q = len(self.quantiles), self.quantiles
        return {f"{q[-1 - i] - q[i]:.6g}": (i, count - 1 - i) for i in range(count // 2)}

    @property
    def leads(self) -> Ints:
        """The S leads, in ticks."""
        return self.bands.grid.leads[self.at]

    def truth(self, batch: TickBatch, believed: NDArray[np.bool_], matured: Floats) -> None:
        """Judge the bounds that had been issued for these ticks: after `Bands.truth`, of the same.

        believed [b, S]: the guard believes the values and those that they were forecast after. matured [b, M, S, d]:
        what had been predicted for them.
        """
        change, offset = self.bands.change, self.bands.offset
        judge_all(
            self.sums, batch.rows, batch.x, believed, self.at, self.quantiles, offset, change, matured, self.decay
        )

    def promise(self, rows: slice = slice(None)) -> Promise:
        """How it went for these series, those of them that have had FEWEST truths at a lead."""
        sums = self.sums[rows].astype(np.float64)
        sums[sums[..., HEARD] < min(FEWEST, self.window / 2)] = 0
        below = {i: pooled(sums[..., FIRST + FIELDS * i], sums[..., HEARD]) for i in range(len(self.quantiles))}
        naive = sums[..., NAIVE]

        def relative(some: Floats) -> Floats:
            return pooled(np.minimum(some, MOST_RATIO * naive), naive)

        losses = [sums[..., FIRST + FIELDS * i + 1] for i in range(len(self.quantiles))]
        above = [sums[..., FIRST + FIELDS * i + 2] for i in range(len(self.quantiles))]
        q, pairs = self.quantiles, self.pairs
        return Promise(
            {level: below[b] - below[a] for level, (a, b) in pairs.items()},
            {level: relative(above[b] - above[a]) for level, (a, b) in pairs.items()},
            {level: relative(losses[a] / q[a] + losses[b] / (1 - q[b])) for level, (a, b) in pairs.items()},
            {str(one): relative(loss) for one, loss in zip(q.tolist(), losses, strict=True)},
        )


def believed_at(now: NDArray[np.bool_], batch: TickBatch, doubted: NDArray[np.bool_], leads: Ints) -> NDArray[np.bool_]:
    """Whether the guard believes [b] the values of a tick, and those that were forecast after, [b, S]; doubted
    [N, h, d] says which of the newest it does not."""
    then = (batch.tick[:, None] - leads) % doubted.shape[1]
    believed: NDArray[np.bool_] = now[:, None] & ~doubted[batch.rows[:, None], then].any(2)
    return believed


@compiled
def judge_all(
    sums: F,
    rows: Ints,
    x: Floats,
    believed: NDArray[np.bool_],
    at: Ints,
    quantiles: Floats,
    offset: F,
    change: F,
    matured: Floats,
    decay: float,
) -> None:
    """The truths x [b, d] of one tick of each row; persistence is the first of the models that `matured` has."""
    d = x.shape[1]
    for i in range(len(rows)):
        row = rows[i]
        for k in range(len(at)):
            if np.isnan(offset[row, :, at[k]]).any() or np.isnan(x[i, 0]):
                continue
            fields = sums[row, k]
            fields[HEARD] = fields[HEARD] * decay + 1
            if believed[i, k]:
                error = np.abs(matured[i, 0, k] - x[i]).mean()
                fields[NAIVE] = min(fields[NAIVE] * decay + error, MOST)
            for q in range(len(quantiles)):
                below, loss, above = 0.0, 0.0, 0.0
                for c in range(d):
                    off = np.float64(offset[row, q, at[k], c])
                    tie = abs(off) <= TIE * change[row, c]
                    below += (quantiles[q] if tie else np.float64(off > 0)) / d
                    loss += max((1 - quantiles[q]) * off, -quantiles[q] * off) / d
                    above += off / d
                first = FIRST + FIELDS * q
                fields[first] = fields[first] * decay + below
                if believed[i, k]:
                    fields[first + 1] = min(fields[first + 1] * decay + loss, MOST)
                    fields[first + 2] = min(max(fields[first + 2] * decay + above, -MOST), MOST)
