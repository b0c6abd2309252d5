"""Adam with a one-cycle learning rate and gradients clipped by their norm.

Equal to torch's Adam, OneCycleLR and clip_grad_norm_ to rounding. A step takes a third of their time for networks this
small, because all weights are one vector. Also, torch's optimisers take as long to import as torch itself.
"""

import math

import torch
from torch import Tensor, nn

SQUARES, EPSILON = 0.999, 1e-8
"""Adam's β2, and the ε added to the root of the squared gradients' mean (Kingma and Ba 2015)."""
MOMENTUM, MOMENTUM_AT_PEAK = 0.95, 0.85
"""Adam's β1 at both ends of the cycle, and at the peak of the rate."""
RISE = 0.3
"""Share of the steps during which the rate rises (Smith 2018)."""
FIRST, LAST = 1 / 25, 1 / 250_000
"""The rate at the first and at the last step, as a fraction of its peak."""


class Adam:
    """Optimises a network in `steps` steps; `rate` is the peak rate, `clip` the largest norm of a gradient.

    The network's weights become parts of one vector. What differs from step to step is a row of a table on the device,
    so that a step can be recorded (graph.py).
    """

    def __init__(self, network: nn.Module, rate: float, clip: float, steps: int) -> None:
        self.weights, self.clip = list(network.parameters()), clip
        self.vector = flat([weight.detach() for weight in self.weights])
        parts = torch.split(self.vector, [weight.numel() for weight in self.weights])
        for weight, part in zip(self.weights, parts, strict=True):
            weight.data = part.view_as(weight)
        self.mean, self.square = torch.zeros_like(self.vector), torch.zeros_like(self.vector)
        self.factors = self.vector.new_tensor([factors(step, steps, rate) for step in range(steps)])
        self.done = torch.zeros(1, dtype=torch.long, device=self.vector.device)

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of the loss."""
        self.follow(self.gradient(loss))

    def gradient(self, loss: Tensor) -> Tensor:
        """By all weights, as one vector."""
        return flat(torch.autograd.grad(loss, self.weights))

    def follow(self, gradient: Tensor) -> None:
        """One step down this gradient, which is clipped in place."""
        gradient *= (self.clip / (gradient.norm() + 1e-6)).clamp(max=1)
        share, scale, rate = self.factors.index_select(0, self.done).unbind(1)
        self.done += 1
        self.mean.lerp_(gradient, share)
        self.square.mul_(SQUARES).addcmul_(gradient, gradient, value=1 - SQUARES)
        root = self.square.sqrt().mul_(scale).add_(EPSILON)
        self.vector.addcdiv_(self.mean * rate, root, value=-1)


def factors(step: int, steps: int, peak: float) -> tuple[float, float, float]:
    """Of a step, counted from 0: the gradient's share in its mean, and both corrections for the means' start at 0."""
    rate, momentum = one_cycle(step, steps)
    return 1 - momentum, 1 / math.sqrt(1 - SQUARES ** (step + 1)), peak * rate / (1 - momentum ** (step + 1))


def flat(tensors: list[Tensor] | tuple[Tensor, ...]) -> Tensor:
    """All elements of the tensors as one vector."""
    return torch.cat([tensor.ravel() for tensor in tensors])


def one_cycle(step: int, steps: int) -> tuple[float, float]:
    """Rate, as a fraction of its peak, and momentum at a step counted from 0, both along half cosines."""
    peak = RISE * steps - 1
    if step <= peak:
        share = cosine(step / peak)
        return FIRST + share * (1 - FIRST), MOMENTUM + share * (MOMENTUM_AT_PEAK - MOMENTUM)
    share = cosine((step - peak) / (steps - 1 - peak))
    return 1 + share * (LAST - 1), MOMENTUM_AT_PEAK + share * (MOMENTUM - MOMENTUM_AT_PEAK)


def cosine(part: float) -> float:
    """Eases `part` from 0 to 1 along half a cosine."""
    return (1 - math.cos(math.pi * part)) / 2
