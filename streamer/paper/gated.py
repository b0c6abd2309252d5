"""The memoryless network with GRU, LSTM and vanilla cells, trained as the daemon trains."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streamer.models import Network
from streamer.paper.bench import Bench, Notify
from streamer.paper.grid import KP, Study
from streamer.paper.waves import Waves, gather
from streamer.records import RECIPES, CellName, Recipe, Sizes
from streamer.train.fit import fit
from streamer.train.windows import Buffer

HELD = 0.2
ORIGINS = 1_000
"""Number of held-out forecasts that choose the epoch."""
GATED_BATCH = 64


def gated(bench: Bench, cell: CellName, seed: int, notify: Notify) -> dict[str, Any]:
    """Errors of the cell for one seed, windowed and carried, after the daemon's training with mixed initial states."""
    row, study = bench.study.seeds.index(seed), bench.study
    how = recipe(study, cell, seed)
    sizes = Sizes(n=study.n[0], cell=cell)
    network = trained(bench.taught, row, sizes, how, lambda epoch, _: notify(epoch / how.epochs))
    return {
        way: bench.errors(forecasts(network, bench.tests, row, max(KP), way == "carried"), [row])[0]
        for way in ("windowed", "carried")
    }


def recipe(study: Study, cell: CellName, seed: int) -> Recipe:
    """The daemon's recipe for the cell, with the epochs and windows of the study; each epoch draws new windows."""
    batch = study.plan.batch if cell == "rnn" else GATED_BATCH
    return replace(RECIPES[cell], epochs=study.plan.epochs, windows=study.cell_windows, batch=batch, seed=seed)


def trained(taught: Waves, row: int, sizes: Sizes, how: Recipe, progress: Callable[[int, float], None]) -> Network:
    """A memoryless network trained on both signals of a row, with their newest fifth held out."""
    signals = taught.x[row].view(2, -1, 1).cpu().numpy()
    split = round((1 - HELD) * signals.shape[1])
    buffer = Buffer.of([np.ascontiguousarray(signal) for signal in signals], [split] * 2, taught.x.device)
    origins = buffer.origins(sizes.m, sizes.horizon, ORIGINS)
    return fit("memoryless", sizes, buffer, origins, how, progress)[0]


@torch.no_grad()
def forecasts(network: Network, tests: Waves, row: int, h: int, carried: bool) -> Tensor:
    """The next h values at every origin of a row, [1, 2, h, N], from m samples or from the carried state."""
    origins = tests.origins[row]
    if not carried:
        inputs = gather(tests.x[row][None], origins.flatten()[None], -network.sizes.m, 0)[0].T.unsqueeze(2)
        s = network.run(inputs, network.zero_state(len(inputs)))
        return network.forecast(s, h)[:, :, 0].view(1, *origins.shape, h).transpose(2, 3)
    series, at = tests.x[row].view(2, -1, 1), origins - torch.arange(2, device=origins.device)[:, None] * tests.points
    s, states = network.zero_state(2), []
    for t in range(int(at.max())):
        s = network.step(series[:, t], s)
        states.append(s)
    reached = torch.stack(states, 1)[torch.arange(2)[:, None], at - 1]
    return network.forecast(reached.flatten(0, 1), h)[:, :, 0].view(1, *origins.shape, h).transpose(2, 3)
