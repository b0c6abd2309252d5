"""The contract of a network for the daemon and the training: it advances a state and forecasts from it.

Axes: b rows (series or windows), m inputs, h outputs, d elements per sample, n neurons, S elements of a state.
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
    def step(self, x: Tensor, s: Tensor) -> Tensor:
        """The state after one more sample: x [b, d], s [b, S] -> [b, S]."""

    @abstractmethod
    def run(self, x: Tensor, s: Tensor) -> Tensor:
        """The state after a window: x [b, m, d], s [b, S] -> [b, S]; equals m times `step` to rounding."""

    @abstractmethod
    def forecast(self, s: Tensor, h: int) -> Tensor:
        """The forecast of the next h values from s: [b, S] -> [b, h, d]."""

    def zero_state(self, b: int) -> Tensor:
        """The state of b new series."""
        return torch.zeros(b, self.state_size, device=next(self.parameters()).device)
