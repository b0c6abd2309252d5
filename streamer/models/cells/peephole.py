"""The LSTM with peephole connections: its gates see the cell state."""

import numpy as np
import torch
from torch import Tensor, nn

from streamer.models.cells.cell import Gated
from streamer.models.cells.folded import F32, Act, Folded, Update, finish_sigmoid, halved


class Peephole(Gated):
    """s = [h, c]; i and f see the old c, o the new one, each neuron its own (Gers, Schraudolph, Schmidhuber 2002).

    The forget gate's bias starts at 1, the peepholes p [3, n], of i, f and o, at 0: it starts as an LSTM.
    """

    def __init__(self, d: int, n: int) -> None:
        super().__init__(d, n, gates=4, states=2)
        self.p = nn.Parameter(torch.zeros(3, n))
        with torch.no_grad():
            self.b[n : 2 * n] = 1.0

    def recur(self, a: Tensor, s: Tensor) -> Tensor:
        h, c = s.chunk(2, 1)
        i, f, o, new = self.gates(a, h).chunk(4, 1)
        i, f = torch.addcmul(i, self.p[0], c), torch.addcmul(f, self.p[1], c)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(new)
        return torch.cat([torch.sigmoid(torch.addcmul(o, self.p[2], c)) * torch.tanh(c), c], 1)

    def fold(self) -> Folded:
        u, w, b = (halved(weights, 3 * self.n) for weights in (self.U, self.W, self.b))
        return Folded(u, w, b, update((self.p.detach() / 2).numpy()))


def update(p: F32) -> Update:
    """Replaces h and c, from gates in the order input, forget, output, new."""

    def bound(g: F32, h: F32, c: F32) -> Act:
        n = h.shape[1]
        i_f, (i, f, o, new) = g[:, : 2 * n], (g[:, at : at + n] for at in range(0, 4 * n, n))
        seen, (p_i, p_f, p_o) = np.empty_like(new), np.broadcast_to(p[:, :, None], (3, n, h.shape[2]))

        def act() -> None:
            for gate, peephole in (i, p_i), (f, p_f):
                np.multiply(c, peephole, out=seen)
                np.add(gate, seen, out=gate)
            np.tanh(i_f, out=i_f)
            finish_sigmoid(i_f)
            np.tanh(new, out=new)
            np.multiply(i, new, out=new)
            np.multiply(c, f, out=c)
            np.add(c, new, out=c)
            np.multiply(c, p_o, out=seen)
            np.add(o, seen, out=o)
            np.tanh(o, out=o)
            finish_sigmoid(o)
            np.tanh(c, out=new)
            np.multiply(o, new, out=h)

        return act

    return bound
