"""A trained network in, steps and forecasts of many series at once out: weights folded, buffers allocated once.

Series are columns here, in tiles of w: t tiles are arrays [t, rows, w], so that the values of a gate lie together in
memory and one batched product serves all tiles. In it each tile is a product of its own, of a fixed shape, so that the
result of a series does not depend on its neighbours. It must not depend on t and w either, which follow from the number
of series that wait. A library may compute some shapes in another order, so `loops` tries each of them.
Products are torch's. tanh is numpy's, ten times faster than torch's on processors that MKL does not know.
"""

from abc import ABC, abstractmethod

import numpy as np
import torch

from streamer.models.cells.folded import F32, Act, Folded, product
from streamer.models.contract import Network
from streamer.models.memoryless import Memoryless
from streamer.models.residual import Residual
from streamer.models.traditional import Traditional

Shape = tuple[int, int]
"""t and w."""
TILE = 64
"""Series in a full tile."""
SHAPES: tuple[Shape, ...] = ((1, TILE), (1, 16), (1, 32), (1, 48), (2, TILE), (3, TILE), (4, TILE))
"""The first serves every network; the others serve those for which they give the same bits. Four tiles still fit a
processor's second-level cache."""
LARGEST = max(t * w for t, w in SHAPES)
"""Most series that one loop takes."""


class Loop(ABC):
    """The buffers of a network for t tiles of w series, and the functions that work on them.

    s: [t, S, w] states, which the caller sets before a step and reads after it; x: [t, d, w] a sample of each series,
    without NaN, written after s; u: [t, c, w] known inputs of the next tick. A row of ones lies among them, so that a
    bias is one more column of its matrix.
    """

    s: F32
    x: F32
    u: F32
    compute_gates: Act
    update: Act

    def step(self) -> None:
        """Replaces s by F(x, s)."""
        self.compute_gates()
        self.update()

    @abstractmethod
    def forecast(self, z: F32, known: F32) -> None:
        """Writes the next h values of each series into z [h, t, d, w]; destroys the states if h > 1.

        known: [h - 1, t, c, w], known inputs of the ticks after the next.
        """


class PaperLoop(Loop):
    """What both networks in the paper's form share; they know nothing beforehand, so u has no rows."""

    def __init__(self, cell: Folded, size: int, d: int, shape: Shape) -> None:
        t, w = shape
        buffer, gates = torch.ones(t, d + 1 + size, w), torch.empty(t, len(cell.b), w)
        self.tensor, self.x, self.s = buffer[:, d:], buffer[:, :d].numpy(), buffer[:, d + 1 :].numpy()
        self.u = self.x[:, :0]
        folded = torch.cat([cell.w, cell.b[:, None], cell.u], 1)
        self.compute_gates = product(folded, buffer[:, : d + 1 + cell.n], gates)
        self.update = cell.update(gates.numpy(), self.s[:, : cell.n], self.s[:, cell.n :])


class MemorylessLoop(PaperLoop):
    """Eq. (14) with the closed loop folded: one product gives the prediction and the gates after it."""

    def __init__(self, network: Memoryless, shape: Shape) -> None:
        cell, d = network.F.fold(), network.sizes.d
        super().__init__(cell, network.state_size, d, shape)
        size, n = len(cell.b), cell.n
        y = torch.empty(shape[0], size + d, shape[1])
        self.predict = product(cell.closed(network.P), self.tensor[:, : 1 + n], y)
        self.predicted = y.numpy()[:, size:]
        self.advance = cell.update(y.numpy()[:, :size], self.s[:, :n], self.s[:, n:])

    def forecast(self, z: F32, known: F32) -> None:
        for i in range(len(z)):
            if i:
                self.advance()
            self.predict()
            z[i] = self.predicted


class ResidualLoop(Loop):
    """x̄' = x + P(s) and the gates of F([x̄'; u], s) in one product of (u, 1, x, s); x lies within the state."""

    def __init__(self, network: Residual, shape: Shape) -> None:
        cell, d, c = network.F.fold(), network.sizes.d, network.sizes.c
        (t, w), n, size = shape, cell.n, len(cell.b)
        buffer, gates, y = (
            torch.ones(t, c + 1 + network.state_size, w),
            torch.empty(t, size, w),
            torch.empty(t, size + d, w),
        )
        self.u, self.s = buffer[:, :c].numpy(), buffer[:, c + 1 :].numpy()
        self.x, h, more = self.s[:, :d], self.s[:, d : d + n], self.s[:, d + n :]
        wx, wu, p, p0 = cell.w[:, :d], cell.w[:, d:], network.P.weight.double(), network.P.bias.double()
        taken, given = torch.cat([wu, cell.b[:, None], wx, cell.u], 1), buffer[:, : c + 1 + d + n]
        self.compute_gates = product(taken, given, gates)
        self.update = cell.update(gates.numpy(), h, more)
        closed = torch.cat([wu, (cell.b + wx @ p0)[:, None], wx, cell.u + wx @ p], 1)
        predicted = torch.cat([torch.zeros(d, c), p0[:, None], torch.eye(d), p], 1)
        self.predict = product(torch.cat([closed, predicted]), given, y)
        self.predicted = y.numpy()[:, size:]
        self.advance = cell.update(y.numpy()[:, :size], h, more)

    def forecast(self, z: F32, known: F32) -> None:
        for i in range(len(z)):
            if i:
                self.x[:] = self.predicted
                self.advance()
            if i < len(known):
                self.u[:] = known[i]
            self.predict()
            z[i] = self.predicted


