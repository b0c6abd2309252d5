"""Samples in, states out: the recurrent state of every series of a stream in one tensor.

The rows of a batch go through the network in tiles of a few shapes, filled up with old ones where fewer wait: matrix
products of another shape may round differently in the last bit, and a row's result must not depend on who else is in
the batch.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from streamer.forecast.scale import Scale
from streamer.models import Kind, Network
from streamer.models.frozen import LARGEST, Loop, loops, room, settle_threads
from streamer.records import Floats, Ints


class NetworkForecaster:
    """A live network, version and all, with the scales it was trained under and the state s [N, S] of every series.

    Weights are folded when it is made. The buffers are its own: one thread at a time may use it.
    """

    def __init__(self, network: Network, scale: Scale, version: int) -> None:
        self.network, self.scale, self.version = network.eval(), scale, version
        self.s = network.zero_state(0)
        self.loops = loops(network)
        self.rows = np.zeros((LARGEST, network.state_size), np.float32)
        self.z = np.zeros(network.sizes.horizon * network.sizes.d * LARGEST, np.float32)

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
            b, (t, d, w) = at.stop - at.start, loop.x.shape
            z = np.zeros((t * w, d), np.float32)
            z[:b] = scaled[at]
            columns = z.reshape(t, w, d).transpose(0, 2, 1)
            missing = np.isnan(columns)
            if missing.any():
                columns = np.where(missing, self.ahead(loop, 1)[0], columns)
            loop.x[:] = columns
            loop.step()
            self.rows[: t * w].reshape(t, w, -1)[:] = loop.s.transpose(0, 2, 1)
            s[rows[at]] = self.rows[:b]

    @torch.inference_mode()
    def forecast(self, rows: Ints) -> Floats:
        """The next k·p values of each row in units of the series, [b, h, d]."""
        h, d = self.network.sizes.horizon, self.network.sizes.d
        out = np.empty((len(rows), h, d), np.float32)
        for at, loop in self.tiles(rows):
            out[at] = self.ahead(loop, h).transpose(1, 3, 0, 2).reshape(-1, h, d)[: at.stop - at.start]
        return self.scale.to_units(rows, out)

    def ahead(self, loop: Loop, h: int) -> NDArray[np.float32]:
        """The next h values of the states in a loop, [h, t, d, w], until the next call."""
        z = self.z[: h * loop.x.size].reshape(h, *loop.x.shape)
        loop.forecast(z)
        return z

    def tiles(self, rows: Ints) -> Iterator[tuple[slice, Loop]]:
        """Some tiles at a time: which of the rows they are, and a loop that holds their states in its first columns."""
        s = self.s.numpy()
        settle_threads()
        begin = 0
        while begin < len(rows):
            loop = self.loop(len(rows) - begin)
            t, _, w = loop.x.shape
            at = slice(begin, min(begin + t * w, len(rows)))
            begin = at.stop
            held = self.rows[: t * w]
            np.take(s, rows[at], 0, out=held[: at.stop - at.start], mode="clip")  # numpy buffers `out` in other modes
            loop.s[:] = held.reshape(t, w, -1).transpose(0, 2, 1)
            yield at, loop

    def loop(self, b: int) -> Loop:
        """The smallest loop that takes b series at once, or the largest."""
        return next((loop for loop in self.loops if room(loop) >= b), self.loops[-1])
