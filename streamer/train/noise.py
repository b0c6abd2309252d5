"""Noise on the weights while a gradient is taken: the loss of a network in, the gradient of all that is learned out.

The weights themselves stay: at the end a network has their means. Both forms are those of Graves, *Practical
variational inference for neural networks* (2011): noise of a fixed deviation, and of one learned for each weight.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from streamer.models import Network
from streamer.records import WeightNoise
from streamer.train.adam import Adam, flat

FIRST = 0.075
"""Deviation that the learned ones start from; what Graves (2013) takes for the fixed one."""

Loss = Callable[[], Tensor]


class Gradient(ABC):
    """How the gradient of a step is taken; `learned` is what the optimiser moves, the network's weights first."""

    learned: nn.Module

    @abstractmethod
    def of(self, loss: Loss, adam: Adam) -> Tensor:
        """The gradient of the loss, which is computed here, by all that is learned."""


class Plain(Gradient):
    """Without noise."""

    def __init__(self, network: Network) -> None:
        self.learned = network

    def of(self, loss: Loss, adam: Adam) -> Tensor:
        return adam.gradient(loss())


class Fixed(Plain):
    """At weights with Gaussian noise of one deviation."""

    def __init__(self, network: Network, deviation: float) -> None:
        super().__init__(network)
        self.deviation = deviation

    def of(self, loss: Loss, adam: Adam) -> Tensor:
        clean = adam.vector.clone()
        adam.vector.add_(torch.randn_like(clean), alpha=self.deviation)
        gradient = super().of(loss, adam)
        adam.vector.copy_(clean)
        return gradient


class Adaptive(Gradient):
    """At weights μ + σ·ε, and by log σ too: what is minimised is the length of the description of data and weights.

    That is the loss of a truth, in units of its present mean, and a share of 1/`truths` of the divergence of the
    weights' distribution from a Gaussian that is fitted to all of them (Graves 2011, eq. (3) and section 4).
    """

    def __init__(self, network: Network, truths: int) -> None:
        like = flat([weight.detach() for weight in network.parameters()])
        deviations = nn.Parameter(torch.full_like(like, FIRST).log())
        self.learned, self.truths = nn.ModuleList([network, nn.ParameterList([deviations])]), truths

    def of(self, loss: Loss, adam: Adam) -> Tensor:
        mean, log = adam.vector.chunk(2)
        clean, sigma, drawn = mean.clone(), log.exp(), torch.randn_like(mean)
        mean.addcmul_(sigma, drawn)
        value = loss()
        gradient = flat(torch.autograd.grad(value, adam.weights[:-1]))
        mean.copy_(clean)
        centre = clean.mean()
        spread, share = (sigma.square() + (clean - centre).square()).mean(), value.detach() / self.truths
        by_mean = gradient + share * (clean - centre) / spread
        return torch.cat([by_mean, gradient * drawn * sigma + share * (sigma.square() / spread - 1)])


def gradient_of(network: Network, noise: WeightNoise, truths: int) -> Gradient:
    """That of a training with this noise on so many truths."""
    if noise == "adaptive":
        return Adaptive(network, truths)
    return Fixed(network, noise) if noise else Plain(network)
