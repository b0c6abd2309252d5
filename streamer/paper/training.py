"""Trains many networks in parallel: Adam, one-cycle learning rate, gradients clipped by the norm of each network.

Every network belongs to a seed, which gives its data, its windows and its initial weights. Networks of one seed have
the same windows. Axes as in `stacked` and `waves`.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from streamer.models import Kind, Sizes
from streamer.paper.stacked import Stack
from streamer.paper.waves import VALIDATION, Waves, gather

Progress = Callable[[int], None]
HORIZON = 40
"""Values forecast for each held-out window, p = 4 rounds; k values show little of the drift of the closed loop."""
CHUNK = 250
"""Steps of a chunk of the data; a chunk starts from the state that the chunk before it reached in the last pass."""


@dataclass(frozen=True, slots=True)
class Member:
    """One network of the study; `share` is the share of its training windows that start from carried states."""

    kind: Kind
    n: int
    seed: int
    r: float = 1.0
    share: float = 0.0
    m: int = 70
    k: int = 10

    @property
    def sizes(self) -> Sizes:
        return Sizes(m=self.m, k=self.k, n=self.n, r=self.r, cell="rnn")


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: epochs, windows per step, peak of the one-cycle rate, norm at which gradients are clipped.

    In the last `rounds` epochs the loss over HORIZON values (p rounds) is added to the loss over k values.
    """

    epochs: int = 50
    batch: int = 64
    rate: float = 3e-3
    clip: float = 0.3
    rounds: int = 0


