"""Eq. (13) on the study's traditional networks: every way of tuning F2, compared with equally long training."""

import math
from collections.abc import Iterator
from typing import Any

import torch

from streamer.paper.bench import Bench, Notify
from streamer.paper.equation13 import BATCH, CLIP, LOSSES, RATE, residual, tune
from streamer.paper.grid import KP, Group
from streamer.paper.stacked import Stack
from streamer.paper.training import Learner, e_p, forecasts, learner
from streamer.paper.waves import gather
from streamer.tools.replay.signals import WAVES

EPOCHS = 5
"""Passes over the training windows, in each tuning and in the training it is compared with."""


def study(bench: Bench, groups: list[Group], notify: Notify) -> list[dict[str, Any]]:
    """One record per network and way: residual and errors, before (way "as trained") and after tuning."""
    records: list[dict[str, Any]] = []
    done, ways = 0, len(LOSSES) + 3
    for group in groups:
        for way, stack in tuned(bench, group):
            records += measured(bench, group, way, stack)
            done += 1
            notify(done / (ways * len(groups)))
    return records


def tuned(bench: Bench, group: Group) -> Iterator[tuple[str, Stack]]:
    """The networks of the group as trained, tuned by every loss, and with all weights trained for as many steps.

    All weights are trained once on k truths, as before, and once on those of all p rounds, as in `rounds`.
    """
    stack = bench.stack(group)
    yield "as trained", stack
    learning = learner(stack, list(group.members), bench.taught, bench.rows(group.members))
    with torch.no_grad():
        inputs = gather(learning.x, learning.origins, -learning.m, 0)
        s = stack.run(inputs, stack.zero_state(inputs.shape[2]))
    truth = gather(learning.x, learning.origins, 0, max(KP))
    for name, loss in LOSSES.items():
        yield name, tune(stack, s, truth, loss, learning.k, EPOCHS)
    yield "all weights", trained_on(learning, (learning.k,))
    learning.stack = bench.stack(group)
    yield "all weights, rounds", trained_on(learning, (learning.k, max(KP)))


def trained_on(learning: Learner, horizons: tuple[int, ...]) -> Stack:
    """Train all weights on the errors over these horizons, with the learning rate and number of steps of the tuning."""
    stack = learning.stack
    weights = [weight.requires_grad_() for weight in stack.weights.values()]
    optimiser = torch.optim.Adam(weights, lr=RATE, fused=True)
    count = learning.origins.shape[1]
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * math.ceil(count / BATCH))
    initial = stack.zero_state(count)
    generator = torch.Generator().manual_seed(0)
    for _ in range(EPOCHS):
        for chosen in torch.split(torch.randperm(count, generator=generator), BATCH):
            learning.step(optimiser, chosen.to(learning.x.device), initial, CLIP, horizons)
            cycle.step()
    return stack


@torch.no_grad()
def measured(bench: Bench, group: Group, way: str, stack: Stack) -> list[dict[str, Any]]:
    """A record per network: residuals of eq. (13), E_p, and E if F2 runs all kp steps without feedback ("rolled")."""
    rows, m, k, far = bench.rows(group.members), group.members[0].m, group.members[0].k, max(KP)
    tests = bench.tests
    s = stack.run(gather(tests.x[rows], tests.origins[rows].flatten(1), -m, 0), stack.zero_state(2 * bench.study.tests))
    gaps = {i: residual(stack, s, i).tolist() for i in (2, k)}
    errors = bench.errors(forecasts(stack, tests, rows, m, k, far, carried=False), rows)
    rolled = e_p(forecasts(stack, tests, rows, m, far, far, carried=False), tests, rows, far).tolist()
    return [
        {
            "way": way,
            "r": member.r,
            "n": member.n,
            "seed": member.seed,
            "residual": gaps[2][i],
            "residuals": gaps[k][i],
            **errors[i],
            **{f"{wave} {far} rolled": rolled[i][j] for j, wave in enumerate(WAVES)},
        }
        for i, member in enumerate(group.members)
    ]
