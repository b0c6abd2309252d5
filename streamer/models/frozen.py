"""A trained network in, steps and forecasts of many series at once out: weights folded, buffers allocated once.

Series are columns here, in tiles of w: t tiles are arrays [t, rows, w], so that the values of a gate lie together in
memory and one batched product serves all tiles. In it each tile is a product of its own, of a fixed shape, so that the
result of a series does not depend on its neighbours. It must not depend on t and w either, which follow from the number
of series that wait. A library may compute some shapes in another order, so `loops` tries each of them.
Products are torch's. tanh is numpy's, ten times faster than torch's on processors that MKL does not know.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamer.models.cells import Cell
from streamer.models.contract import Network
from streamer.models.memoryless import Memoryless
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

F32 = NDArray[np.float32]
Act = Callable[[], object]
HALF = np.float32(0.5)


@dataclass(frozen=True, slots=True)
class Folded:
    """A cell as gates g = U·h + W·x + b [G], and `update`, which makes the new state from g.

    Arguments of sigmoids are halved: σ(v) = ½ + ½·tanh(½·v), so that tanh is the only function needed.
    """

    u: Tensor
    w: Tensor
    b: Tensor
    update: Callable[[F32, F32, F32], Act]

    @property
    def n(self) -> int:
        return self.u.shape[1]

    def closed(self, predictor: nn.Linear) -> Tensor:
        """The matrix [G + d, 1 + n] from (1, s) to the gates of F(P(s), s) and, in the last rows, P(s)."""
        p, p0 = predictor.weight.double(), predictor.bias.double()
        biases = torch.cat([self.b + self.w @ p0, p0])
        return torch.cat([biases[:, None], torch.cat([self.u + self.w @ p, p])], 1)


def fold(cell: Cell) -> Folded:
    """Folds a cell, in double precision; `product` rounds the result to single precision."""
    w, b, u, c = (weight.detach().double() for weight in cell.weights())
    n, zeros = cell.n, torch.zeros
    if cell.gates == 1:
        return Folded(u, w, b + c, rnn)
    if cell.gates == 3:
        r, new = slice(2 * n), slice(2 * n, 3 * n)
        return Folded(
            torch.cat([u[r] / 2, zeros(n, n), u[new]]),
            torch.cat([w[r] / 2, w[new], zeros(n, w.shape[1])]),
            torch.cat([(b + c)[r] / 2, b[new], c[new]]),
            gru,
        )
    i_f_o_g = torch.cat([torch.arange(2 * n), torch.arange(3 * n, 4 * n), torch.arange(2 * n, 3 * n)])
    halved = torch.cat([torch.full((3 * n,), 0.5), torch.ones(n)]).double()
    return Folded(u[i_f_o_g] * halved[:, None], w[i_f_o_g] * halved[:, None], (b + c)[i_f_o_g] * halved, lstm)


def finish_sigmoid(v: F32) -> None:
    """Replaces v by ½ + ½·v, the last step of a sigmoid."""
    np.multiply(v, HALF, out=v)
    np.add(v, HALF, out=v)


def rnn(g: F32, h: F32, c: F32) -> Act:
    """Replaces the state h [t, n, w] from gates g [t, G, w]; c is not used."""
    return partial(np.tanh, g, out=h)


def gru(g: F32, h: F32, c: F32) -> Act:
    """As `rnn`, with gates in the order reset, update, W·x + b and U·h + b of the new state."""
    n = h.shape[1]
    rz, (r, z, new, old) = g[:, : 2 * n], (g[:, at : at + n] for at in range(0, 4 * n, n))

    def update() -> None:
        np.tanh(rz, out=rz)
        finish_sigmoid(rz)
        np.multiply(r, old, out=old)
        np.add(new, old, out=new)
        np.tanh(new, out=new)
        np.subtract(h, new, out=h)
        np.multiply(h, z, out=h)
        np.add(h, new, out=h)

    return update


def lstm(g: F32, h: F32, c: F32) -> Act:
    """As `rnn`, with gates in the order input, forget, output, new; c [t, n, w] is replaced too."""
    n = h.shape[1]
    ifo, (i, f, o, new) = g[:, : 3 * n], (g[:, at : at + n] for at in range(0, 4 * n, n))

    def update() -> None:
        np.tanh(g, out=g)
        finish_sigmoid(ifo)
        np.multiply(i, new, out=new)
        np.multiply(c, f, out=c)
        np.add(c, new, out=c)
        np.tanh(c, out=new)
        np.multiply(o, new, out=h)

    return update


def product(a: Tensor, s: Tensor, y: Tensor, b: Tensor | None = None) -> Act:
    """A function that sets y = a·s + b for each tile: a [G, K], s [t, K, w], y and b [t, G, w]."""
    factors = a.float().contiguous().expand(len(s), -1, -1), s
    return partial(torch.bmm, *factors, out=y) if b is None else partial(torch.baddbmm, b, *factors, out=y)


class Loop(ABC):
    """The buffers of a network for t tiles of w series, and the functions that work on them.

    s: [t, S, w] states, which the caller sets before a step and reads after it; x: [t, d, w] a sample of each series,
    without NaN. A row of ones lies between them, so that a bias is one more column of its matrix.
    """

    def __init__(self, cell: Folded, size: int, d: int, shape: Shape) -> None:
        t, w = shape
        buffer, gates = torch.ones(t, d + 1 + size, w), torch.empty(t, len(cell.b), w)
        self.tensor, self.x, self.s = buffer[:, d:], buffer[:, :d].numpy(), buffer[:, d + 1 :].numpy()
        folded = torch.cat([cell.w, cell.b[:, None], cell.u], 1)
        self.compute_gates = product(folded, buffer[:, : d + 1 + cell.n], gates)
        self.update = cell.update(gates.numpy(), self.s[:, : cell.n], self.s[:, cell.n :])

    def step(self) -> None:
        """Replaces s by F(x, s)."""
        self.compute_gates()
        self.update()

    @abstractmethod
    def forecast(self, z: F32) -> None:
        """Writes the next h values of each series into z [h, t, d, w]; destroys the states if h > 1."""


class MemorylessLoop(Loop):
    """Eq. (14) with the closed loop folded: one product gives the prediction and the gates after it."""

    def __init__(self, network: Memoryless, shape: Shape) -> None:
        cell, d = fold(network.F), network.sizes.d
        super().__init__(cell, network.state_size, d, shape)
        size, n = len(cell.b), cell.n
        y = torch.empty(shape[0], size + d, shape[1])
        self.predict = product(cell.closed(network.P), self.tensor[:, : 1 + n], y)
        self.predicted = y.numpy()[:, size:]
        self.advance = cell.update(y.numpy()[:, :size], self.s[:, :n], self.s[:, n:])

    def forecast(self, z: F32) -> None:
        for i in range(len(z)):
            if i:
                self.advance()
            self.predict()
            z[i] = self.predicted


class TraditionalLoop(Loop):
    """Blocks of k values, each by a decoder that starts afresh from s; all blocks but the last are fed back."""

    def __init__(self, network: Traditional, shape: Shape) -> None:
        first, second, d = fold(network.F1), fold(network.F2), network.sizes.d
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

    def forecast(self, z: F32) -> None:
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
    z = np.zeros((h, t, d, w), np.float32)
    loop.step()
    loop.forecast(z)
    return z.transpose(0, 2, 1, 3).reshape(h, d, -1)
