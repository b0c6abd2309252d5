"""Three ways to forecast far with one m-to-1 network (paper, introduction and section 4), compared in error and cost.

Every way predicts one element at a time and takes its own prediction for the next input. The expanding window runs the
network anew over everything from the window's start, the moving window over the newest m elements, and the memoryless
recursion goes on from the state. From one start the first and the last are the same arithmetic, at different costs.
"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from streamer.paper.grid import KP
from streamer.paper.stacked import Stack
from streamer.paper.training import e_p
from streamer.paper.waves import Waves, gather
from streamer.tools.replay.signals import WAVES

Recursion = Callable[[Stack, Tensor, int], Tensor]
"""The next h values after the inputs x [S, m, B]: [S, h, B]."""
STEPS = max(KP)


def one(stack: Stack, x: Tensor) -> Tensor:
    """The m-to-1 network itself: from a window of any length [S, T, B] the next value, [S, 1, B]."""
    return stack.forecast(stack.run(x, stack.zero_state(x.shape[2])), 1, 1)


def expanding(stack: Stack, x: Tensor, h: int) -> Tensor:
    """The window grows by each prediction: m + i elements stored and as many steps for prediction i + 1."""
    m = x.shape[1]
    for _ in range(h):
        x = torch.cat([x, one(stack, x)], 1)
    return x[:, m:]


def moving(stack: Stack, x: Tensor, h: int) -> Tensor:
    """The window drops its oldest element for each prediction: m elements stored, m steps per prediction."""
    m = x.shape[1]
    for _ in range(h):
        x = torch.cat([x, one(stack, x[:, -m:])], 1)
    return x[:, m:]


def memoryless(stack: Stack, x: Tensor, h: int) -> Tensor:
    """Eq. (14): the state goes on; no element stored, one step per prediction."""
    return stack.forecast(stack.run(x, stack.zero_state(x.shape[2])), h, 1)


RECURSIONS: dict[str, Recursion] = {"expanding": expanding, "moving": moving, "memoryless": memoryless}


def stored(name: str, m: int, h: int) -> float:
    """Elements of the series that must be kept to predict one element, on average over h of them."""
    return {"expanding": m + (h - 1) / 2, "moving": float(m), "memoryless": 0.0}[name]


@torch.no_grad()
def compare(stack: Stack, rows: list[int], tests: Waves) -> dict[str, Any]:
    """Per recursion: errors of every network, stored elements and microseconds per predicted element and window.

    The time is that of the predictions after the first, which costs all three the same pass over m inputs.
    """
    m = stack.sizes[0].m
    origins = tests.origins[rows]
    size, signals, windows = origins.shape
    x = gather(tests.x[rows], origins.flatten(1), -m, 0)
    found: dict[str, Any] = {}
    for name, recursion in RECURSIONS.items():
        recursion(stack, x, 1)
        begun = time.perf_counter()
        recursion(stack, x, 1)
        first = time.perf_counter()
        forecast = recursion(stack, x, STEPS)
        seconds = (time.perf_counter() - first) - (first - begun)
        shaped = forecast.view(size, STEPS, signals, windows).transpose(1, 2)
        by_h = {h: e_p(shaped, tests, rows, h).tolist() for h in KP}
        found[name] = {
            "errors": [{f"{w} {h}": by_h[h][i][j] for j, w in enumerate(WAVES) for h in KP} for i in range(size)],
            "stored": stored(name, m, STEPS),
            "microseconds": seconds * 1e6 / (STEPS - 1) / (size * signals * windows),
        }
    return found
