"""Samples in, states out: the recurrent state of every series of a stream in one tensor.

The rows of a batch go through the network in tiles of exactly 64, padded where fewer wait: matrix products of another
height round differently in the last bit, and a row's result must not depend on who else is in the batch.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamer.models import Kind, Network
from streamer.records import Floats, Ints
from streamer.state.scale import Scale

TILE = 64


class Bank:
    """A live network, version and all, with the scales it was trained under and the state s [N, S] of every series."""

    def __init__(self, network: Network, scale: Scale, version: int) -> None:
        self.network, self.scale, self.version = network.eval(), scale, version
        self.s = network.zero_state(0)

    @property
    def kind(self) -> Kind:
        return self.network.kind

    def grow(self, rows: int) -> None:
        """Room for `rows` series; new ones start from zero."""
        self.scale.grow(rows)
        if rows > len(self.s):
            self.s = torch.cat([self.s, self.network.zero_state(rows - len(self.s))])

    @torch.inference_mode()
    def step(self, rows: Ints, x: Floats, fresh: NDArray[np.bool_]) -> None:
        """One tick of each row: x [b, d] in units of the series; NaN is bridged by the network's own prediction.

        Where `fresh` the state is zero first. Rows must differ.
        """
        self.s[torch.from_numpy(rows[fresh])] = 0.0
        self.scale.learn(rows, x)
        z = torch.from_numpy(self.scale.to_scaled(rows, x))
        for at, s in self.tiles(rows):
            tile = torch.zeros(TILE, z.shape[1])
            tile[: len(at)] = z[at.start : at.stop]
            missing = tile.isnan()
            if missing.any():
                tile = torch.where(missing, self.network.forecast(s, 1)[:, 0], tile)
            self.s[torch.from_numpy(rows[at.start : at.stop])] = self.network.step(tile, s)[: len(at)]

    @torch.inference_mode()
    def forecast(self, rows: Ints) -> Floats:
        """The next k·p values of each row in units of the series, [b, h, d]."""
        sizes = self.network.sizes
        z = np.empty((len(rows), sizes.horizon, sizes.d), np.float32)
        for at, s in self.tiles(rows):
            z[at.start : at.stop] = self.network.forecast(s, sizes.horizon)[: len(at)].numpy()
        return self.scale.to_units(rows, z)

    def tiles(self, rows: Ints) -> Iterator[tuple[range, Tensor]]:
        """The states of up to 64 rows at a time, padded to 64 with zeros, and which rows they are."""
        for begin in range(0, len(rows), TILE):
            at = range(begin, min(begin + TILE, len(rows)))
            s = self.network.zero_state(TILE)
            s[: len(at)] = self.s[torch.from_numpy(rows[at.start : at.stop])]
            yield at, s
