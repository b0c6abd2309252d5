"""Losses in, weights moved: Adam under one cycle of the rate, gradients clipped by their norm.

Equal to torch's Adam, OneCycleLR and clip_grad_norm_ to rounding, at a third of the time per step for networks this
small, as all weights are one vector; and torch's optimisers take as long to import as torch itself.
"""

import math

import torch
from torch import Tensor, nn

SQUARES, EPSILON = 0.999, 1e-8
"""Decay of the squared gradients, and what is added to their root (Kingma and Ba 2015)."""
MOMENTUM, MOMENTUM_AT_PEAK = 0.95, 0.85
RISE = 0.3
"""Share of the steps in which the rate rises (Smith 2018)."""
FIRST, LAST = 1 / 25, 1 / 250_000
"""The rate at the first and at the last step, in units of its peak."""


class Adam:
    """Moves the weights of a network in so many steps; `rate` is the peak, `clip` the largest norm of a gradient."""

    def __init__(self, network: nn.Module, rate: float, clip: float, steps: int) -> None:
        self.weights = list(network.parameters())
        self.rate, self.clip, self.steps, self.done = rate, clip, steps, 0
        self.vector = flat([weight.detach() for weight in self.weights])
        parts = torch.split(self.vector, [weight.numel() for weight in self.weights])
        self.parts = [part.view_as(weight) for part, weight in zip(parts, self.weights, strict=True)]
        self.mean, self.square = torch.zeros_like(self.vector), torch.zeros_like(self.vector)

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of the loss."""
        gradient = flat(torch.autograd.grad(loss, self.weights))
        gradient *= (self.clip / (gradient.norm() + 1e-6)).clamp(max=1)
        rate, momentum = one_cycle(self.done, self.steps)
        self.done += 1
        self.mean.lerp_(gradient, 1 - momentum)
        self.square.mul_(SQUARES).addcmul_(gradient, gradient, value=1 - SQUARES)
        root = self.square.sqrt().div_(math.sqrt(1 - SQUARES**self.done)).add_(EPSILON)
        self.vector.addcdiv_(self.mean, root, value=-self.rate * rate / (1 - momentum**self.done))
        with torch.no_grad():
            for weight, part in zip(self.weights, self.parts, strict=True):
                weight.copy_(part)


def flat(tensors: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    """All elements, one tensor after the other."""
    return torch.cat([tensor.ravel() for tensor in tensors])


def one_cycle(step: int, steps: int) -> tuple[float, float]:
    """Rate, in units of its peak, and momentum at a step counted from 0: there and back along a cosine."""
    peak = RISE * steps - 1
    if step <= peak:
        share = cosine(step / peak)
        return FIRST + share * (1 - FIRST), MOMENTUM + share * (MOMENTUM_AT_PEAK - MOMENTUM)
    share = cosine((step - peak) / (steps - 1 - peak))
    return 1 + share * (LAST - 1), MOMENTUM_AT_PEAK + share * (MOMENTUM - MOMENTUM_AT_PEAK)


def cosine(part: float) -> float:
    """0 to 1 as `part` is, slow at both ends."""
    return (1 - math.cos(math.pi * part)) / 2
