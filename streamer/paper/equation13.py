"""Eq. (13), F2(s, F2(s, 0)) = F2(F1(P(F2(s, 0)), s), 0): how far trained networks are from it, and tuning F2 to it.

In the decoder's states: σ_2(s) = σ_1(s') with s' = F1(P(σ_1(s)), s), and further σ_{i+1}(s) = σ_i(s'). F1 and P stay as
they are; the losses are what F2 is tuned by. The bare relation has trivial answers (σ = const. knows nothing of s):
`relation` and `relations` show what becomes of it, the others anchor it or leave it out.
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
"""Weight of the relation beside the truths, in units of the states' variance."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a loss may look at: states s [S, B, n1], truths [S, k·p, B], and σ_1 as trained [S, 1, B, n2]."""

    stack: Stack
    s: Tensor
    truth: Tensor
    first: Tensor
    k: int


Loss = Callable[[Sight], Tensor]
"""One number per network, [S]."""


def shifted(stack: Stack, s: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Both sides of the relation for i = 1 … k-1: σ_2 … σ_k of s, and σ_1 … σ_{k-1} of s': [S, k-1, B, n2] each."""
    sigma = stack.decode(s, k)
    after = stack.run(stack.read(sigma[:, :1]), s)
    return sigma[:, 1:], stack.decode(after, k - 1)


def gap(left: Tensor, right: Tensor) -> Tensor:
    """Squared distance of two sets of states over the second one's variance, per network: [S]; padding adds nothing."""
    spread = (right - right.mean((1, 2), keepdim=True)).square().mean((1, 2, 3)).detach()
    return (left - right).square().mean((1, 2, 3)) / spread.clamp(min=1e-6)


@torch.no_grad()
def residual(stack: Stack, s: Tensor, k: int) -> Tensor:
    """Root of the gap between the sides of eq. (13), i < k: [S]; 0 holds exactly, 1 is as far as the mean state."""
    return gap(*shifted(stack, s, k)).sqrt()


def relation(sight: Sight) -> Tensor:
    """Eq. (13) alone, i = 1: the paper's proposal to the letter."""
    left, right = shifted(sight.stack, sight.s, 2)
    return (left - right).square().mean((1, 2, 3))


def relations(sight: Sight) -> Tensor:
    """Eq. (13) alone for every i < k."""
    left, right = shifted(sight.stack, sight.s, sight.k)
    return (left - right).square().mean((1, 2, 3))


def truths(sight: Sight) -> Tensor:
    """The training loss itself: F2 keeps learning, nothing else does."""
    return (sight.stack.read(sight.stack.decode(sight.s, sight.k)) - sight.truth[:, : sight.k]).square().mean((1, 2))


def consistent(sight: Sight) -> Tensor:
    """The truths, and eq. (13) for every i < k beside them."""
    return truths(sight) + beside(sight)


def rounds(sight: Sight) -> Tensor:
    """The truths of all p rounds, each block fed back through F1, and those of the first: E_p and E_1 by F2 alone.

    Later rounds start from states that predictions led to, which the training windows never show F2.
    """
    said = sight.stack.forecast(sight.s, sight.truth.shape[1], sight.k)
    return (said - sight.truth).square().mean((1, 2)) + truths(sight)


def consistent_rounds(sight: Sight) -> Tensor:
    """The truths of all p rounds, and eq. (13) for every i < k beside them."""
    return rounds(sight) + beside(sight)


def beside(sight: Sight) -> Tensor:
    """Eq. (13) for every i < k, scaled to a part of the truths' loss: it must not outweigh what anchors it."""
    return RELATION_WEIGHT * truths(sight).detach() * gap(*shifted(sight.stack, sight.s, sight.k))


def teacher(sight: Sight) -> Tensor:
    """Eq. (13) for every i < k in what P makes of the states, P(σ_1) held to what it was; no truth is needed.

    P(σ_1) fixes where the chain begins; σ_{i+1} learns from σ_i what one more, predicted, sample would have said.
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
    """The stack with F2 tuned on states s [S, N, n1] and what followed them, truth [S, k·p, N]; F1 and P stay."""
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
