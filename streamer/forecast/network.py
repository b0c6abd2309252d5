"""A trained network as a forecaster: samples in, the recurrent state of every series and its forecasts out.

The rows of a batch go through the network in tiles of a few shapes. Where fewer rows wait, old ones fill the tile:
matrix products of another shape may round differently in the last bit, and a row's result must not depend on who else
is in the batch.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from streamer.config import Stream
from streamer.forecast.known import Known
from streamer.forecast.scale import Running, Scale, Units
from streamer.models import Kind, Network, Residual
from streamer.models.frozen import LARGEST, Loop, loops, room, settle_threads
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, TickBatch

F32 = NDArray[np.float32]


class NetworkForecaster(Rows):
    """A live network, with the units that it sees series in and the state s [N, S] of every series.

    time [N]: that of the newest tick, where the network has known inputs that follow from times.

    version and created (seconds since 1970) are those of the training outcome that brought it. Its weights are folded
    when it is made. It has buffers of its own: one thread at a time may use it.
    """

    name: Kind
    s: F32
    time: Floats

    def __init__(
        self, network: Network, scale: Units, version: int, created: float = 0.0, known: Known | None = None
    ) -> None:
        self.network, self.scale, self.version, self.created = network.eval(), scale, version, created
        self.known = known
        self.name = network.kind
        self.loops = loops(network)
        self.tile = np.zeros((LARGEST, network.state_size), np.float32)
        self.z = np.zeros(network.sizes.horizon * network.sizes.d * LARGEST, np.float32)
        times = {"time": Column()} if known is not None and known.interval else {}
        super().__init__(s=Column((network.state_size,), np.float32), **times)

    @classmethod
    def of(cls, network: Network, config: Stream, version: int, created: float = 0.0) -> "NetworkForecaster":
        """With the units and the known inputs of its form."""
        sizes = network.sizes
        if not isinstance(network, Residual):
            return cls(network, Scale(sizes.d, config.first_training), version, created)
        return cls(network, Running(sizes.d), version, created, Known.of(config, sizes) if sizes.c else None)

    def fit(self) -> list[Any]:
        return [self.network.sizes.fingerprint(), self.version]

    def grow(self, rows: int) -> None:
        self.scale.grow(rows)
        if self.known is not None:
            self.known.grow(rows)
        super().grow(rows)

    def renew(self, rows: Ints) -> None:
        self.scale.renew(rows)
        super().renew(rows)

    def arrays(self) -> dict[str, NDArray[Any]]:
        known = {} if self.known is None else self.known.arrays()
        return {**super().arrays(), **self.scale.arrays(), **known}

    @torch.inference_mode()
    def step(self, batch: TickBatch) -> None:
        """One tick of each row; a missing one is bridged by the network's own prediction.

        Where a row is fresh its state is zero first.
        """
        s, rows, x = self.s, batch.rows, batch.x
        s[rows[batch.fresh]] = 0.0
        self.scale.learn(rows, x)
        scaled, known = self.scale.to_scaled(rows, x), self.next_known(batch)
        for at, loop in self.tiles(rows):
            b, (t, _, w) = at.stop - at.start, loop.x.shape
            columns = as_columns(scaled[at], t, w)
            missing = np.isnan(columns)
            if missing.any():
                columns = np.where(missing, self.ahead(loop, 1, loop.u[None][:0])[0], columns)
            loop.x[:] = columns
            if known is not None:
                loop.u[:] = as_columns(known[at], t, w)
            loop.step()
            self.tile[: t * w].reshape(t, w, -1)[:] = loop.s.transpose(0, 2, 1)
            s[rows[at]] = self.tile[:b]

    @torch.inference_mode()
    def forecast(self, batch: TickBatch) -> Floats:
        rows = batch.rows
        h, d = self.network.sizes.horizon, self.network.sizes.d
        coming = None if self.known is None else self.known.coming(batch)
        out = np.empty((len(rows), h, d), np.float32)
        for at, loop in self.tiles(rows):
            known = loop.u[None][:0]
            if coming is not None:
                t, _, w = loop.x.shape
                known = as_columns(coming[at], t, w)
            out[at] = self.ahead(loop, h, known).transpose(1, 3, 0, 2).reshape(-1, h, d)[: at.stop - at.start]
        return self.scale.to_units(rows, out)

    def next_known(self, batch: TickBatch) -> F32 | None:
        """Known inputs of the tick after these, [b, c]; a tick without a message comes an interval after the last."""
        if self.known is None:
            return None
        if not self.known.interval:
            return self.known.next(batch, batch.time)
        missed = np.isnan(batch.time + batch.arrived)
        time = np.where(missed, self.time[batch.rows] + self.known.interval, batch.time) if missed.any() else batch.time
        self.time[batch.rows] = time
        return self.known.next(batch, time)

    def ahead(self, loop: Loop, h: int, known: F32) -> F32:
        """The next h values of the states in a loop, [h, t, d, w], until the next call."""
        z = self.z[: h * loop.x.size].reshape(h, *loop.x.shape)
        loop.forecast(z, known)
        return z

    def tiles(self, rows: Ints) -> Iterator[tuple[slice, Loop]]:
        """Some tiles at a time: which of the rows they are, and a loop that holds their states in its first columns."""
        s = self.s
        settle_threads()
        begin = 0
        while begin < len(rows):
            loop = self.loop(len(rows) - begin)
            t, _, w = loop.x.shape
            at = slice(begin, min(begin + t * w, len(rows)))
            begin = at.stop
            held = self.tile[: t * w]
            np.take(s, rows[at], 0, out=held[: at.stop - at.start], mode="clip")  # numpy buffers `out` in other modes
            loop.s[:] = held.reshape(t, w, -1).transpose(0, 2, 1)
            yield at, loop

    def loop(self, b: int) -> Loop:
        """The smallest loop that takes b series at once, or the largest."""
        return next((loop for loop in self.loops if room(loop) >= b), self.loops[-1])


def as_columns(values: F32, t: int, w: int) -> F32:
    """Rows [b, .., e] as columns of t tiles of w, [.., t, e, w]; where there are fewer rows, zeros fill the tiles."""
    whole = np.zeros((t * w, *values.shape[1:]), np.float32)
    whole[: len(values)] = values
    return np.moveaxis(whole.reshape(t, w, *values.shape[1:]), (0, 1), (-3, -1))
