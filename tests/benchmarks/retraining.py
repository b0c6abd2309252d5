"""Both networks retrained by the daemon's training process and by the textbook's loop: seconds and E of each.

`python -m tests.benchmarks.retraining --cell rnn lstm`. The textbook's loop is torch's module over the m inputs, one
step of it for each further value (the decoder's k steps in one call), Adam on the k values after a window from zero, at
torch's own number of threads. Ours is the daemon's training process, on as many windows of the same waves, and epochs.
"""

import argparse
import asyncio
import math
import resource
import struct
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from streamer.config import Training
from streamer.lanes.slow import usual_threads
from streamer.models import KINDS, Sizes
from streamer.records import RECIPES, Candidate, CellName, Kind, Recipe
from streamer.store.journal import Journal, Source
from streamer.tools.bench.machine import cores, describe, warning
from streamer.tools.replay.signals import WAVES, Signal
from streamer.train.process import train
from streamer.train.request import Request
from streamer.train.weights import network_of

TICKS, TESTED = 20_000, 1_000
HELD_OUT = 0.2
WINDOWS = 8_000
BATCH, RATE = 64, 1e-3
"""The textbook's: Adam at its usual rate."""
OURS = {**RECIPES, "rnn": replace(RECIPES["rnn"], batch=256, learning_rate=3e-3)}
"""The daemon's, but for the vanilla cell: its recipe takes more windows than these, in smaller steps."""
CORES: dict[CellName, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
STREAM = "waves"


@dataclass(frozen=True, slots=True)
class Result:
    """How long it took, with and without the start of a process, of all cores, and E over k and all values, by kind."""

    seconds: float
    started: float
    cpu: float
    errors: dict[Kind, list[float]]


class Memoryless(nn.Module):
    """The paper's section 4 as one would write it: the window through torch's module, then one step for each value."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.F = CORES[sizes.cell](sizes.d, sizes.n, batch_first=True)
        self.P = nn.Linear(sizes.n, sizes.d)

    def forward(self, x: Tensor, h: int) -> Tensor:
        """x [b, m, 1] -> the next h values [b, h, 1]."""
        out, s = self.F(x)
        values = [self.P(out[:, -1:])]
        for _ in range(h - 1):
            out, s = self.F(values[-1], s)
            values.append(self.P(out))
        return torch.cat(values, 1)


class Traditional(nn.Module):
    """The paper's section 2: what the encoder says last, k times into the decoder; whole blocks go back in."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        n1, n2 = sizes.split
        self.k = sizes.k
        self.F1 = CORES[sizes.cell](sizes.d, n1, batch_first=True)
        self.F2 = CORES[sizes.cell](n1, n2, batch_first=True)
        self.P = nn.Linear(n2, sizes.d)

    def forward(self, x: Tensor, h: int) -> Tensor:
        """x [b, m, 1] -> the next h values [b, h, 1], h a multiple of k."""
        out, s = self.F1(x)
        blocks = [self.block(out)]
        for _ in range(h // self.k - 1):
            out, s = self.F1(blocks[-1], s)
            blocks.append(self.block(out))
        return torch.cat(blocks, 1)

    def block(self, out: Tensor) -> Tensor:
        """The next k values after the encoder's last output."""
        decoded: Tensor = self.F2(out[:, -1:].expand(-1, self.k, -1))[0]
        return self.P(decoded)  # type: ignore[no-any-return]


TEXTBOOK: dict[Kind, type[nn.Module]] = {"memoryless": Memoryless, "traditional": Traditional}


def signals(seed: int) -> Tensor:
    """Both of the paper's waves, [2, TICKS]."""
    noisy = [Signal(wave).noisy(TICKS, 10 * seed + i) for i, wave in enumerate(WAVES)]
    return torch.from_numpy(np.stack(noisy).astype(np.float32))


def windows(x: Tensor, length: int, count: int, end: int, generator: torch.Generator) -> Tensor:
    """`count` random windows of both waves before tick `end`: [count, length, 1]."""
    row = torch.randint(len(x), (count, 1), generator=generator)
    at = torch.randint(end - length + 1, (count, 1), generator=generator)
    return x[row, at + torch.arange(length)].unsqueeze(2)


def textbook(sizes: Sizes, epochs: int, seed: int) -> Result:
    """One network after the other, at torch's own number of threads."""
    generator = torch.Generator().manual_seed(seed)
    taught = windows(signals(seed), sizes.m + sizes.k, WINDOWS, round(TICKS * (1 - HELD_OUT)), generator)
    networks: dict[Kind, nn.Module] = {}
    begun, cpu = time.perf_counter(), time.process_time()
    for kind in KINDS:
        torch.manual_seed(seed)
        network = networks[kind] = TEXTBOOK[kind](sizes)
        optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
        for _ in range(epochs):
            for chosen in torch.split(torch.randperm(len(taught), generator=generator), BATCH):
                x, truth = taught[chosen].tensor_split([sizes.m], 1)
                loss = nn.functional.mse_loss(network(x, sizes.k), truth)
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    x, truth = tests(sizes, seed)
    with torch.no_grad():
        return Result(
            seconds, seconds, cpu, {kind: measured(networks[kind](x, sizes.horizon), truth, sizes) for kind in KINDS}
        )


def tests(sizes: Sizes, seed: int) -> tuple[Tensor, Tensor]:
    """Windows of fresh noise, half from each wave, and what comes after them: [N, m, 1], [N, k·p, 1]."""
    generator, length = torch.Generator().manual_seed(seed), sizes.m + sizes.horizon
    fresh = signals(1_000 + seed)
    both = torch.cat([windows(wave[None], length, TESTED, TICKS, generator) for wave in fresh])
    x, truth = both.tensor_split([sizes.m], 1)
    return x, truth


def measured(forecast: Tensor, truth: Tensor, sizes: Sizes) -> list[float]:
    """E_p, eq. (15), over the first k and over all k·p values."""
    return [math.sqrt(float((forecast - truth)[:, :h].square().mean())) for h in (sizes.k, sizes.horizon)]


async def ours(sizes: Sizes, recipe: Recipe, threads: int, folder: Path, device: str = "cpu") -> Result:
    """The training process as the slow lane starts it, on a journal of the same waves."""
    record(folder, signals(recipe.seed).double().numpy())
    begun, cpu, moments = time.perf_counter(), used(), list[float]()

    def progress(line: dict[str, Any]) -> None:
        if line["event"] == "buffer":
            moments.append(time.perf_counter())

    asked = Request(
        directory=str(folder),
        stream=STREAM,
        series=[1, 2],
        most=2 * TICKS,
        window=TICKS,
        max_gap=1,
        held_out=HELD_OUT,
        device=device,
        threads=threads,
        sizes=sizes,
        recipe=recipe,
        idle=False,
    )
    candidates = await train(asked, progress, Training().timeout, Training().stall)
    ended, cpu = time.perf_counter(), used() - cpu
    errors = {candidate.kind: judged(candidate, sizes, recipe.seed) for candidate in candidates}
    return Result(ended - moments[0], ended - begun, cpu, errors)


def used() -> float:
    """CPU seconds of all processes that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def record(folder: Path, values: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    """The waves as a journal."""
    with closing(Journal.open(folder)) as journal, journal.transaction():
        for i, series in enumerate(values.tolist(), 1):
            journal.add_series([(i, Source(STREAM, "", 1, 1.0), str(i), "")])
            journal.append((i, tick, float(tick), struct.pack("<d", x)) for tick, x in enumerate(series))


@torch.no_grad()
def judged(candidate: Candidate, sizes: Sizes, seed: int) -> list[float]:
    """Its errors on the test windows, from the zero state as the textbook's, each wave under its own scale."""
    network = network_of(candidate.kind, sizes, candidate.weights)
    x, truth = tests(sizes, seed)
    mean, sd = (
        torch.tensor([scale[i][0] for scale in candidate.scales.values()])
        .repeat_interleave(TESTED)[:, None, None]
        .float()
        for i in range(2)
    )
    s = network.run((x - mean) / sd, network.zero_state(len(x)))
    return measured(network.forecast(s, sizes.horizon) * sd + mean, truth, sizes)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cell", nargs="+", default=["rnn", "lstm"], choices=list(CORES))
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=usual_threads(cores()), help="of ours")
    parser.add_argument("--textbook-threads", type=int, default=torch.get_num_threads(), help="torch's own by default")
    given = parser.parse_args()
    torch.set_num_threads(given.textbook_threads)
    machine = describe()
    print(machine, warning(machine) or "", sep="\n")
    for cell in given.cell:
        sizes = Sizes(cell=cell)
        recipe = replace(OURS[cell], epochs=given.epochs, windows=WINDOWS, seed=given.seed)
        plain = textbook(sizes, given.epochs, given.seed)
        with tempfile.TemporaryDirectory() as folder:
            trained = asyncio.run(ours(sizes, recipe, given.threads, Path(folder)))
        show(cell, plain, trained)


def show(cell: CellName, plain: Result, trained: Result) -> None:
    """Seconds, errors and how many times faster."""
    for name, result in (("textbook", plain), ("ours", trained)):
        errors = {kind: [round(e, 3) for e in result.errors[kind]] for kind in KINDS}
        seconds = f"{result.seconds:7.1f} s ({result.started:.1f} with its start, CPU {result.cpu:.1f})"
        print(f"{cell:5} {name:9} {seconds}  E {errors}")
    ratios = plain.seconds / trained.seconds, plain.seconds / trained.started, plain.cpu / trained.cpu
    print("{:5} ratio     {:7.2f}   ({:.2f} with its start, CPU {:.2f})".format(cell, *ratios), flush=True)


if __name__ == "__main__":
    main()
