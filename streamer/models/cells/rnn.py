"""The vanilla cell: one tanh."""

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from streamer.models import sums
from streamer.models.cells.folded import F32, Act, Folded
from streamer.models.cells.native import Native, native
from streamer.models.unroll import unroll


class Rnn(Native):
    """Vanilla: s' = tanh(W·x + U·s + b), the network of the paper's experiments."""

    gates = 1

    @staticmethod
    def make(d: int, n: int) -> nn.RNNBase:
        return nn.RNN(d, n, batch_first=True)

    def recur(self, a: Tensor, s: Tensor) -> Tensor:
        return torch.tanh(a + self.recurrent(s))

    def fold(self) -> Folded:
        w, b, u, c = self.exact()
        return Folded(u, w, b + c, update)

    def run(self, x: Tensor, s: Tensor) -> Tensor:
        if x.is_cuda:
            return super().run(x, s)
        return unroll(self.joined(), x.permute(1, 2, 0), s, False)

    def trace(self, x: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        if x.is_cuda:
            return super().trace(x, s)
        seen = unroll(self.joined(), x.permute(1, 2, 0), s, True).transpose(0, 1)
        return seen, seen[:, -1]

    def loop(self, predictor: nn.Linear, s: Tensor, h: int) -> Tensor:
        (wp, w0), (w, _, u, b_hh) = self.folded(predictor), self.weights()
        if s.is_cuda:
            after = native(torch.rnn_tanh, s.new_zeros(h - 1, len(s), self.d), s, [w, u + wp, w0, b_hh])
        else:
            after = unroll(torch.cat([u + wp, (b_hh + w0)[:, None]], 1), s.new_empty(h - 1, 0, len(s)), s, True)
        return torch.cat([s.unsqueeze(0), after])

    def hold(self, x: Tensor, k: int) -> Tensor:
        if x.is_cuda:
            w, b, u, b_hh = self.weights()
            return native(torch.rnn_tanh, x.expand(k, -1, -1), x.new_zeros(len(x), self.n), [w, u, b, b_hh])
        return unroll(self.joined(), x.t().expand(k, -1, -1), x.new_zeros(len(x), self.n), True)

    def climb(self, predictor: nn.Linear, s: Tensor, z: Tensor, u: Tensor) -> Tensor:
        w, hh, b = sums.plain(self.weights(), predictor)
        x, first = torch.cat([z.expand(len(u), -1, -1), u], 2), torch.cat([s, torch.zeros_like(z)], 1)
        if s.is_cuda:
            after = native(torch.rnn_tanh, x, first, [w, hh, b, torch.zeros_like(b)])
        else:
            after = unroll(torch.cat([hh, w, b[:, None]], 1), x.transpose(1, 2), first, True)
        return sums.levels(predictor, z, torch.cat([first.unsqueeze(0), after]))

    def joined(self) -> Tensor:
        """[U, W, b] with both biases added: [n, n + d + 1]."""
        w, b, u, b_hh = self.weights()
        return torch.cat([u, w, (b + b_hh)[:, None]], 1)


def update(g: F32, h: F32, c: F32) -> Act:
    """Replaces h by tanh(g); c is not used."""
    return partial(np.tanh, g, out=h)
