"""Three ways to forecast many values with one m-to-1 network (paper, introduction and section 4): error and cost.

Each predicts one element at a time and uses its prediction as the next input. The expanding window runs the network
again over all elements from the start of the window, the moving window over the newest m elements. The memoryless
recursion continues from the state. The first and the last are the same arithmetic at different costs.
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
    """The m-to-1 network itself: the next value [S, 1, B] after a window of any length [S, T, B]."""
    return stack.forecast(stack.run(x, stack.zero_state(x.shape[2])), 1, 1)


def expanding(stack: Stack, x: Tensor, h: int) -> Tensor:
    """The window grows by each prediction: prediction i + 1 needs m + i stored elements and as many steps."""
    m = x.shape[1]
    for _ in range(h):
        x = torch.cat([x, one(stack, x)], 1)
    return x[:, m:]


def moving(stack: Stack, x: Tensor, h: int) -> Tensor:
    """The window drops its oldest element at each prediction, which needs m stored elements and m steps."""
    m = x.shape[1]
    for _ in range(h):
        x = torch.cat([x, one(stack, x[:, -m:])], 1)
    return x[:, m:]


def memoryless(stack: Stack, x: Tensor, h: int) -> Tensor:
    """Eq. (14), from the state: a prediction needs no stored element and one step."""
    return stack.forecast(stack.run(x, stack.zero_state(x.shape[2])), h, 1)


RECURSIONS: dict[str, Recursion] = {"expanding": expanding, "moving": moving, "memoryless": memoryless}


def stored(name: str, m: int, h: int) -> float:
    """Elements of the series that must be stored to predict one element, on average over h predictions."""
    return {"expanding": m + (h - 1) / 2, "moving": float(m), "memoryless": 0.0}[name]


@torch.no_grad()
def compare(stack: Stack, rows: list[int], tests: Waves) -> dict[str, Any]:
    """For each recursion: errors of every network, stored elements, microseconds per predicted element and window.

    The first prediction is not timed, as it costs all three the same pass over m inputs.
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
