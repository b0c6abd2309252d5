"""Tunes the decoder F2 of a trained traditional network; F1 and P stay fixed (paper, eq. (13)).

F2 learns from all p rounds. The later ones start from states that its own predictions led to, which never occur in
windows of m + k. It also learns from σ_{i+1}(s) = σ_i(s') with s' = F1(P(σ_1(s)), s), which is eq. (13) for i < k.
"""

import copy
import math

import torch
from torch import Tensor

from streamer.models import Traditional
from streamer.records import Recipe
from streamer.train.adam import Adam
from streamer.train.fit import Beat, root_mean_square
from streamer.train.windows import Buffer, Carry

EPOCHS = 5
BATCH = 64
RATE = 5e-4
CLIP = 0.3
RELATION_WEIGHT = 0.3
"""Weight of eq. (13) relative to the loss of the first round; 0 leaves it out."""


def tune(
    network: Traditional, buffer: Buffer, origins: Tensor, recipe: Recipe, beat: Beat = lambda: None, rate: float = RATE
) -> tuple[Traditional, float, float]:
    """Returns the network with the least E_p at the origins, of all epochs or untuned; and E_p before and after.

    As F1 is fixed, states do not change. Those at the origins are computed once, so that epochs compare exactly.
    """
    torch.manual_seed(recipe.seed)
    network = copy.deepcopy(network).requires_grad_(False)
    sizes, carry = network.sizes, Carry(network, buffer)
    carry.states(origins)
    s, truth, real = carry.states(origins), *truths(buffer, origins, sizes.horizon)
    before = best = e_p(network, s, truth, real)
    best_weights = copy.deepcopy(network.state_dict())
    starts = buffer.starts(sizes.m, sizes.horizon)
    network.F2.requires_grad_(True)
    adam = Adam(network.F2, rate, CLIP, EPOCHS * math.ceil(recipe.windows / BATCH))
    for _ in range(EPOCHS if len(starts) else 0):
        chosen = starts[torch.randint(len(starts), (recipe.windows,)).to(starts.device)]
        seen = initial(carry, chosen, recipe.share)
        for begin in range(0, recipe.windows, BATCH):
            part = slice(begin, begin + BATCH)
            adam.step(loss(network, seen[part], *truths(buffer, chosen[part] + sizes.m, sizes.horizon)))
            beat()
        now = e_p(network, s, truth, real)
        if now < best:
            best, best_weights = now, copy.deepcopy(network.state_dict())
    network.load_state_dict(best_weights)
    return network, before, best


def truths(buffer: Buffer, positions: Tensor, h: int) -> tuple[Tensor, Tensor]:
    """The h values [b, h, d] from each position on, and whether each is a real sample [b, h]."""
    at = positions[:, None] + torch.arange(h, device=positions.device)
    return buffer.x[at], buffer.real[at]


@torch.no_grad()
def initial(carry: Carry, starts: Tensor, share: float) -> Tensor:
    """The state after each window [w, S]: for a share of them carried along the buffer, for the others from zero."""
    network, buffer = carry.network, carry.buffer
    m = network.sizes.m
    s = carry.states(starts + m)
    fresh = (torch.rand(len(starts)) >= share).to(starts.device).nonzero().ravel()
    inputs = buffer.x[starts[fresh][:, None] + torch.arange(m, device=starts.device)]
    s[fresh] = network.run(inputs, network.zero_state(len(fresh)))
    return s


@torch.no_grad()
def e_p(network: Traditional, s: Tensor, truth: Tensor, real: Tensor) -> float:
    """E_p, eq. (15), of forecasts from the states s [b, S]."""
    return root_mean_square(network.forecast(s, truth.shape[1]) - truth, real)


def loss(network: Traditional, s: Tensor, truth: Tensor, real: Tensor) -> Tensor:
    """Mean squared error over all rounds, plus that over the first round, plus eq. (13) scaled by the latter."""
    k = network.sizes.k
    square = (network.forecast(s, truth.shape[1]) - truth).square().mean(2) * real
    whole = square.sum() / real.sum().clamp(min=1)
    first = square[:, :k].sum() / real[:, :k].sum().clamp(min=1)
    return whole + first + RELATION_WEIGHT * first.detach() * relation_error(network, s)


def relation_error(network: Traditional, s: Tensor) -> Tensor:
    """Mean squared difference of both sides of eq. (13), i < k, over the variance of the right one; 0 for k = 1."""
    k = network.sizes.k
    if k == 1:
        return s.new_zeros(())
    sigma = decode(network, s, k)
    after = network.step(network.P(network.F2.visible(sigma[:, 0])), s)
    left, right = sigma[:, 1:], decode(network, after, k - 1)
    spread = (right - right.mean((0, 1))).square().mean().detach()
    return (left - right).square().mean() / spread.clamp(min=1e-6)


def decode(network: Traditional, s: Tensor, k: int) -> Tensor:
    """The decoder's states σ_1 … σ_k from s: [b, S] -> [b, k, S2]."""
    a = network.F2.project(s)
    sigma, states = s.new_zeros(len(s), network.F2.state_size), []
    for _ in range(k):
        sigma = network.F2.recur(a, sigma)
        states.append(sigma)
    return torch.stack(states, 1)
