"""What the cells share whose weights live in torch's own modules: vanilla tanh (the paper's), GRU and LSTM.

There a whole window runs through torch's compiled loops (and cuDNN on a GPU). A single step is written out, so that the
state is a plain value and the closed loop can be folded.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from streamer.models.cells.cell import Cell


class Native(Cell):
    """A cell around a torch module `core`: gates W·x + b and U·h + b, s = [h] or [h, c]."""

    gates: ClassVar[int]
    states: ClassVar[int] = 1
    core: nn.RNNBase

    def __init__(self, d: int, n: int) -> None:
        super().__init__(d, n, self.states * n)
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

    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """W [gates·n, d], its bias, U [gates·n, n], its bias."""
        core: Any = self.core
        return core.weight_ih_l0, core.bias_ih_l0, core.weight_hh_l0, core.bias_hh_l0

    def exact(self) -> list[Tensor]:
        """The weights in double precision, without gradients."""
        return [weight.detach().double() for weight in self.weights()]

    def project(self, x: Tensor) -> Tensor:
        w, b, _, _ = self.weights()
        return fn.linear(x, w, b)

    def recurrent(self, h: Tensor) -> Tensor:
        """The old state's part of the gates, U·h + b: [b, n] -> [b, gates·n]."""
        _, _, u, b = self.weights()
        return fn.linear(h, u, b)

    def trace(self, x: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        seen, last = self.core(x, s.unsqueeze(0).contiguous())
        return seen, last.squeeze(0)

    def folded(self, predictor: nn.Linear) -> tuple[Tensor, Tensor]:
        """W·P [gates·n, n] and W·p0 + b [gates·n], which give the projected input for x̄ = P(s) from s."""
        w, b, _, _ = self.weights()
        return w @ predictor.weight, b + w @ predictor.bias


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
