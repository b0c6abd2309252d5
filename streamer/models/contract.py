"""What the daemon and the training ask of a network: a state in, a state out, a forecast from a state.

Axes: b rows (series or windows), m inputs, h outputs, d elements per sample, n neurons, S elements of a state.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from streamer.records import Kind, Sizes


class Network(nn.Module, ABC):
    """A forecasting network whose whole memory of a series is one vector, `s: [b, S]`, zero at the start."""

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
        """The next h values as the network sees them from s: [b, S] -> [b, h, d]."""

    def zero_state(self, b: int) -> Tensor:
        """The state of b series nothing is known of."""
        return torch.zeros(b, self.state_size, device=next(self.parameters()).device)
