"""Measures how much faster networks train in a stack than one by one, on the same windows and steps."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from streamer.models import build
from streamer.paper.stacked import Stack
from streamer.paper.training import Member, Plan, learner
from streamer.paper.waves import Waves, gather

STEPS = 8
COPIES = 9
"""Number of networks in the stack that is timed."""


def compare(taught: Waves) -> dict[str, Any]:
    """Milliseconds per step and network for both kinds, n = 50: in a stack, and one by one with `streamer.models`."""
    found: dict[str, Any] = {"threads": torch.get_num_threads(), "networks": COPIES, "batch": Plan().batch}
    for kind in ("memoryless", "traditional"):
        members = [Member(kind, 50, seed) for seed in range(COPIES)]
        side_by_side, alone = stacked_seconds(members, taught), COPIES * alone_seconds(members[0], taught)
        found[kind] = {
            "stacked_ms": side_by_side * 1e3 / COPIES,
            "alone_ms": alone * 1e3 / COPIES,
            "ratio": alone / side_by_side,
        }
    return found


def stacked_seconds(members: list[Member], taught: Waves) -> float:
    """Seconds of one training step of all networks in a stack."""
    sizes, seeds = [member.sizes for member in members], [member.seed for member in members]
    stack = Stack.fresh(members[0].kind, sizes, seeds, taught.x.device)
    learning = learner(stack, members, taught, [0] * len(members))
    weights = [weight.requires_grad_() for weight in stack.weights.values()]
    optimiser = torch.optim.Adam(weights, lr=1e-3, fused=True)
    initial = stack.zero_state(learning.origins.shape[1])
    chosen = torch.arange(Plan().batch, device=taught.x.device)
    return timed(lambda: learning.step(optimiser, chosen, initial, Plan().clip, (learning.k,)))


def alone_seconds(member: Member, taught: Waves) -> float:
    """Seconds of one training step of one network of `streamer.models`, by torch's own Adam."""
    network = build(member.kind, member.sizes).to(taught.x.device)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    whole, origins = taught.x[:1], taught.origins[:1].flatten(1)[:, : Plan().batch]

    def step() -> None:
        inputs = gather(whole, origins, -member.m, 0)[0].T.unsqueeze(2)
        truth = gather(whole, origins, 0, member.k)[0].T.unsqueeze(2)
        s = network.run(inputs, network.zero_state(len(inputs)))
        optimiser.zero_grad()
        (network.forecast(s, member.k) - truth).square().mean().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), Plan().clip)
        optimiser.step()

    return timed(step)


def timed(step: Callable[[], None]) -> float:
    """The least of three means over STEPS calls, in seconds, after a warm-up call."""
    step()
    means = []
    for _ in range(3):
        begun = time.perf_counter()
        for _ in range(STEPS):
            step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        means.append((time.perf_counter() - begun) / STEPS)
    return min(means)
