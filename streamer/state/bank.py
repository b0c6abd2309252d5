"""Samples in, states out: the recurrent state of every series of a stream in one tensor.

The rows of a batch go through the network in tiles of exactly 64, filled up with old ones where fewer wait: matrix
products of another shape may round differently in the last bit, and a row's result must not depend on who else is in
the batch.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from streamer.models import Kind, Network
from streamer.models.frozen import TILE, Loop, abreast, freeze, settle_threads
from streamer.records import Floats, Ints
from streamer.state.scale import Scale

__all__ = ["TILE", "Bank"]

ABREAST = 4
"""Most tiles that go through the network at once: their buffers still fit a processor's second cache."""


class Bank:
    """A live network, version and all, with the scales it was trained under and the state s [N, S] of every series.

    Weights are folded when it is made. The buffers are its own: one thread at a time may use it.
    """

    def __init__(self, network: Network, scale: Scale, version: int) -> None:
        self.network, self.scale, self.version = network.eval(), scale, version
        self.s = network.zero_state(0)
        self.loops: dict[int, Loop] = {}
        self.abreast = abreast(network, ABREAST)
        self.rows = np.zeros((ABREAST * TILE, network.state_size), np.float32)
        self.z = np.zeros((network.sizes.horizon, ABREAST, network.sizes.d, TILE), np.float32)

    @property
    def kind(self) -> Kind:
        return self.network.kind

    def grow(self, rows: int) -> None:
        """Room for `rows` series; new ones start from zero."""
        self.scale.grow(rows)
        if rows > len(self.s):
            grown = self.network.zero_state(rows)
            grown[: len(self.s)] = self.s
            self.s = grown

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that decides the future, live, a row per series: the states, and what the scale knows."""
        return {"s": self.s.numpy(), **self.scale.arrays()}

    @torch.inference_mode()
    def step(self, rows: Ints, x: Floats, fresh: NDArray[np.bool_]) -> None:
        """One tick of each row: x [b, d] in units of the series; NaN is bridged by the network's own prediction.

        Where `fresh` the state is zero first. Rows must differ.
        """
        s = self.s.numpy()
        s[rows[fresh]] = 0.0
        self.scale.learn(rows, x)
        scaled = self.scale.to_scaled(rows, x)
        for at, loop in self.tiles(rows):
            b, (t, d, _) = at.stop - at.start, loop.x.shape
            z = np.zeros((t * TILE, d), np.float32)
            z[:b] = scaled[at]
            columns = z.reshape(t, TILE, d).transpose(0, 2, 1)
            missing = np.isnan(columns)
            if missing.any():
                own = self.z[:1, :t]
                loop.forecast(own)
                columns = np.where(missing, own[0], columns)
            loop.x[:] = columns
            loop.step()
            self.rows[: t * TILE].reshape(t, TILE, -1)[:] = loop.s.transpose(0, 2, 1)
            s[rows[at]] = self.rows[:b]

    @torch.inference_mode()
    def forecast(self, rows: Ints) -> Floats:
        """The next k·p values of each row in units of the series, [b, h, d]."""
        h, _, d, _ = self.z.shape
        out = np.empty((len(rows), h, d), np.float32)
        for at, loop in self.tiles(rows):
            t = len(loop.x)
            z = self.z[:, :t]
            loop.forecast(z)
            out[at] = z.transpose(1, 3, 0, 2).reshape(-1, h, d)[: at.stop - at.start]
        return self.scale.to_units(rows, out)

    def tiles(self, rows: Ints) -> Iterator[tuple[slice, Loop]]:
        """Some tiles at a time: which of the rows they are, and a loop that holds their states in its first columns."""
        s = self.s.numpy()
        settle_threads()
        for begin in range(0, len(rows), self.abreast * TILE):
            at = slice(begin, min(begin + self.abreast * TILE, len(rows)))
            b = at.stop - begin
            t = -(-b // TILE)
            loop = self.loop(t)
            held = self.rows[: t * TILE]
            np.take(s, rows[at], 0, out=held[:b], mode="clip")  # numpy buffers `out` in any other mode
            loop.s[:] = held.reshape(t, TILE, -1).transpose(0, 2, 1)
            yield at, loop

    def loop(self, t: int) -> Loop:
        """The network's buffers for t tiles, made when first asked for."""
        if t not in self.loops:
            self.loops[t] = freeze(self.network, t)
        return self.loops[t]
