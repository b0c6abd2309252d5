"""Each cell, and depth, on the paper's waves: the memoryless network alone, trained briefly, its state carried.

`python -m tests.studies.cells --shapes lstm:1 lru:1 lstm:2 --seeds 0 1`

Both waves with noise, 8,000 ticks each, 15 epochs of 3,200 windows, a third of what the daemon does by default; the
paper's form. Errors are root mean squares against the noisy truth over the first 10 and all 40 leads, on 3,500 ticks of
each wave with noise of another seed; the noise alone has a deviation of 0.15.
"""

import argparse
from collections.abc import Sequence
from typing import get_args

import numpy as np
import torch

from streamer.models import Network, Sizes
from streamer.records import CellName
from streamer.tools.replay.signals import WAVES, Signal
from streamer.train.fit import settled
from streamer.train.windows import Buffer
from tests.studies.time_scales import trained

WARM, TICKS, LEADS = 500, 4000, (10, 40)


def errors(network: Network, seed: int) -> list[float]:
    """By wave and then by span of leads."""
    out = []
    for wave in WAVES:
        x = Signal(wave).noisy(TICKS, seed=1000 + seed).astype(np.float32)[:, None]
        buffer = Buffer.of([x], [WARM], torch.device("cpu"))
        residual, _ = settled(network, buffer, buffer.origins(network.sizes.m, network.sizes.horizon, TICKS))
        out += [float(residual[:, :leads].square().mean().sqrt()) for leads in LEADS]
    return out


def line(shape: str, seeds: Sequence[int]) -> str:
    """A row: means over the seeds, and the largest difference between two of them."""
    cell, _, layers = shape.partition(":")
    known: dict[str, CellName] = {name: name for name in get_args(CellName)}
    sizes = Sizes(cell=known[cell], layers=int(layers or 1))
    found = np.array([errors(trained(sizes, seed), seed) for seed in seeds])
    spread = f"{np.ptp(found, 0).max():.3f}"
    return f"{cell:10}{sizes.layers:6}" + "".join(f"{error:12.3f}" for error in found.mean(0)) + f"{spread:>9}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shapes = [*(f"{cell}:1" for cell in get_args(CellName)), "lstm:2", "gru:2", "lru:2"]
    parser.add_argument("--shapes", nargs="+", default=shapes, metavar="CELL:LAYERS")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of noise and training (%(default)s)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    spans = "".join(f"{f'{wave[:4]} {leads}':>12}" for wave in WAVES for leads in LEADS)
    print(f"{'cell':10}{'layers':>6}{spans}{'spread':>9}")
    for shape in given.shapes:
        print(line(shape, given.seeds), flush=True)


if __name__ == "__main__":
    main()
