"""Eq. (13), F2(s, F2(s, 0)) = F2(F1(P(F2(s, 0)), s), 0): how far trained networks are from it, and tuning F2 to it.

In terms of the decoder's states: σ_2(s) = σ_1(s') with s' = F1(P(σ_1(s)), s), and further σ_{i+1}(s) = σ_i(s'). F1 and
P are fixed; F2 is tuned by one of the losses below. The relation alone has trivial solutions, such as a constant σ:
`relation` and `relations` show the effect. The other losses add an anchor to the relation, or leave it out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from streamer.paper.stacked import Stack
from streamer.paper.training import set_clipped

DECODER = ("F2.core.weight_ih_l0", "F2.core.bias_ih_l0", "F2.core.weight_hh_l0", "F2.core.bias_hh_l0")
BATCH = 64
RATE = 5e-4
CLIP = 0.3
RELATION_WEIGHT = 0.3
"""Weight of the relation against the truths, in units of the variance of the states."""


@dataclass(frozen=True, slots=True)
class Sight:
    """The arguments of a loss: states s [S, B, n1], truths [S, k·p, B], and σ_1 before tuning [S, 1, B, n2]."""

    stack: Stack
    s: Tensor
    truth: Tensor
    first: Tensor
    k: int


Loss = Callable[[Sight], Tensor]
"""Gives one number per network, [S]."""


def shifted(stack: Stack, s: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Both sides of the relation for i = 1 … k-1: σ_2 … σ_k of s, and σ_1 … σ_{k-1} of s': [S, k-1, B, n2] each."""
    sigma = stack.decode(s, k)
    after = stack.run(stack.read(sigma[:, :1]), s)
    return sigma[:, 1:], stack.decode(after, k - 1)


def gap(left: Tensor, right: Tensor) -> Tensor:
    """Mean squared distance of two sets of states over the variance of the second, per network: [S].

    Padded neurons add nothing to it.
    """
    spread = (right - right.mean((1, 2), keepdim=True)).square().mean((1, 2, 3)).detach()
    return (left - right).square().mean((1, 2, 3)) / spread.clamp(min=1e-6)


@torch.no_grad()
def residual(stack: Stack, s: Tensor, k: int) -> Tensor:
    """Root of the gap between the sides of eq. (13), i < k: [S]. 0: it holds; 1: as far as from the mean state."""
    return gap(*shifted(stack, s, k)).sqrt()


def relation(sight: Sight) -> Tensor:
    """Eq. (13) alone for i = 1, as the paper proposes."""
    left, right = shifted(sight.stack, sight.s, 2)
    return (left - right).square().mean((1, 2, 3))


def relations(sight: Sight) -> Tensor:
    """Eq. (13) alone for every i < k."""
    left, right = shifted(sight.stack, sight.s, sight.k)
    return (left - right).square().mean((1, 2, 3))


def truths(sight: Sight) -> Tensor:
    """The training loss itself, here for F2 alone."""
    return (sight.stack.read(sight.stack.decode(sight.s, sight.k)) - sight.truth[:, : sight.k]).square().mean((1, 2))


def consistent(sight: Sight) -> Tensor:
    """The sum of `truths` and of eq. (13) for every i < k."""
    return truths(sight) + beside(sight)


def rounds(sight: Sight) -> Tensor:
    """Squared error over all p rounds, each block fed back through F1, plus that of the first round.

    Later rounds start from states reached by predictions, which training windows never contain.
    """
    said = sight.stack.forecast(sight.s, sight.truth.shape[1], sight.k)
    return (said - sight.truth).square().mean((1, 2)) + truths(sight)


def consistent_rounds(sight: Sight) -> Tensor:
    """The sum of `rounds` and of eq. (13) for every i < k."""
    return rounds(sight) + beside(sight)


def beside(sight: Sight) -> Tensor:
    """Eq. (13) for every i < k, scaled to a fraction of the loss of the truths, so that it does not outweigh them."""
    return RELATION_WEIGHT * truths(sight).detach() * gap(*shifted(sight.stack, sight.s, sight.k))


def teacher(sight: Sight) -> Tensor:
    """Eq. (13) for every i < k between the outputs P(σ), with P(σ_1) kept at its value before tuning; needs no truths.

    P(σ_1) anchors the chain; σ_{i+1} learns the output that σ_i has after one more sample, the predicted one.
    """
    left, right = shifted(sight.stack, sight.s, sight.k)
    read, start = sight.stack.read, sight.stack.decode(sight.s, 1)
    held = (read(start) - read(sight.first)).square().mean((1, 2))
    return (read(left) - read(right).detach()).square().mean((1, 2)) + held


LOSSES: dict[str, Loss] = {
    "relation": relation,
    "relations": relations,
    "teacher": teacher,
    "truths": truths,
    "consistent": consistent,
    "rounds": rounds,
    "consistent rounds": consistent_rounds,
}


def tune(stack: Stack, s: Tensor, truth: Tensor, loss: Loss, k: int, epochs: int) -> Stack:
    """A copy of the stack with F2 tuned on states s [S, N, n1] and the values after them, truth [S, k·p, N]."""
    tuned = Stack.__new__(Stack)
    tuned.kind, tuned.sizes, tuned.encoder = stack.kind, stack.sizes, stack.encoder
    tuned.weights = {name: weight.detach().clone() for name, weight in stack.weights.items()}
    weights = [tuned.weights[name].requires_grad_() for name in DECODER]
    optimiser = torch.optim.Adam(weights, lr=RATE, fused=True)
    count = s.shape[1]
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=epochs * math.ceil(count / BATCH))
    first = stack.decode(s, 1).detach()
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for chosen in torch.split(torch.randperm(count, generator=generator).to(s.device), BATCH):
            sight = Sight(tuned, s[:, chosen], truth[:, :, chosen], first[:, :, chosen], k)
            grads = torch.autograd.grad(loss(sight).sum(), weights)
            set_clipped(weights, grads, CLIP)
            optimiser.step()
            cycle.step()
    tuned.weights = {name: weight.detach() for name, weight in tuned.weights.items()}
    return tuned
