"""The contract of a network for the daemon and the training: it advances a state and forecasts from it.

Axes: b rows (series or windows), m inputs, h outputs, d elements per sample, c known inputs, n neurons, S elements of a
state. Networks in the paper's form know nothing beforehand: they ignore u.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from streamer.records import Kind, Sizes


class Network(nn.Module, ABC):
    """A network whose whole memory of a series is one state vector, `s: [b, S]`, zero at the start."""

    kind: ClassVar[Kind]
    state_size: int
    sizes: Sizes

    @abstractmethod
    def step(self, x: Tensor, s: Tensor, u: Tensor | None = None) -> Tensor:
        """The state after one more sample: x [b, d], s [b, S], known inputs u [b, c] of the next tick -> [b, S]."""

    @abstractmethod
    def run(self, x: Tensor, s: Tensor, u: Tensor | None = None) -> Tensor:
        """The state after a window: x [b, m, d], s [b, S], u [b, m, c] -> [b, S]; m times `step` to rounding."""

    @abstractmethod
    def forecast(self, s: Tensor, h: int, u: Tensor | None = None) -> Tensor:
        """The next h values from s [b, S] -> [b, h, d]; known inputs u [b, h - 1, c] of the ticks after the next."""

    def zero_state(self, b: int) -> Tensor:
        """The state of b new series."""
        return torch.zeros(b, self.state_size, device=next(self.parameters()).device)
