"""A network of several layers in; how long each layer remembers a disturbance, out.

Two equal sequences, one value of one of them is changed: the distance of the two states by layer and step after it, as
Hermans and Schrauwen (2013) show it. The network is trained on the waves of the paper first.

`python -m tests.studies.time_scales --layers 3`
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from streamer.models import Network, Sizes
from streamer.models.cells import Stack
from streamer.records import RECIPES, Floats
from streamer.tools.replay.signals import WAVES, Signal
from streamer.train.fit import fit
from streamer.train.windows import Buffer
from tests.studies.accuracy.daemon import add_model_options, model_of

TICKS, STEPS, SERIES = 8000, 120, 64
SHOWN = (0, 1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 119)


@torch.no_grad()
def distances(network: Network, x: Tensor, at: int, size: float) -> Floats:
    """Distances of the visible states, [steps, layers], mean over series x [b, m, 1] one of whose values is changed."""
    stack = network.F
    assert isinstance(stack, Stack)
    other = x.clone()
    other[:, at] += size
    apart = stack.trace(other, network.zero_state(len(x)))[0] - stack.trace(x, network.zero_state(len(x)))[0]
    by_layer = apart.view(*apart.shape[:2], len(stack.layers), -1)
    found: Floats = by_layer.norm(dim=3).mean(0).double().numpy()
    return found


def time_scales(found: Floats, at: int) -> list[int]:
    """Of each layer, the steps after its largest distance until the last one above a tenth of it."""
    peaks = found[at:].argmax(0)
    lasting = [np.flatnonzero(one > 0.1 * one.max())[-1] for one in found[at:].T]
    return [int(last - peak) for last, peak in zip(lasting, peaks, strict=True)]


def trained(sizes: Sizes, seed: int) -> Network:
    """A network on both waves, noise of its own each."""
    segments = [Signal(wave).noisy(TICKS, seed=seed).astype(np.float32)[:, None] for wave in WAVES]
    buffer = Buffer.of(segments, [TICKS * 4 // 5] * len(segments), torch.device("cpu"))
    recipe = replace(RECIPES[sizes.cell], epochs=15, windows=3200, seed=seed)
    return fit("memoryless", sizes, buffer, buffer.origins(sizes.m, sizes.horizon, 500), recipe, lambda *_: None)[0]


def lines(found: Floats, at: int) -> Iterator[str]:
    """The table: a row for each layer, in units of its largest distance."""
    yield f"{'layer':8}{'largest':>10}{'lasts':>8}  " + "".join(f"{step:>7}" for step in SHOWN)
    for layer, (one, lasts) in enumerate(zip(found[at:].T, time_scales(found, at), strict=True), 1):
        shares = "".join(f"{one[step] / one.max():7.3f}" for step in SHOWN if step < len(one))
        yield f"{layer:<8}{one.max():10.3f}{lasts:8}  {shares}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_options(parser)
    parser.set_defaults(layers=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of noise and training (%(default)s)")
    parser.add_argument("--size", type=float, default=1.0, help="of the disturbance; the waves are within ±1")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for seed in given.seeds:
        network = trained(Sizes(**model_of(given)), seed)
        starts = np.random.default_rng(seed).integers(0, TICKS, SERIES)
        clean = np.array([Signal("sine").clean(int(start), STEPS + 70) for start in starts])
        x = torch.from_numpy(clean[:, :, None].astype(np.float32))
        print(f"{given.cell}, {given.layers} layers, seed {seed}; steps after the disturbance:")
        print(*lines(distances(network, x, 70, given.size), 70), sep="\n", flush=True)


if __name__ == "__main__":
    main()
