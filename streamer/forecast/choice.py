"""Errors of every model in, the one to publish for each series out."""

from collections.abc import Mapping, Sequence

import numpy as np

from streamer.part import Arrays, Column, Rows
from streamer.records import Floats, Ints


class Choice(Rows):
    """`published` [N]: which of the models was last published for each series."""

    name = "choice"
    published: Ints

    def __init__(self, models: Sequence[str]) -> None:
        self.models = tuple(models)
        super().__init__(published=Column(dtype=np.int64))

    def fit(self) -> None:
        return None

    def labels(self) -> dict[str, list[str]]:
        """Here names are those of the array's values."""
        return {"published": list(self.models)}

    def restore(self, labels: Mapping[str, list[str]], saved: Arrays) -> None:
        """A model that there is no longer becomes the first one, the reference."""
        now = [self.models.index(name) if name in self.models else 0 for name in labels["published"]]
        self.published[: len(saved["published"])] = np.array(now, np.int64)[saved["published"]]

    def choose(self, rows: Ints, mean: Floats, ranking: Floats, wanted: int | None, always: bool) -> Ints:
        """The index of the model to publish for each row, [b].

        It is the least in the ranking [b, M] of those that speak, by their forecasts mean [b, M, h, d]. A `wanted`
        model, where it speaks, is published until it has a rank, or `always`.
        """
        speaks = np.isfinite(mean.sum((2, 3)))
        rank = np.where(speaks, ranking, np.inf)
        chosen: Ints = rank.argmin(1)
        if wanted is not None:
            wins = speaks[:, wanted]
            if not always:
                wins = wins & np.isinf(rank[:, wanted])
            chosen = np.where(wins, wanted, chosen)
        self.published[rows] = chosen
        return chosen
