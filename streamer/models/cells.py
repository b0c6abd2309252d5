"""Recurrent cells behind one contract, `F(x, s) -> s`: vanilla tanh (the paper's), GRU and LSTM.

Weights live in torch's own modules, so that a whole window runs through their compiled loops (and cuDNN on a GPU). A
single step is written out here, so that the state is a plain value and the closed loop can be folded.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from streamer.models import sums
from streamer.models.unroll import unroll
from streamer.records import CellName


class Cell(nn.Module, ABC):
    """A recurrent cell of n neurons on inputs of d elements, with a state s [b, S] of which P reads the first n."""

    gates: ClassVar[int]
    states: ClassVar[int] = 1
    core: nn.RNNBase

    def __init__(self, d: int, n: int) -> None:
        super().__init__()
        self.d, self.n, self.state_size = d, n, self.states * n
        self.core = self.make(d, n)
        for name, weight in self.core.named_parameters():
            if name.startswith("weight_hh"):
                for block in weight.data.view(-1, n, n):
                    nn.init.orthogonal_(block)
            elif name.startswith("bias"):
                nn.init.zeros_(weight)

    @staticmethod
    @abstractmethod
    def make(d: int, n: int) -> nn.RNNBase:
        """The torch module that holds the weights."""

    @abstractmethod
    def recur(self, a: Tensor, s: Tensor) -> Tensor:
        """The new state from a projected input a [b, gates·n] and the old state s [b, S]."""

    @abstractmethod
    def fold(self, predictor: nn.Linear) -> Callable[[Tensor], Tensor]:
        """The closed loop `s -> F(P(s), s)` with P, which is linear, folded into the weights of the cell."""

    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """W [gates·n, d], its bias, U [gates·n, n], its bias."""
        core: Any = self.core
        return core.weight_ih_l0, core.bias_ih_l0, core.weight_hh_l0, core.bias_hh_l0

    def project(self, x: Tensor) -> Tensor:
        """The input's part of the gates, W·x + b: [.., d] -> [.., gates·n]."""
        w, b, _, _ = self.weights()
        return fn.linear(x, w, b)

    def recurrent(self, h: Tensor) -> Tensor:
        """The old state's part of the gates, U·h + b: [b, n] -> [b, gates·n]."""
        _, _, u, b = self.weights()
        return fn.linear(h, u, b)

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        """F(x, s): x [b, d], s [b, S] -> [b, S]."""
        return self.recur(self.project(x), s)

    def run(self, x: Tensor, s: Tensor) -> Tensor:
        """F applied along a window x [b, m, d] from s [b, S]: the last state, [b, S]."""
        return self.core(x, s.unsqueeze(0).contiguous())[1].squeeze(0)  # type: ignore[no-any-return]

    def loop(self, predictor: nn.Linear, s: Tensor, h: int) -> Tensor:
        """The visible part of s and of the next h - 1 states in the closed loop, time first: [b, S] -> [h, b, n]."""
        closed = self.fold(predictor)
        seen = [self.visible(s)]
        for _ in range(h - 1):
            s = closed(s)
            seen.append(self.visible(s))
        return torch.stack(seen)

    def hold(self, x: Tensor, k: int) -> Tensor:
        """The visible part of k states from zero under a constant input x, time first: [b, d] -> [k, b, n]."""
        a, s = self.project(x), x.new_zeros(len(x), self.state_size)
        seen = []
        for _ in range(k):
            s = self.recur(a, s)
            seen.append(self.visible(s))
        return torch.stack(seen)

    def climb(self, predictor: nn.Linear, s: Tensor, z: Tensor, u: Tensor) -> Tensor:
        """The residual closed loop z' = z + P(s), s' = F([z'; u], s): z [b, d], u [h - 1, b, c] -> all z' [h, b, d]."""
        z = z + predictor(self.visible(s))
        seen = [z]
        for known in u:
            s = self(torch.cat([z, known], 1), s)
            z = z + predictor(self.visible(s))
            seen.append(z)
        return torch.stack(seen)

    def visible(self, s: Tensor) -> Tensor:
        """The part of the state that the predictor P reads: [.., S] -> [.., n]."""
        return s[..., : self.n]

    def folded(self, predictor: nn.Linear) -> tuple[Tensor, Tensor]:
        """W·P [gates·n, n] and W·p0 + b [gates·n], which give the projected input for x̄ = P(s) from s."""
        w, b, _, _ = self.weights()
        return w @ predictor.weight, b + w @ predictor.bias


