"""The gated recurrent unit: its new state is a weighted average of the old one and a proposal."""

import numpy as np
import torch
from torch import Tensor, nn

from streamer.models.cells.folded import F32, Act, Folded, finish_sigmoid
from streamer.models.cells.native import Native


class Gru(Native):
    """Gated recurrent unit in torch's form: the reset gate acts on U_n·s + b_n (Cho et al. 2014, variant v3)."""

    gates = 3

    @staticmethod
    def make(d: int, n: int) -> nn.RNNBase:
        return nn.GRU(d, n, batch_first=True)

    def recur(self, a: Tensor, s: Tensor) -> Tensor:
        n = self.n
        g = self.recurrent(s)
        return self.gate(a[:, : 2 * n] + g[:, : 2 * n], a[:, 2 * n :], g[:, 2 * n :], s)

    def loop(self, predictor: nn.Linear, s: Tensor, h: int) -> Tensor:
        n = self.n
        (wp, w0), (_, _, hh, b) = self.folded(predictor), self.weights()
        u = torch.cat([hh[: 2 * n] + wp[: 2 * n], wp[2 * n :], hh[2 * n :]]).t()
        c = torch.cat([b[: 2 * n] + w0[: 2 * n], w0[2 * n :], b[2 * n :]])
        seen = [self.visible(s)]
        for _ in range(h - 1):
            g = torch.addmm(c, s, u)
            s = self.gate(g[:, : 2 * n], g[:, 2 * n : 3 * n], g[:, 3 * n :], s)
            seen.append(self.visible(s))
        return torch.stack(seen)

    def fold(self) -> Folded:
        (w, b, u, c), n = self.exact(), self.n
        r, new = slice(2 * n), slice(2 * n, 3 * n)
        return Folded(
            torch.cat([u[r] / 2, torch.zeros(n, n), u[new]]),
            torch.cat([w[r] / 2, w[new], torch.zeros(n, w.shape[1])]),
            torch.cat([(b + c)[r] / 2, b[new], c[new]]),
            update,
        )

    @staticmethod
    def gate(rz: Tensor, a_n: Tensor, g_n: Tensor, s: Tensor) -> Tensor:
        """The new state from pre-activations: rz [b, 2n] of reset and update, a_n and g_n [b, n] of the new value."""
        r, z = torch.sigmoid(rz).chunk(2, 1)
        return torch.lerp(torch.tanh(torch.addcmul(a_n, r, g_n)), s, z)


def update(g: F32, h: F32, c: F32) -> Act:
    """Replaces h, from gates in the order reset, update, W·x + b and U·h + b of the new state; c is not used."""
    n = h.shape[1]
    rz, (r, z, new, old) = g[:, : 2 * n], (g[:, at : at + n] for at in range(0, 4 * n, n))

    def act() -> None:
        np.tanh(rz, out=rz)
        finish_sigmoid(rz)
        np.multiply(r, old, out=old)
        np.add(new, old, out=new)
        np.tanh(new, out=new)
        np.subtract(h, new, out=h)
        np.multiply(h, z, out=h)
        np.add(h, new, out=h)

    return act
