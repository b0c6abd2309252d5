"""The vanilla recurrence along time, with its gradient written out for a CPU: weights and inputs in, states out.

Autograd takes two to three times as long. Here series are columns, so that the values of a step lie together in memory.
A step is one product and one tanh forward, and two products of cached values backward. They are numpy's: its calls cost
less than torch's at these sizes, and its tanh takes a tenth of the time on processors that MKL does not know.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def unroll(v: Tensor, x: Tensor, first: Tensor, whole: bool) -> Tensor:
    """h_t = tanh(V·[h_{t-1}; x_t; 1]), t = 1 … T: V = [U, W, b] [n, n + e + 1], x [T, e, b], h_0 [b, n].

    Returns all h, [T, b, n], if `whole`, else only the last, [b, n].
    """
    return Unroll.apply(v, x, first.t(), whole).mT  # type: ignore[no-any-return, no-untyped-call]


class Unroll(torch.autograd.Function):
    """As `unroll`, but with series as columns of the states: h_0 [n, b] in, [T, n, b] or [n, b] out.

    numpy's warnings are off: a network that diverges is recognised by its error.
    """

    @staticmethod
    @np.errstate(all="ignore")
    def forward(ctx: Any, v: Tensor, x: Tensor, first: Tensor, whole: bool) -> Tensor:
        n, b = first.shape
        held = v.new_empty(len(x) + 1, v.shape[1], b)
        held[:-1, n:-1], held[:-1, -1], held[0, :n] = x, 1, first
        weights, hx = v.numpy(), held.numpy()
        z = np.empty((n, b), hx.dtype)
        for t in range(len(x)):
            np.dot(weights, hx[t], out=z)
            np.tanh(z, out=hx[t + 1, :n])
        ctx.save_for_backward(v, held)
        ctx.whole = whole
        return held[1:, :n].clone() if whole else held[-1, :n].clone()

    @staticmethod
    @np.errstate(all="ignore")
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, Tensor, None]:
        v, held = ctx.saved_tensors
        hx, given, transposed = held.numpy(), gradient.numpy(), np.ascontiguousarray(v.numpy().T)
        n, like = len(v), hx.dtype
        dv, part = np.zeros(v.shape, like), np.empty(v.shape, like)
        dx = np.empty_like(hx[1:, n:-1]) if ctx.needs_input_grad[1] else None
        dz, below = np.empty((n, hx.shape[2]), like), np.empty(hx.shape[1:], like)
        dh = below[:n]
        dh[:] = 0 if ctx.whole else given
        for t in range(len(hx) - 1, 0, -1):
            if ctx.whole:
                np.add(dh, given[t - 1], out=dh)
            np.multiply(hx[t, :n], hx[t, :n], out=dz)
            np.subtract(1, dz, out=dz)
            np.multiply(dz, dh, out=dz)
            np.dot(dz, hx[t - 1].T, out=part)
            np.add(dv, part, out=dv)
            np.dot(transposed, dz, out=below)
            if dx is not None:
                dx[t - 1] = below[n:-1]
        return torch.from_numpy(dv), dx if dx is None else torch.from_numpy(dx), torch.from_numpy(dh), None
