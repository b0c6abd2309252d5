"""The grid of leads: what is learned per lead is learned at a few of them, and interpolated between."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from streamer.records import Ints

NEAR = (1, 2, 3, 5, 8, 12, 20, 30, 40)
"""The first leads of the grid; beyond them each is half as far again as the one before."""


def grid_of(horizon: int, also: Iterable[int] = ()) -> list[int]:
    """The grid for forecasts of so many ticks: its last lead is the horizon; `also` are leads that it must have."""
    found = [*NEAR]
    while found[-1] < horizon:
        found.append(round(found[-1] * 1.5))
    return sorted({*(lead for lead in (*found, *also) if lead < horizon), horizon})


class LeadGrid:
    """Leads [L] in ticks, and for each lead 1 … h the two of the grid it lies between.

    left, right: [h] their indices. share: [h] the weight of the right one.
    """

    def __init__(self, leads: Iterable[int], horizon: int) -> None:
        self.leads: Ints = np.array(sorted(leads), np.int64)
        every = np.arange(1, horizon + 1)
        self.right = np.searchsorted(self.leads, every).clip(0, len(self.leads) - 1)
        self.left = np.maximum(self.right - (self.leads[self.right] > every), 0)
        width = np.maximum(self.leads[self.right] - self.leads[self.left], 1)
        self.share = np.where(self.left == self.right, 0.0, (every - self.leads[self.left]) / width)

    def spread(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Values at the grid's leads [..., L] to values at all leads [..., h], by straight lines."""
        between: NDArray[np.floating] = values[..., self.left] * (1 - self.share) + values[..., self.right] * self.share
        return between
