"""The contract of a recurrent cell, `F(x, s) -> s`, with step-by-step defaults that hold for every cell.

The state is a plain value. What does not depend on it, the input's part of the gates, is a function of its own, so that
a window or a decoder computes it once.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from streamer.models.cells.folded import Folded


class Cell(nn.Module, ABC):
    """A recurrent cell on inputs of d elements, with a state s [b, S] of which the predictor P reads the first n.

    A new cell needs `project`, `recur` and `fold`, and a line in CELLS; zero is its first state. Where it knows a
    faster way than step by step, it overrides `run`, `trace`, `loop`, `hold` and `climb`.
    """

    def __init__(self, d: int, n: int, state_size: int) -> None:
        super().__init__()
        self.d, self.n, self.state_size = d, n, state_size

    @abstractmethod
    def project(self, x: Tensor) -> Tensor:
        """The input's part of the gates: [.., d] -> [.., A]."""

    @abstractmethod
    def recur(self, a: Tensor, s: Tensor) -> Tensor:
        """The new state from a projected input a [b, A] and the old state s [b, S]."""

    @abstractmethod
    def fold(self) -> Folded:
        """The cell with its weights of now, for series as columns."""

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        """F(x, s): x [b, d], s [b, S] -> [b, S]."""
        return self.recur(self.project(x), s)

    def run(self, x: Tensor, s: Tensor) -> Tensor:
        """F applied along a window x [b, m, d] from s [b, S]: the last state, [b, S]."""
        return self.trace(x, s)[1]

    def trace(self, x: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """As `run`, and before the last state the visible part of all, [b, m, n]."""
        seen = []
        for a in self.project(x).unbind(1):
            s = self.recur(a, s)
            seen.append(self.visible(s))
        return torch.stack(seen, 1), s

    def loop(self, predictor: nn.Linear, s: Tensor, h: int) -> Tensor:
        """The visible part of s and of the next h - 1 states in the closed loop, time first: [b, S] -> [h, b, n]."""
        seen = [self.visible(s)]
        for _ in range(h - 1):
            s = self(predictor(seen[-1]), s)
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


class Gated(Cell):
    """What cells with gates W·x + U·h + b share: the weights, all gates' in one matrix. s = [h, more]."""

    def __init__(self, d: int, n: int, gates: int, states: int) -> None:
        super().__init__(d, n, states * n)
        self.W = uniform(gates * n, d, n)
        self.U = orthogonal(n, gates)
        self.b = nn.Parameter(torch.zeros(gates * n))

    def project(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.W, self.b)

    def gates(self, a: Tensor, h: Tensor) -> Tensor:
        """All pre-activations [b, gates·n]."""
        return torch.addmm(a, h, self.U.t())


def uniform(rows: int, columns: int, n: int) -> nn.Parameter:
    """A new matrix [rows, columns], uniform in ±1/√n, as torch draws those of inputs."""
    limit = 1 / math.sqrt(n)
    return nn.Parameter(torch.empty(rows, columns).uniform_(-limit, limit))


def orthogonal(n: int, blocks: int = 1) -> nn.Parameter:
    """New recurrent weights [blocks·n, n]: each block is orthogonal."""
    return nn.Parameter(torch.cat([nn.init.orthogonal_(torch.empty(n, n)) for _ in range(blocks)]))
