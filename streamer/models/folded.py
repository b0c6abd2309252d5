"""A trained cell in, one that computes with series as columns out: gates in one piece, sigmoids as tanh."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamer.models.cells import Cell

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
