"""What a GPU is good for: the same trainings on it and on the CPU beside it, each part in a process of its own.

`python -m tests.benchmarks.gpu --quick` takes less than four minutes on a GPU; `--device cpu --tiny` shows anywhere
that the script works. Every finding is a line of JSON as soon as it is there; `--out FILE` keeps them. A part that
fails leaves the others their turn.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from streamer.errors import TrainingFailed
from streamer.models import KINDS, Network, Sizes, build
from streamer.records import RECIPES, Kind, Recipe
from streamer.tools.bench.machine import cores, describe
from streamer.train.fit import Epoch, draw, fit, residuals, window_loss
from streamer.train.graph import Repeated
from streamer.train.windows import Buffer, Carry
from tests.benchmarks import retraining
from tests.benchmarks.retraining import HELD_OUT, WINDOWS, measured, ours, signals, tests, textbook

Finding = dict[str, Any]
LSTM, RNN, GRU = Sizes(cell="lstm"), Sizes(cell="rnn"), Sizes(cell="gru")
DEEP = 1e-3
"""Relative difference of gradients that single precision allows after 80 steps in another order of summation."""


class Given(argparse.Namespace):
    """The command line."""

    device: str
    quick: bool
    tiny: bool
    part: str | None
    out: Path | None

    @property
    def target(self) -> torch.device:
        return torch.device(self.device)


def buffer_of(seed: int, device: torch.device) -> tuple[Buffer, torch.Tensor]:
    """Both waves in units of their deviation, and what it is."""
    waves = signals(seed)
    sd = waves.std(1, keepdim=True)
    parts = [part[:, None] for part in (waves / sd).numpy().astype(np.float32)]
    return Buffer.of(parts, [round(len(part) * (1 - HELD_OUT)) for part in parts], device), sd


def synchronize(device: torch.device) -> None:
    """Wait until the GPU has done what it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def found(given: Given) -> Iterator[Finding]:
    """The machine."""
    yield describe()
    if given.target.type == "cuda":
        properties = torch.cuda.get_device_properties(0)
        yield {
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "multiprocessors": properties.multi_processor_count,
            "memory_gib": round(properties.total_memory / 2**30, 1),
        }


def correct(given: Given) -> Iterator[Finding]:
    """Loss and gradients of one batch against the CPU's, each cell and kind, with and without TF32."""
    for exact in (True, False):
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = not exact
        for sizes in (LSTM, RNN, GRU):
            for kind in KINDS:
                values = []
                for device in (torch.device("cpu"), given.target):
                    torch.manual_seed(0)
                    network = build(kind, sizes)
                    network.to(device)
                    buffer, _ = buffer_of(0, device)
                    starts = torch.arange(0, 1280, 20, device=device)
                    loss = window_loss(network, buffer, starts, network.zero_state(64), sizes.k)
                    gradients = torch.autograd.grad(loss, list(network.parameters()))
                    values.append((loss.item(), torch.cat([part.cpu().ravel() for part in gradients])))
                (a, g), (b, other) = values
                off = float((g - other).norm() / g.norm())
                yield {
                    "tf32": not exact,
                    "cell": sizes.cell,
                    "kind": kind,
                    "loss_off": abs(a - b) / a,
                    "gradient_off": off,
                    "holds": off < DEEP or not exact,
                }