class Rnn(Cell):
    """Vanilla: s' = tanh(W·x + U·s + b), the network of the paper's experiments."""

    gates = 1

    @staticmethod
    def make(d: int, n: int) -> nn.RNNBase:
        return nn.RNN(d, n, batch_first=True)

    def recur(self, a: Tensor, s: Tensor) -> Tensor:
        return torch.tanh(a + self.recurrent(s))

    def fold(self, predictor: nn.Linear) -> Callable[[Tensor], Tensor]:
        (wp, w0), (_, _, hh, b_hh) = self.folded(predictor), self.weights()
        u, b = (hh + wp).t(), b_hh + w0
        return lambda s: torch.tanh(torch.addmm(b, s, u))

    def run(self, x: Tensor, s: Tensor) -> Tensor:
        if x.is_cuda:
            return super().run(x, s)
        return unroll(self.joined(), x.permute(1, 2, 0), s, False)

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


class Gru(Cell):
    """Gated recurrent unit in torch's form: the reset gate acts on U_n·s + b_n (Cho et al. 2014, variant v3)."""

    gates = 3

    @staticmethod
    def make(d: int, n: int) -> nn.RNNBase:
        return nn.GRU(d, n, batch_first=True)

    def recur(self, a: Tensor, s: Tensor) -> Tensor:
        n = self.n
        g = self.recurrent(s)
        return self.gate(a[:, : 2 * n] + g[:, : 2 * n], a[:, 2 * n :], g[:, 2 * n :], s)

    def fold(self, predictor: nn.Linear) -> Callable[[Tensor], Tensor]:
        n = self.n
        (wp, w0), (_, _, hh, b) = self.folded(predictor), self.weights()
        u = torch.cat([hh[: 2 * n] + wp[: 2 * n], wp[2 * n :], hh[2 * n :]]).t()
        c = torch.cat([b[: 2 * n] + w0[: 2 * n], w0[2 * n :], b[2 * n :]])

        def closed(s: Tensor) -> Tensor:
            g = torch.addmm(c, s, u)
            return self.gate(g[:, : 2 * n], g[:, 2 * n : 3 * n], g[:, 3 * n :], s)

        return closed

    @staticmethod
    def gate(rz: Tensor, a_n: Tensor, g_n: Tensor, s: Tensor) -> Tensor:
        """The new state from pre-activations: rz [b, 2n] of reset and update, a_n and g_n [b, n] of the new value."""
        r, z = torch.sigmoid(rz).chunk(2, 1)
        return torch.lerp(torch.tanh(torch.addcmul(a_n, r, g_n)), s, z)


class Lstm(Cell):
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

    def run(self, x: Tensor, s: Tensor) -> Tensor:
        h, c = (part.contiguous() for part in s.unsqueeze(0).chunk(2, 2))
        core: Any = self.core
        _, (h, c) = core(x, (h, c))
        return torch.cat([h, c], 2).squeeze(0)

    def fold(self, predictor: nn.Linear) -> Callable[[Tensor], Tensor]:
        (wp, w0), (_, _, hh, b_hh) = self.folded(predictor), self.weights()
        u, b = (hh + wp).t(), b_hh + w0

        def closed(s: Tensor) -> Tensor:
            h, c = s.chunk(2, 1)
            return self.gate(torch.addmm(b, h, u), c)

        return closed

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


def native(loop: Callable[..., Any], x: Tensor, s: Tensor, weights: list[Tensor]) -> Tensor:
    """The visible part of the state at every step, by torch's compiled loop, time first: x [T, b, d] -> [T, b, n].

    `loop` is torch.rnn_tanh or torch.lstm. weights: W, U and their biases, which cuDNN wants in one block of memory.
    """
    _, u, _, _ = weights
    if not len(x):
        return x.new_zeros(0, len(s), u.shape[1])
    block = torch.cat([weight.ravel() for weight in weights])
    parts = torch.split(block, [weight.numel() for weight in weights])
    joined = [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]
    first = tuple(part.contiguous() for part in torch.split(s.unsqueeze(0), u.shape[1], 2))
    initial = first if len(first) > 1 else first[0]
    seen: Tensor = loop(x, initial, joined, True, 1, 0.0, torch.is_grad_enabled(), False, False)[0]
    return seen


CELLS: dict[CellName, type[Cell]] = {"rnn": Rnn, "gru": Gru, "lstm": Lstm}