class TraditionalLoop(PaperLoop):
    """Blocks of k values, each by a decoder that starts afresh from s; all blocks but the last are fed back."""

    def __init__(self, network: Traditional, shape: Shape) -> None:
        first, second, d = network.F1.fold(), network.F2.fold(), network.sizes.d
        super().__init__(first, network.state_size, d, shape)
        self.k = network.sizes.k
        (t, w), size, n = shape, len(second.b), second.n
        p, p0 = network.P.weight.double(), network.P.bias.double()
        start, y = torch.empty(t, size + d, w), torch.empty(t, size + d, w)
        sigma = torch.zeros(t, network.F2.state_size, w)
        gates = torch.cat([second.b[:, None], second.w], 1)
        predicted = torch.cat([p0[:, None], torch.zeros(d, second.w.shape[1])], 1)
        self.project = product(torch.cat([gates, predicted]), self.tensor, start)
        self.predict = product(torch.cat([second.u, p]), sigma[:, :n], y, start)
        self.start, self.y, self.sigma = start.numpy(), y.numpy(), sigma.numpy()
        self.predicted = self.y[:, size:]
        self.advance = second.update(self.y[:, :size], self.sigma[:, :n], self.sigma[:, n:])

    def block(self, z: F32) -> None:
        """Writes the next values, at most k, into z [k, t, d, w]."""
        self.project()
        self.sigma[:] = 0.0
        self.y[:] = self.start
        for i in range(len(z)):
            self.advance()
            self.predict()
            z[i] = self.predicted

    def forecast(self, z: F32, known: F32) -> None:
        for done in range(0, len(z), self.k):
            if done:
                for x in z[done - self.k : done]:
                    self.x[:] = x
                    self.step()
            self.block(z[done : done + self.k])


def freeze(network: Network, shape: Shape) -> Loop:
    """The loop of a network for tiles of this shape; the network's weights must not change afterwards."""
    with torch.no_grad():
        if isinstance(network, Memoryless):
            return MemorylessLoop(network, shape)
        if isinstance(network, Residual):
            return ResidualLoop(network, shape)
        assert isinstance(network, Traditional)
        return TraditionalLoop(network, shape)


def settle_threads() -> None:
    """Makes torch's number of threads hold in the calling thread too.

    A thread takes it over when it first asks for it. Until then MKL uses every core there, and rounds differently.
    """
    torch.get_num_threads()


def loops(network: Network) -> list[Loop]:
    """Loops of different sizes, the smallest first, of those shapes that give the same bits on this machine."""
    settle_threads()
    made = [freeze(network, shape) for shape in SHAPES]
    sizes, draw = network.sizes, np.random.default_rng(0)
    s, x = (draw.uniform(-1, 1, (rows, LARGEST)).astype(np.float32) for rows in (network.state_size, sizes.d))
    h = min(sizes.k + 1, sizes.horizon)
    wanted = np.concatenate([tried(made[0], s[:, at:], x[:, at:], h) for at in range(0, LARGEST, TILE)], 2)
    alike = []
    for loop in made:
        z = tried(loop, s, x, h)
        if np.array_equal(z, wanted[:, :, : z.shape[2]]):
            alike.append(loop)
    return sorted(alike, key=room)


def room(loop: Loop) -> int:
    """Number of series that a loop takes at once."""
    return int(loop.x.size // loop.x.shape[1])


def tried(loop: Loop, s: F32, x: F32, h: int) -> F32:
    """Forecasts [h, d, series] of the first series in the columns of s and x, after one step from s with x."""
    (t, d, w), first = loop.x.shape, slice(room(loop))
    for buffer, given in (loop.s, s), (loop.x, x):
        buffer[:] = given[:, first].reshape(-1, t, w).transpose(1, 0, 2)
    loop.u[:] = loop.x[:, :1]
    z, known = np.zeros((h, t, d, w), np.float32), np.tile(loop.u, (h - 1, 1, 1, 1))
    loop.step()
    loop.forecast(z, known)
    return z.transpose(0, 2, 1, 3).reshape(h, d, -1)
