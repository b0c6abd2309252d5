"""A trained network in, its steps and forecasts of many series at once out: weights folded, buffers allocated once.

Series are columns here, in tiles of 64: t tiles are arrays [t, rows, 64], so that every gate lies in one piece and one
batched product serves all tiles. In it each tile is a product of its own, of a fixed shape, so that a series' result
depends neither on its neighbours nor on t; where a library has another way for t = 1, `abreast` finds it out.
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

TILE = 64

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

    def closed(self, predictor: nn.Linear) -> tuple[Tensor, Tensor]:
        """[G + d, n] and [G + d]: the gates of F(P(s), s), and below them P(s) itself."""
        p, p0 = predictor.weight.double(), predictor.bias.double()
        return torch.cat([self.u + self.w @ p, p]), torch.cat([self.b + self.w @ p0, p0])


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


def sigmoid(v: F32) -> None:
    """In place, of arguments that are halved already."""
    np.tanh(v, out=v)
    np.multiply(v, HALF, out=v)
    np.add(v, HALF, out=v)


def rnn(g: F32, h: F32, c: F32) -> Act:
    """From gates g [t, G, 64], the state h [t, n, 64] is replaced."""
    return partial(np.tanh, g, out=h)


def gru(g: F32, h: F32, c: F32) -> Act:
    """Gates in the order reset, update, W·x + b of the new state, U·h + b of the new state."""
    n = h.shape[1]
    rz, (r, z, new, old) = g[:, : 2 * n], (g[:, at : at + n] for at in range(0, 4 * n, n))

    def update() -> None:
        sigmoid(rz)
        np.multiply(r, old, out=old)
        np.add(new, old, out=new)
        np.tanh(new, out=new)
        np.subtract(h, new, out=h)
        np.multiply(h, z, out=h)
        np.add(h, new, out=h)

    return update


def lstm(g: F32, h: F32, c: F32) -> Act:
    """Gates in the order input, forget, output, new; c [t, n, 64] is replaced too."""
    n = h.shape[1]
    ifo, (i, f, o, new) = g[:, : 3 * n], (g[:, at : at + n] for at in range(0, 4 * n, n))

    def update() -> None:
        sigmoid(ifo)
        np.tanh(new, out=new)
        np.multiply(i, new, out=new)
        np.multiply(c, f, out=c)
        np.add(c, new, out=c)
        np.tanh(c, out=new)
        np.multiply(o, new, out=h)

    return update


def product(a: Tensor, b: Tensor, s: Tensor, y: Tensor) -> Act:
    """y = a·s + b per tile: a [G, K], b [G] or [t, G, 64], s [t, K, 64], y [t, G, 64]."""
    t = len(s)
    bias = b.float()[:, None].expand(t, -1, TILE) if b.dim() == 1 else b
    return partial(torch.baddbmm, bias, a.float().contiguous().expand(t, -1, -1), s, out=y)


class Loop(ABC):
    """Buffers for t tiles of one network, and what it does to them.

    s: [t, S, 64] the states, set before and read after; x: [t, d, 64] a sample of each, no NaN in it.
    """

    def __init__(self, cell: Folded, size: int, d: int, t: int) -> None:
        n = cell.n
        held, gates = torch.zeros(t, d + size, TILE), torch.empty(t, len(cell.b), TILE)
        self.tensor, self.x, self.s = held[:, d:], held[:, :d].numpy(), held[:, d:].numpy()
        self.gather = product(torch.cat([cell.w, cell.u], 1), cell.b, held[:, : d + n], gates)
        self.update = cell.update(gates.numpy(), self.s[:, :n], self.s[:, n:])

    def step(self) -> None:
        """One sample: s becomes F(x, s)."""
        self.gather()
        self.update()

    @abstractmethod
    def forecast(self, z: F32) -> None:
        """The next h values of each, into z [h, t, d, 64]; for h > 1 the states are used up."""


class MemorylessLoop(Loop):
    """Eq. (14), closed loop folded: one product gives what is predicted and the gates after it."""

    def __init__(self, network: Memoryless, t: int) -> None:
        cell, d = fold(network.F), network.sizes.d
        super().__init__(cell, network.state_size, d, t)
        size, n = len(cell.b), cell.n
        y = torch.empty(t, size + d, TILE)
        self.turn = product(*cell.closed(network.P), self.tensor[:, :n], y)
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

    def __init__(self, network: Traditional, t: int) -> None:
        first, second, d = fold(network.F1), fold(network.F2), network.sizes.d
        super().__init__(first, network.state_size, d, t)
        self.k = network.sizes.k
        p, p0 = network.P.weight.double(), network.P.bias.double()
        size, n = len(second.b), second.n
        start, y = torch.empty(t, size + d, TILE), torch.empty(t, size + d, TILE)
        sigma = torch.zeros(t, network.F2.state_size, TILE)
        none = torch.zeros(d, second.w.shape[1])
        self.project = product(torch.cat([second.w, none]), torch.cat([second.b, p0]), self.tensor, start)
        self.turn = product(torch.cat([second.u, p]), start, sigma[:, :n], y)
        self.start, self.y, self.sigma = start.numpy(), y.numpy(), sigma.numpy()
        self.predicted = self.y[:, size:]
        self.follow = second.update(self.y[:, :size], self.sigma[:, :n], self.sigma[:, n:])

    def block(self, z: F32) -> None:
        """The next values, at most k, into z [k, t, d, 64]."""
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


def freeze(network: Network, t: int) -> Loop:
    """The loop of a network for t tiles; the network's weights must not change afterwards."""
    with torch.no_grad():
        if isinstance(network, Memoryless):
            return MemorylessLoop(network, t)
        assert isinstance(network, Traditional)
        return TraditionalLoop(network, t)


def settle_threads() -> None:
    """Make torch's number of threads hold in this thread too.

    It does from the first time it is asked for there; until then MKL takes every core, and rounds differently.
    """
    torch.get_num_threads()


def abreast(network: Network, most: int) -> int:
    """`most`, if tiles give the same to the bit however many there are, by trial on this machine; else 1."""
    settle_threads()
    sizes, draw = network.sizes, np.random.default_rng(0)
    s, x = (draw.uniform(-1, 1, (most, rows, TILE)).astype(np.float32) for rows in (network.state_size, sizes.d))
    results = []
    for t in range(most, 0, -1):
        z = np.zeros((min(sizes.k + 1, sizes.horizon), t, sizes.d, TILE), np.float32)
        run(freeze(network, t), s[:t], x[:t], z)
        results.append(z)
    return most if all(np.array_equal(z, results[0][:, : z.shape[1]]) for z in results) else 1


def run(loop: Loop, s: F32, x: F32, z: F32) -> None:
    """A step and a forecast from given states."""
    loop.s[:], loop.x[:] = s, x
    loop.step()
    loop.forecast(z)
