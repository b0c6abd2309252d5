"""What a comparison model is: windows in, forecasts and a loss out.

Axes: b windows, m samples of a window, h leads, c known inputs (0 where nothing is known beforehand).
"""

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.nn import functional as fn

BLOCK = 10
"""k of the paper: models that feed their forecasts back learn from this many."""


class Rival(nn.Module, ABC):
    """Forecasts the h values after a window x [b, m]; u [b, m + h, c] is what is known of each tick."""

    @abstractmethod
    def forecast(self, x: Tensor, h: int, u: Tensor) -> Tensor:
        """The next h values, [b, h]."""

    def loss(self, x: Tensor, y: Tensor, u: Tensor) -> Tensor:
        """The mean squared error of the first BLOCK forecasts against y [b, h], fed back as when forecasting."""
        return fn.mse_loss(self.forecast(x, BLOCK, u), y[:, :BLOCK])


class Direct(Rival):
    """A model without feedback, that says all leads at once and learns from all of them."""

    def loss(self, x: Tensor, y: Tensor, u: Tensor) -> Tensor:
        return fn.mse_loss(self.forecast(x, y.shape[1], u), y)
