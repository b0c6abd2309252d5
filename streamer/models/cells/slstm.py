"""sLSTM, the scalar memory of xLSTM: an input gate that is an exponential, and a stabiliser that keeps it finite."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as fn

from streamer.models.cells.cell import Gated
from streamer.models.cells.folded import F32, Act, Folded, finish_sigmoid, halved

LEAST = 1e-30
"""Least normaliser that c is divided by; |c| is no larger than the normaliser, so that h is at most 1 at any rate."""


class Slstm(Gated):
    """s = [h, c, N, m], h = σ(o)·c/N; c and N are counted in units of e^m (Beck et al. 2024, eq. (8) to (17)).

    The forget gate is a sigmoid, of the two forms in the paper that under which m stays bounded: the state is carried
    for ever. Its bias starts at 1. One head; the blocks around the cell in the paper are not part of it.
    """

    def __init__(self, d: int, n: int) -> None:
        super().__init__(d, n, gates=4, states=4)
        with torch.no_grad():
            self.b[3 * n :] = 1.0

    def recur(self, a: Tensor, s: Tensor) -> Tensor:
        h, c, count, m = s.chunk(4, 1)
        o, new, i, f = self.gates(a, h).chunk(4, 1)
        kept = fn.logsigmoid(f) + m
        m = torch.maximum(kept, i)
        kept, taken = torch.exp(kept - m), torch.exp(i - m)
        c, count = torch.addcmul(taken * torch.tanh(new), kept, c), torch.addcmul(taken, kept, count)
        return torch.cat([torch.sigmoid(o) * c / count.clamp(min=LEAST), c, count, m], 1)

    def fold(self) -> Folded:
        u, w, b = (halved(weights, self.n) for weights in (self.U, self.W, self.b))
        return Folded(u, w, b, update)


def update(g: F32, h: F32, more: F32) -> Act:
    """Replaces h, c, N and m, from gates in the order output, new, input, forget."""
    n = h.shape[1]
    (o, new, i, f), (c, count, m) = ([of[:, at : at + n] for at in range(0, of.shape[1], n)] for of in (g, more))
    o_new, i_f, size = g[:, : 2 * n], g[:, 2 * n :], np.empty_like(f)

    def act() -> None:
        np.tanh(o_new, out=o_new)
        finish_sigmoid(o)
        np.abs(f, out=size)  # log σ(f) = min(f, 0) - log(1 + exp(-|f|))
        np.negative(size, out=size)
        np.exp(size, out=size)
        np.log1p(size, out=size)
        np.minimum(f, 0, out=f)
        np.subtract(f, size, out=f)
        np.add(f, m, out=f)
        np.maximum(f, i, out=m)
        np.subtract(i, m, out=i)
        np.subtract(f, m, out=f)
        np.exp(i_f, out=i_f)
        np.multiply(i, new, out=new)
        np.multiply(f, c, out=c)
        np.add(c, new, out=c)
        np.multiply(f, count, out=count)
        np.add(count, i, out=count)
        np.maximum(count, LEAST, out=new)
        np.divide(c, new, out=new)
        np.multiply(o, new, out=h)

    return act
