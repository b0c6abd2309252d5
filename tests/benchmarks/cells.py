"""What each cell costs beside the default one: a step, a forecast, a step of training, as ratios within one run.

`python -m tests.benchmarks.cells`; sizes are the daemon's, memoryless network in its default form, tiles of 256 series,
batches of 64 windows. Rounds go through all cells in turn, and the least time of each counts.
"""

import argparse
import time
from collections.abc import Callable
from typing import get_args

import numpy as np
import torch

from streamer.models import Sizes, build
from streamer.models.frozen import loops
from streamer.records import RECIPES, CellName
from streamer.train.fit import Epoch, taught
from streamer.train.windows import Buffer

SHAPES: list[tuple[CellName, int]] = [*((cell, 1) for cell in get_args(CellName)), ("lstm", 2), ("gru", 2), ("lru", 2)]
"""Cells and layers."""
Act = Callable[[], object]


def acts(cell: CellName, layers: int) -> dict[str, Act]:
    """What is timed."""
    sizes = Sizes(cell=cell, layers=layers, form="residual", c=8)
    torch.manual_seed(0)
    network = build("memoryless", sizes)
    x = np.sin(np.arange(2000) / 7)[:, None].astype(np.float32)
    buffer = Buffer.of([x], [1600], torch.device("cpu"))
    one = np.ones((2000, 1))
    buffer = buffer.seen_in(0 * one, one, np.zeros((2000, 8), np.float32), sizes.horizon)
    epoch = Epoch(network, buffer, RECIPES["lstm"], taught(network, buffer))
    epoch.starts.random_(0, 1500)
    made = build("memoryless", sizes).requires_grad_(False)
    loop = loops(made)[-1]
    z, known = np.zeros((sizes.horizon, *loop.x.shape), np.float32), np.tile(loop.u, (sizes.horizon - 1, 1, 1, 1))

    def forecast() -> None:
        loop.s[:] = 0
        loop.forecast(z, known)

    def learn() -> None:
        epoch.at.zero_()
        epoch.work()

    return {"step": loop.step, "forecast": forecast, "training": learn}


def least(rounds: int) -> dict[tuple[CellName, int], dict[str, float]]:
    """Seconds by cell, layers and act."""
    every = {shape: acts(*shape) for shape in SHAPES}
    found = {shape: dict.fromkeys(every[shape], np.inf) for shape in SHAPES}
    for _ in range(rounds):
        for shape, work in every.items():
            for name, act in work.items():
                began = time.perf_counter()
                act()
                found[shape][name] = min(found[shape][name], time.perf_counter() - began)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    torch.set_num_threads(1)
    found = least(given.rounds)
    base = found["lstm", 1]
    print(f"{'cell':10}{'layers':>7}" + "".join(f"{name:>12}" for name in base) + f"{'state':>8}{'weights':>9}")
    for (cell, layers), seconds in found.items():
        made = build("memoryless", Sizes(cell=cell, layers=layers, form="residual", c=8))
        ratios = "".join(f"{seconds[name] / base[name]:12.2f}" for name in base)
        count = sum(weight.numel() for weight in made.parameters())
        print(f"{cell:10}{layers:7}{ratios}{made.state_size:8}{count:9}")
    print(
        f"lstm: {1e6 * base['step'] / 256:.2f} µs a step, {1e6 * base['forecast'] / 256:.1f} µs a forecast of a series,"
    )
    print(f"{1e3 * base['training']:.1f} ms a step of training")


if __name__ == "__main__":
    main()
