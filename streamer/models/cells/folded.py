"""A trained cell computes here with series as columns: gates in one product, sigmoids as tanh, in numpy.

A cell's update is a function that was bound to its arrays once; it replaces them at each call.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

F32 = NDArray[np.float32]
Act = Callable[[], object]
Update = Callable[[F32, F32, F32], Act]
"""Gates g [t, G, w], visible state h [t, n, w] and the rest of the state [t, S - n, w], bound to a function that
replaces the states; it may overwrite g."""
HALF = np.float32(0.5)


@dataclass(frozen=True, slots=True)
class Folded:
    """A cell as gates g = U·h + W·x + b [G], in double precision, and `update`, which makes the new state from g.

    Arguments of sigmoids are halved: σ(v) = ½ + ½·tanh(½·v), so that tanh is the only function needed.
    """

    u: Tensor
    w: Tensor
    b: Tensor
    update: Update

    @property
    def n(self) -> int:
        return self.u.shape[1]

    def closed(self, predictor: nn.Linear) -> Tensor:
        """The matrix [G + d, 1 + n] from (1, s) to the gates of F(P(s), s) and, in the last rows, P(s)."""
        p, p0 = predictor.weight.double(), predictor.bias.double()
        biases = torch.cat([self.b + self.w @ p0, p0])
        return torch.cat([biases[:, None], torch.cat([self.u + self.w @ p, p])], 1)


def finish_sigmoid(v: F32) -> None:
    """Replaces v by ½ + ½·v, the last step of a sigmoid."""
    np.multiply(v, HALF, out=v)
    np.add(v, HALF, out=v)


def halved(gates: Tensor, rows: int) -> Tensor:
    """Gates [G, ..] in double precision, the first `rows` of them, which are arguments of sigmoids, halved."""
    out = gates.detach().double().clone()
    out[:rows] *= 0.5
    return out


def product(a: Tensor, s: Tensor, y: Tensor, b: Tensor | None = None) -> Act:
    """A function that sets y = a·s + b for each tile: a [G, K], s [t, K, w], y and b [t, G, w]."""
    factors = a.float().contiguous().expand(len(s), -1, -1), s
    return partial(torch.bmm, *factors, out=y) if b is None else partial(torch.baddbmm, b, *factors, out=y)


def products(a: Tensor, s: F32, y: F32, b: F32 | None = None) -> Act:
    """`product` of numpy's arrays."""
    bias = None if b is None else torch.from_numpy(b)
    return product(a, torch.from_numpy(s), torch.from_numpy(y), bias)
