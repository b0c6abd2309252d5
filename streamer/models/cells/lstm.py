"""Long short-term memory: a cell state that is added to, and gates that open and close it."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from streamer.models import sums
from streamer.models.cells.folded import F32, Act, Folded, finish_sigmoid, halved
from streamer.models.cells.native import Native, native


class Lstm(Native):
    """Long short-term memory, s = [h, c]; the forget gate's bias starts at 1 (Jozefowicz et al. 2015)."""

    gates = 4
    states = 2

    def __init__(self, d: int, n: int) -> None:
        super().__init__(d, n)
        with torch.no_grad():
            self.weights()[3][n : 2 * n] = 1.0

    @staticmethod
    def make(d: int, n: int) -> nn.RNNBase:
        return nn.LSTM(d, n, batch_first=True)

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        w, b, u, b_hh = self.weights()
        return torch.cat(torch.lstm_cell(x, torch.split(s, self.n, 1), w, u, b, b_hh), 1)

    def recur(self, a: Tensor, s: Tensor) -> Tensor:
        h, c = s.chunk(2, 1)
        return self.gate(a + self.recurrent(h), c)

    def trace(self, x: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        h, c = (part.contiguous() for part in s.unsqueeze(0).chunk(2, 2))
        core: Any = self.core
        seen, (h, c) = core(x, (h, c))
        return seen, torch.cat([h, c], 2).squeeze(0)

    def fold(self) -> Folded:
        (w, b, u, c), n = self.exact(), self.n
        i_f_o_g = torch.cat([torch.arange(2 * n), torch.arange(3 * n, 4 * n), torch.arange(2 * n, 3 * n)])
        u, w, b = (halved(part[i_f_o_g], 3 * n) for part in (u, w, b + c))
        return Folded(u, w, b, update)

    def loop(self, predictor: nn.Linear, s: Tensor, h: int) -> Tensor:
        (wp, w0), (w, _, u, b_hh) = self.folded(predictor), self.weights()
        after = native(torch.lstm, s.new_zeros(h - 1, len(s), self.d), s, [w, u + wp, w0, b_hh])
        return torch.cat([self.visible(s).unsqueeze(0), after])

    def hold(self, x: Tensor, k: int) -> Tensor:
        w, b, u, b_hh = self.weights()
        return native(torch.lstm, x.expand(k, -1, -1), x.new_zeros(len(x), self.state_size), [w, u, b, b_hh])

    def climb(self, predictor: nn.Linear, s: Tensor, z: Tensor, u: Tensor) -> Tensor:
        (w, hh, b), none = sums.gated(self.weights(), predictor), torch.zeros_like(z)
        x, (h, c) = torch.cat([z.expand(len(u), -1, -1), u], 2), s.chunk(2, 1)
        after = native(torch.lstm, x, torch.cat([h, none, c, none], 1), [w, hh, b, torch.zeros_like(b)])
        return sums.levels(predictor, z, torch.cat([torch.cat([h, none], 1).unsqueeze(0), after]))

    @staticmethod
    def gate(g: Tensor, c: Tensor) -> Tensor:
        """The new [h, c] from the gates' pre-activations g [b, 4n] (order i, f, g, o) and c [b, n]."""
        i, f, new, o = g.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(new)
        return torch.cat([torch.sigmoid(o) * torch.tanh(c), c], 1)


def update(g: F32, h: F32, c: F32) -> Act:
    """Replaces h and c, from gates in the order input, forget, output, new."""
    n = h.shape[1]
    ifo, (i, f, o, new) = g[:, : 3 * n], (g[:, at : at + n] for at in range(0, 4 * n, n))

    def act() -> None:
        np.tanh(g, out=g)
        finish_sigmoid(ifo)
        np.multiply(i, new, out=new)
        np.multiply(c, f, out=c)
        np.add(c, new, out=c)
        np.tanh(c, out=new)
        np.multiply(o, new, out=h)

    return act