def trained(sizes: Sizes, recipe: Recipe, device: torch.device) -> Finding:
    """Both networks as the worker trains them: seconds, and E over k and k·p on fresh waves."""
    buffer, sd = buffer_of(recipe.seed, device)
    origins = buffer.origins(sizes.m, sizes.horizon, recipe.origins)
    networks: dict[Kind, Network] = {}

    begun = time.perf_counter()
    for kind in KINDS:
        networks[kind], _ = fit(kind, sizes, buffer, origins[: len(origins) // 2], recipe, lambda *_: None)
    synchronize(device)
    seconds = time.perf_counter() - begun
    x, truth = tests(sizes, recipe.seed)
    unit = sd.repeat_interleave(len(x) // 2, 0)[:, :, None].to(device)
    errors = {}
    for kind in KINDS:
        network = networks[kind].requires_grad_(False)
        s = network.run(x.to(device) / unit, network.zero_state(len(x)))
        errors[kind] = [round(e, 4) for e in measured((network.forecast(s, sizes.horizon) * unit).cpu(), truth, sizes)]
    return {
        "cell": sizes.cell,
        "batch": recipe.batch,
        "rate": recipe.learning_rate,
        "seed": recipe.seed,
        "seconds": round(seconds, 2),
        "E": errors,
    }


RATES: dict[str, list[tuple[int, float]]] = {
    "lstm": [(64, 5e-3), (256, 7e-3), (512, 1e-2)],
    "rnn": [(256, 3e-3), (512, 5e-3)],
    "gru": [(256, 7e-3)],
}
"""Batches and peak rates that are tried."""


def training(given: Given) -> Iterator[Finding]:
    """A training of both networks: 8,000 windows, 50 epochs; the first one warms the device up."""
    yield {"warm_up": trained(LSTM, recipe_of(LSTM, given, epochs=2), given.target)["seconds"]}
    for sizes in (LSTM, RNN, GRU):
        for batch, rate in RATES[sizes.cell][:1] if given.tiny else RATES[sizes.cell]:
            for seed in (0,) if given.quick or given.tiny else (0, 1, 2):
                recipe = recipe_of(sizes, given, batch=batch, learning_rate=rate, seed=seed)
                yield trained(sizes, recipe, given.target)
    if given.target.type == "cuda":
        yield {"memory_mib": round(torch.cuda.max_memory_reserved() / 2**20)}


def recipe_of(sizes: Sizes, given: Given, **changes: Any) -> Recipe:
    """The daemon's recipe with as many windows as the textbook's loop has."""
    fewer = {"windows": 320, "epochs": 1} if given.tiny else {"windows": WINDOWS}
    return replace(RECIPES[sizes.cell], **{**fewer, **changes})


def by_part(given: Given) -> Iterator[Finding]:
    """Microseconds of what a training consists of."""
    device = given.target
    buffer, _ = buffer_of(0, device)
    for sizes in (LSTM, RNN):
        for kind in KINDS:
            for batch in (64, 256):
                recipe = recipe_of(sizes, given, batch=batch, epochs=200)
                row = {"cell": sizes.cell, "kind": kind, "batch": batch}
                parts_of(kind, sizes, buffer, recipe, row)
                yield row


def parts_of(kind: Kind, sizes: Sizes, buffer: Buffer, recipe: Recipe, row: Finding) -> None:
    """Adds to the row what each part takes, alone and repeated."""
    device = buffer.x.device
    torch.manual_seed(0)
    network = build(kind, sizes).to(device)
    epoch, carry = Epoch(network, buffer, recipe, LSTM.k), Carry(network, buffer)
    starts, s = buffer.starts(sizes.m, sizes.k)[: recipe.batch], network.zero_state(recipe.batch)
    x = buffer.x[starts[:, None] + torch.arange(sizes.m, device=device)]
    weights = list(network.parameters())
    origins = buffer.origins(sizes.m, sizes.horizon, 500)
    reached = network.zero_state(len(origins))
    chosen = draw(buffer.starts(sizes.m, sizes.k), recipe)
    zero = s.new_zeros(len(chosen), s.shape[1])

    def gradient(loss: torch.Tensor) -> None:
        torch.autograd.grad(loss, weights, allow_unused=True)

    class Part(Repeated):
        def __init__(self, work: Callable[[], None]) -> None:
            super().__init__(device)
            self.once = work

        def work(self) -> None:
            self.once()

    works: dict[str, Callable[[], None]] = {
        "window": lambda: gradient(network.run(x, s).square().mean()),
        "closed_loop": lambda: gradient(network.forecast(s, sizes.k).square().mean()),
        "gradient": lambda: gradient(window_loss(network, buffer, starts, s, sizes.k)),
        "optimiser": lambda: epoch.adam.step(sum((w.square().sum() for w in weights), s.new_zeros(()))),
    }
    for name, work in works.items():
        row[name] = microseconds(Part(work).repeat, device)
        epoch.adam.done.zero_()
    row["step"] = microseconds(lambda: epoch.run(chosen, zero, lambda: None), device, 1) / recipe.steps
    row["pass"] = microseconds(lambda: carry.states(origins), device, 5)
    row["error"] = microseconds(lambda: residuals(network, buffer, origins, reached), device, 5)


def microseconds(work: Callable[[], object], device: torch.device, times: int = 20) -> float:
    """Mean duration of a call."""
    for _ in range(5 if device.type == "cuda" else 1):
        work()
    synchronize(device)
    begun = time.perf_counter()
    for _ in range(times):
        work()
    synchronize(device)
    return round((time.perf_counter() - begun) / times * 1e6, 1)


def sizes_of(given: Given) -> Iterator[Finding]:
    """Microseconds of a step by neurons and batch, memoryless LSTM; both grow until the device is full."""
    device = given.target
    buffer, _ = buffer_of(0, device)
    neurons, batches = ((16, 32), (64,)) if given.tiny else ((50, 128, 256, 512), (64, 512, 2048, 8192))
    for n in neurons:
        for batch in batches:
            recipe = replace(RECIPES["lstm"], batch=batch, windows=batch * 5, epochs=200)
            yield {"n": n, "batch": batch, "step": step_time(Sizes(cell="lstm", n=n), buffer, recipe)}
            torch.cuda.empty_cache()


def step_time(sizes: Sizes, buffer: Buffer, recipe: Recipe) -> float:
    """Microseconds of a step of training."""
    network = build("memoryless", sizes).to(buffer.x.device)
    epoch, chosen = Epoch(network, buffer, recipe, LSTM.k), draw(buffer.starts(sizes.m, sizes.k), recipe)
    initial = buffer.x.new_zeros(len(chosen), network.state_size)
    work = partial(epoch.run, chosen, initial, lambda: None)
    return round(microseconds(work, buffer.x.device, 4) / recipe.steps, 1)


def many(given: Given) -> Iterator[Finding]:
    """Epochs of several streams' networks side by side, each network's steps in a CUDA stream of its own.

    The daemon trains one stream after the other; this shows what it would gain by training them at once.
    """
    device = given.target
    buffer, _ = buffer_of(0, device)
    recipe = recipe_of(LSTM, given, batch=256, epochs=10)
    starts, epochs = buffer.starts(LSTM.m, LSTM.k), 1 if given.tiny else 3
    for streams in (1, 2) if given.tiny else (1, 8, 64):
        networks = [build(kind, LSTM).to(device) for kind in KINDS for _ in range(streams)]
        works = [(Epoch(network, buffer, recipe, LSTM.k), Carry(network, buffer)) for network in networks]
        chosen = draw(starts, recipe)
        begun = 0.0
        for done in range(4 + epochs):
            if done == 4:  # all is recorded
                synchronize(device)
                begun = time.perf_counter()
            for epoch, carry in works:
                with torch.cuda.stream(epoch.stream):
                    epoch.run(chosen, carry.states(chosen), lambda: None)
        synchronize(device)
        seconds = (time.perf_counter() - begun) / epochs
        yield {"streams": streams, "epoch_seconds": round(seconds, 4), "of_50": round(seconds * 50, 2)}


def worker(given: Given) -> Iterator[Finding]:
    """The daemon's training process on a journal, with its start, on the device and on the CPU."""
    for device in [given.device] if given.quick else dict.fromkeys((given.device, "cpu")):
        with tempfile.TemporaryDirectory() as folder:
            recipe = recipe_of(LSTM, given)
            result = asyncio.run(ours(LSTM, recipe, cores() - 1 or 1, Path(folder), device))
        yield {
            "device": device,
            "seconds": round(result.seconds, 2),
            "with_start": round(result.started, 2),
            "cpu_seconds": round(result.cpu, 1),
            "E": result.errors,
        }


def loop(given: Given) -> Iterator[Finding]:
    """The textbook's loop on the CPU; few epochs, from which 50 are reckoned."""
    torch.set_num_threads(1 if given.tiny else min(8, cores()))
    epochs = 1 if given.tiny else 3
    for sizes in (LSTM, RNN):
        seconds = textbook(sizes, epochs, 0).seconds
        reckoned = round(seconds * 50 / epochs, 1)
        yield {"cell": sizes.cell, "epochs": epochs, "seconds": round(seconds, 2), "of_50": reckoned}


def threads(given: Given) -> Iterator[Finding]:
    """The training process on the CPU by its number of threads."""
    for sizes in (LSTM, RNN):
        recipe = recipe_of(sizes, given, **({} if given.tiny else {"epochs": 3, "windows": 6400}))
        for count in sorted({2, 4, cores()}):
            if count <= cores():
                with tempfile.TemporaryDirectory() as folder:
                    result = asyncio.run(ours(sizes, recipe, count, Path(folder)))
                yield {"cell": sizes.cell, "threads": count, "seconds": round(result.seconds, 2), "cpu": result.cpu}


def trouble(given: Given) -> Iterator[Finding]:
    """What the daemon is told when the GPU's memory is taken by another process, and when there is no GPU for it."""
    hog = None
    if given.target.type == "cuda":
        free, _ = torch.cuda.mem_get_info()
        hog = torch.empty(free - 300 * 2**20, dtype=torch.uint8, device=given.target)
    yield {"case": "memory taken", **failure(given, "cuda")}
    del hog
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    yield {"case": "no GPU visible, cuda", **failure(given, "cuda")}
    yield {"case": "no GPU visible, auto", **failure(given, "auto")}


def failure(given: Given, device: str) -> Finding:
    """How a short training on this device ends."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = recipe_of(LSTM, given, epochs=1, windows=320)
        try:
            asyncio.run(ours(LSTM, recipe, 1, Path(folder), device))
        except TrainingFailed as failed:
            return {"reason": failed.reason, "device": failed.device, "text": str(failed)[:300]}
    return {"reason": None}


PARTS: dict[str, Callable[[Given], Iterator[Finding]]] = {
    "found": found,
    "correct": correct,
    "training": training,
    "worker": worker,
    "parts": by_part,
    "many": many,
    "sizes": sizes_of,
    "textbook": loop,
    "threads": threads,
    "trouble": trouble,
}


def main() -> int:
    """Runs one part here, or all of them in processes of their own; 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="one seed each")
    parser.add_argument("--tiny", action="store_true", help="little data: that the script works, no figures")
    parser.add_argument("--part", nargs="+", choices=list(PARTS), help="these alone")
    parser.add_argument("--here", action="store_true", help="in this process")
    parser.add_argument("--out", type=Path, help="file that the lines are appended to")
    given = parser.parse_args(namespace=Given())
    names = given.part or list(PARTS)
    if given.here:
        if given.device == "cpu":
            torch.set_num_threads(1)
        if given.tiny:
            retraining.TICKS, retraining.WINDOWS, retraining.TESTED = 2_000, 320, 100
        for name in names:
            for finding in PARTS[name](given):
                print(json.dumps({"part": name, **finding}), flush=True)
        return 0
    return max([apart(name, given) for name in names])


def apart(name: str, given: Given) -> int:
    """One part in a process of its own; its lines go to standard output and to the file."""
    flags = [flag for flag in ("quick", "tiny") if getattr(given, flag)]
    command = [sys.executable, "-m", __spec__.name, "--here", "--part", name, "--device", given.device]
    begun, lines = time.perf_counter(), []
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"} if given.device == "cpu" else None
    command += [f"--{flag}" for flag in flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    end = json.dumps({"part": name, "code": process.returncode, "seconds": round(time.perf_counter() - begun, 1)})
    print(end, flush=True)
    if given.out:
        with given.out.open("a", encoding="utf-8") as file:
            file.writelines([*lines, end + "\n"])
    return 1 if process.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
