"""A trained network in, its steps and forecasts of many series at once out: weights folded, buffers allocated once.

Series are columns here, in tiles of w: t tiles are arrays [t, rows, w], so that every gate lies in one piece and one
batched product serves all tiles. In it each tile is a product of its own, of a fixed shape, so that a series' result
does not depend on its neighbours. Nor must it on t and w, which follow from how many series wait: where a library takes
another way for some of them, `loops` finds it out.
Products are torch's; tanh is numpy's, ten times faster than torch's where MKL does not know the processor.
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
SHAPES: tuple[Shape, ...] = ((1, TILE), (1, 16), (1, 32), (1, 48), (2, TILE), (3, TILE), (4, TILE))
"""In the first all networks work; of the others those are taken that give the same. Four tiles still fit a processor's
second cache."""
LARGEST = max(t * w for t, w in SHAPES)

F32 = NDArray[np.float32]
Act = Callable[[], object]
HALF = np.float32(0.5)


@dataclass(frozen=True, slots=True)
class Folded:
    """A cell as g = U·h + W·x + b [G], and what makes a new state of g; arguments of sigmoids are halved.

    σ(v) = ½ + ½·tanh(½·v) leaves tanh as the only function there is.
    """

    u: Tensor
    w: Tensor
    b: Tensor
    update: Callable[[F32, F32, F32], Act]

    @property
    def n(self) -> int:
        return self.u.shape[1]

    def closed(self, predictor: nn.Linear) -> Tensor:
        """[G + d, 1 + n], of 1 and s: the gates of F(P(s), s), and below them P(s) itself."""
        p, p0 = predictor.weight.double(), predictor.bias.double()
        biases = torch.cat([self.b + self.w @ p0, p0])
        return torch.cat([biases[:, None], torch.cat([self.u + self.w @ p, p])], 1)


def fold(cell: Cell) -> Folded:
    """The weights of a cell, in double precision until they are products."""
    w, b, u, c = (weight.detach().double() for weight in cell.weights())
    n, nothing = cell.n, torch.zeros
    if cell.gates == 1:
        return Folded(u, w, b + c, rnn)
    if cell.gates == 3:
        r, new = slice(2 * n), slice(2 * n, 3 * n)
        return Folded(
            torch.cat([u[r] / 2, nothing(n, n), u[new]]),
            torch.cat([w[r] / 2, w[new], nothing(n, w.shape[1])]),
            torch.cat([(b + c)[r] / 2, b[new], c[new]]),
            gru,
        )
    i_f_o_g = torch.cat([torch.arange(2 * n), torch.arange(3 * n, 4 * n), torch.arange(2 * n, 3 * n)])
    halved = torch.cat([torch.full((3 * n,), 0.5), torch.ones(n)]).double()
    return Folded(u[i_f_o_g] * halved[:, None], w[i_f_o_g] * halved[:, None], (b + c)[i_f_o_g] * halved, lstm)


def raise_half(v: F32) -> None:
    """In place, ½ + ½·v: the last step of a sigmoid."""
    np.multiply(v, HALF, out=v)
    np.add(v, HALF, out=v)


def rnn(g: F32, h: F32, c: F32) -> Act:
    """From gates g [t, G, w], the state h [t, n, w] is replaced."""
    return partial(np.tanh, g, out=h)


def gru(g: F32, h: F32, c: F32) -> Act:
    """Gates in the order reset, update, W·x + b of the new state, U·h + b of the new state."""
    n = h.shape[1]
    rz, (r, z, new, old) = g[:, : 2 * n], (g[:, at : at + n] for at in range(0, 4 * n, n))

    def update() -> None:
        np.tanh(rz, out=rz)
        raise_half(rz)
        np.multiply(r, old, out=old)
        np.add(new, old, out=new)
        np.tanh(new, out=new)
        np.subtract(h, new, out=h)
        np.multiply(h, z, out=h)
        np.add(h, new, out=h)

    return update


def lstm(g: F32, h: F32, c: F32) -> Act:
    """Gates in the order input, forget, output, new; c [t, n, w] is replaced too."""
    n = h.shape[1]
    ifo, (i, f, o, new) = g[:, : 3 * n], (g[:, at : at + n] for at in range(0, 4 * n, n))

    def update() -> None:
        np.tanh(g, out=g)
        raise_half(ifo)
        np.multiply(i, new, out=new)
        np.multiply(c, f, out=c)
        np.add(c, new, out=c)
        np.tanh(c, out=new)
        np.multiply(o, new, out=h)

    return update


def product(a: Tensor, s: Tensor, y: Tensor, b: Tensor | None = None) -> Act:
    """y = a·s per tile, plus b: a [G, K], s [t, K, w], y and b [t, G, w]."""
    factors = a.float().contiguous().expand(len(s), -1, -1), s
    return partial(torch.bmm, *factors, out=y) if b is None else partial(torch.baddbmm, b, *factors, out=y)


class Loop(ABC):
    """Buffers for t tiles of w of one network, and what it does to them.

    s: [t, S, w] the states, set before and read after; x: [t, d, w] a sample of each, no NaN in it. Between them lies a
    row of ones, so that a bias is one more column of its matrix.
    """

    def __init__(self, cell: Folded, size: int, d: int, shape: Shape) -> None:
        t, w = shape
        held, gates = torch.ones(t, d + 1 + size, w), torch.empty(t, len(cell.b), w)
        self.tensor, self.x, self.s = held[:, d:], held[:, :d].numpy(), held[:, d + 1 :].numpy()
        folded = torch.cat([cell.w, cell.b[:, None], cell.u], 1)
        self.gather = product(folded, held[:, : d + 1 + cell.n], gates)
        self.update = cell.update(gates.numpy(), self.s[:, : cell.n], self.s[:, cell.n :])

    def step(self) -> None:
        """One sample: s becomes F(x, s)."""
        self.gather()
        self.update()

    @abstractmethod
    def forecast(self, z: F32) -> None:
        """The next h values of each, into z [h, t, d, w]; for h > 1 the states are used up."""


class MemorylessLoop(Loop):
    """Eq. (14), closed loop folded: one product gives what is predicted and the gates after it."""

    def __init__(self, network: Memoryless, shape: Shape) -> None:
        cell, d = fold(network.F), network.sizes.d
        super().__init__(cell, network.state_size, d, shape)
        size, n = len(cell.b), cell.n
        y = torch.empty(shape[0], size + d, shape[1])
        self.turn = product(cell.closed(network.P), self.tensor[:, : 1 + n], y)
        self.predicted = y.numpy()[:, size:]
        self.follow = cell.update(y.numpy()[:, :size], self.s[:, :n], self.s[:, n:])

    def forecast(self, z: F32) -> None:
        for i in range(len(z)):
            if i:
                self.follow()
            self.turn()
            z[i] = self.predicted


class TraditionalLoop(Loop):
    """Blocks of k from the decoder, started afresh from s each time, and each block but the last fed back."""

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
        self.turn = product(torch.cat([second.u, p]), sigma[:, :n], y, start)
        self.start, self.y, self.sigma = start.numpy(), y.numpy(), sigma.numpy()
        self.predicted = self.y[:, size:]
        self.follow = second.update(self.y[:, :size], self.sigma[:, :n], self.sigma[:, n:])

    def block(self, z: F32) -> None:
        """The next values, at most k, into z [k, t, d, w]."""
        self.project()
        self.sigma[:] = 0.0
        self.y[:] = self.start
        for i in range(len(z)):
            self.follow()
            self.turn()
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
    """Make torch's number of threads hold in this thread too.

    It does from the first time it is asked for there; until then MKL takes every core, and rounds differently.
    """
    torch.get_num_threads()


def loops(network: Network) -> list[Loop]:
    """Loops for few series and for many, the smallest first, that give the same bits, by trial on this machine."""
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
    """How many series a loop takes at once."""
    return int(loop.x.size // loop.x.shape[1])


def tried(loop: Loop, s: F32, x: F32, h: int) -> F32:
    """The forecasts [h, d, series] of the first series, one a column, of given states after one sample."""
    (t, d, w), first = loop.x.shape, slice(room(loop))
    for held, given in (loop.s, s), (loop.x, x):
        held[:] = given[:, first].reshape(-1, t, w).transpose(1, 0, 2)
    z = np.zeros((h, t, d, w), np.float32)
    loop.step()
    loop.forecast(z)
    return z.transpose(0, 2, 1, 3).reshape(h, d, -1)