@dataclass(slots=True)
class Learner:
    """A stack in training: its data x [S, 2·T], origins [S, N], and `heads`, the states from which chunks start."""

    stack: Stack
    x: Tensor
    origins: Tensor
    share: Tensor
    m: int
    k: int
    heads: Tensor

    @torch.no_grad()
    def initial(self, generator: torch.Generator) -> Tensor:
        """The states [S, N, n1] from which the windows of an epoch start: carried for `share` of them, else zero."""
        size, windows = self.origins.shape
        if not bool(self.share.any()):
            return self.stack.zero_state(windows)
        chunks = self.x.view(size, -1, CHUNK)
        states = self.stack.run(chunks.transpose(1, 2), self.heads, whole=True)
        begins = torch.arange(chunks.shape[1], device=self.x.device) % (chunks.shape[1] // 2) == 0
        self.heads = torch.where(begins[:, None], 0.0, states[:, -1].roll(1, 1))
        before = self.origins - self.m - 1
        rows = torch.arange(size, device=self.x.device)[:, None]
        reached = states[rows, before % CHUNK, before // CHUNK]
        chance = torch.rand(windows, generator=generator).to(self.x.device)
        return torch.where((chance < self.share[:, None]).unsqueeze(2), reached, 0.0)

    def loss(self, chosen: Tensor, initial: Tensor, h: int) -> Tensor:
        """Mean squared error of each network over the h values after the chosen windows: [S]."""
        origins = self.origins[:, chosen]
        inputs = gather(self.x, origins, -self.m, 0)
        truth = gather(self.x, origins, 0, h)
        s = self.stack.run(inputs, initial[:, chosen])
        return (self.stack.forecast(s, h, self.k) - truth).square().mean((1, 2))

    def step(
        self, optimiser: torch.optim.Optimizer, chosen: Tensor, initial: Tensor, clip: float, horizons: Iterable[int]
    ) -> None:
        """One step of Adam on the summed losses over these horizons; summing over networks keeps gradients separate."""
        weights = list(self.stack.weights.values())
        losses = [self.loss(chosen, initial, h).sum() for h in horizons]
        grads = torch.autograd.grad(torch.stack(losses).sum(), weights)
        set_clipped(weights, grads, clip)
        optimiser.step()


def set_clipped(weights: Sequence[Tensor], grads: Sequence[Tensor], clip: float) -> None:
    """Set the gradient of each weight [S, …], scaled so that no network's total norm exceeds `clip`.

    Gradients are made contiguous, since the fused Adam assumes the same memory layout for weight and gradient.
    """
    norm = torch.stack([grad.flatten(1).square().sum(1) for grad in grads]).sum(0).sqrt()
    factor = (clip / (norm + 1e-6)).clamp(max=1.0)
    for weight, grad in zip(weights, grads, strict=True):
        weight.grad = (grad * factor.view(-1, *[1] * (grad.dim() - 1))).contiguous()


def learner(stack: Stack, members: list[Member], data: Waves, rows: list[int]) -> Learner:
    """A learner for these networks; network i learns from row `rows[i]` of the data."""
    x, origins = data.x[rows], data.origins[rows].flatten(1)
    share = torch.tensor([member.share for member in members], device=x.device)
    heads = stack.zero_state(x.shape[1] // CHUNK)
    return Learner(stack, x, origins, share, members[0].m, members[0].k, heads)


def train(members: list[Member], data: Waves, rows: list[int], plan: Plan, progress: Progress) -> Stack:
    """Train networks of one kind, m and k on their rows; each keeps the weights of the epoch with its least E_p.

    E_p is over HORIZON values after each held-out window, a fifth of all. `progress(epoch)` is called once an epoch.
    """
    device = data.x.device
    stack = Stack.fresh(
        members[0].kind, [member.sizes for member in members], [member.seed for member in members], device
    )
    learning = learner(stack, members, data, rows)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(learning.origins.shape[1], generator=generator)
    held, taught = order[: round(VALIDATION * len(order))], order[round(VALIDATION * len(order)) :]
    weights = [weight.requires_grad_() for weight in stack.weights.values()]
    optimiser = torch.optim.Adam(weights, lr=plan.rate, fused=True)
    steps = plan.epochs * math.ceil(len(taught) / plan.batch)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.rate, total_steps=steps)
    best = torch.full((len(stack),), math.inf, device=device)
    kept = [weight.detach().clone() for weight in weights]
    for epoch in range(plan.epochs):
        initial = learning.initial(generator)
        horizons = (learning.k, HORIZON) if epoch >= plan.epochs - plan.rounds else (learning.k,)
        for chosen in torch.split(taught[torch.randperm(len(taught), generator=generator)], plan.batch):
            learning.step(optimiser, chosen.to(device), initial, plan.clip, horizons)
            cycle.step()
        with torch.no_grad():
            error = learning.loss(held.to(device), initial, HORIZON)
            better = error < best
            best = torch.where(better, error, best)
            for keep, weight in zip(kept, weights, strict=True):
                keep[better] = weight[better]
        progress(epoch + 1)
    stack.weights = dict(zip(stack.weights, kept, strict=True))
    return stack


@torch.no_grad()
def forecasts(stack: Stack, data: Waves, rows: list[int], m: int, k: int, h: int, carried: bool) -> Tensor:
    """The next h values at every origin, [S, 2, h, N], from m samples or from the state carried since the start."""
    x, origins = data.x[rows], data.origins[rows]
    size, signals, windows = origins.shape
    flat = origins.flatten(1)
    if carried:
        series = x.view(size, signals, -1).transpose(1, 2)
        states = stack.run(series, stack.zero_state(signals), whole=True)
        before = flat - 1
        per = series.shape[1]
        s = states[torch.arange(size, device=x.device)[:, None], before % per, before // per]
    else:
        s = stack.run(gather(x, flat, -m, 0), stack.zero_state(flat.shape[1]))
    return stack.forecast(s, h, k).view(size, h, signals, windows).transpose(1, 2)


def e_p(forecast: Tensor, data: Waves, rows: list[int], h: int) -> Tensor:
    """E_p, eq. (15), over the first h forecast values of [S, 2, ≥h, N]: root mean square, [S, 2]."""
    origins = data.origins[rows]
    size, signals, windows = origins.shape
    truth = gather(data.x[rows], origins.flatten(1), 0, h).view(size, h, signals, windows).transpose(1, 2)
    return (forecast[:, :, :h] - truth).square().mean((2, 3)).sqrt()
