"""The multiplicative recurrent network: what comes in chooses the recurrent weights."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from streamer.models.cells.cell import Cell, orthogonal, uniform
from streamer.models.cells.folded import F32, Act, Folded, Update, products


class Mrnn(Cell):
    """h' = tanh(V·diag(A·x + a)·U·h + W·x + b), with n factors (Sutskever, Martens, Hinton 2011).

    There x is one of many symbols, and a is 0. A number is often near 0, which would erase the state; so a, which is
    one more symbol that is always there, starts at 1, and the cell as a vanilla one.
    """

    def __init__(self, d: int, n: int) -> None:
        super().__init__(d, n, n)
        self.A, self.W = uniform(n, d, n), uniform(n, d, n)
        self.U, self.V = orthogonal(n), orthogonal(n)
        self.a, self.b = nn.Parameter(torch.ones(n)), nn.Parameter(torch.zeros(n))

    def project(self, x: Tensor) -> Tensor:
        return fn.linear(x, torch.cat([self.W, self.A]), torch.cat([self.b, self.a]))

    def recur(self, a: Tensor, s: Tensor) -> Tensor:
        added, factors = a.chunk(2, 1)
        return torch.tanh(torch.addmm(added, factors * fn.linear(s, self.U), self.V.t()))

    def fold(self) -> Folded:
        A, W, U, a, b = (weights.detach().double() for weights in (self.A, self.W, self.U, self.a, self.b))
        none = torch.zeros(self.n, self.n)
        return Folded(
            torch.cat([none, none, U]),
            torch.cat([W, A, torch.zeros_like(A)]),
            torch.cat([b, a, torch.zeros_like(a)]),
            update(self.V.detach()),
        )


def update(v: Tensor) -> Update:
    """Replaces h, from W·x + b, A·x + a and U·h; the rest of the state is empty."""

    def bound(g: F32, h: F32, c: F32) -> Act:
        added, factors, old = (g[:, at : at + len(v)] for at in range(0, 3 * len(v), len(v)))
        y = np.empty_like(added)
        multiply = products(v, old, y, added)

        def act() -> None:
            np.multiply(factors, old, out=old)
            multiply()
            np.tanh(y, out=h)

        return act

    return bound
