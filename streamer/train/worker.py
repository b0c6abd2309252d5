"""The training process: a request on standard input, progress and candidates on standard output, as JSON lines.

It reads the rolling buffer from the journal, read-only, and writes no file. It ends when its standard input closes,
which tells it that the daemon is gone.
"""

import base64
import contextlib
import json
import logging
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from streamer.errors import StreamerError, TrainingFailed
from streamer.models import KINDS, Kind, Network, Residual, Traditional
from streamer.records import Errors
from streamer.store.outcomes import NetworkRow
from streamer.train.dataset import Dataset, gather, scaled
from streamer.train.failures import reason_of
from streamer.train.fit import Beat, beside_persistence, fit, persistence_residuals, root_mean_square, settled
from streamer.train.parallel import run_in_parallel
from streamer.train.request import Request
from streamer.train.starving import when_starving
from streamer.train.tune import tune
from streamer.train.weights import dump, network_of
from streamer.train.windows import Buffer

BEAT_SECONDS = 1.0
"""Least time between two reports that the training is alive."""

Report = Callable[[dict[str, Any]], None]


def heartbeat(report: Report, clock: Callable[[], float] = time.monotonic) -> Beat:
    """Reports now and then that the training is alive; the training loop calls it, so that a hung one falls silent."""
    last = clock()

    def beat() -> None:
        nonlocal last
        if clock() - last >= BEAT_SECONDS:
            last = clock()
            report({"event": "alive"})

    return beat


def train(request: Request, report: Report) -> None:
    """Trains both networks on the stream's buffer; reports each epoch, and each candidate as soon as it is trained.

    On a CPU with a thread for each, both are trained in parallel, otherwise one after the other.
    Raises TrainingFailed: no_data, no_device.
    """
    device = choose_device(request.device)
    if device.type == "cuda" and request.gpu_recipe:
        request = replace(request, recipe=request.gpu_recipe)
    report({"event": "start", "device": device.type})
    dataset = gather(request, device)
    report({"event": "buffer", "ticks": len(dataset.buffers[KINDS[0]].x), "series": len(dataset.raw)})
    works = [partial(candidate, kind, request, dataset, report) for kind in KINDS]
    if device.type == "cpu" and request.threads >= len(works):
        run_in_parallel(works, request.threads_each)
    else:
        torch.set_num_threads(request.threads)
        for work in works:
            work()


def candidate(kind: Kind, request: Request, dataset: Dataset, report: Report) -> None:
    """Trains one network and reports it as a candidate, unless it diverged."""
    network = learn(kind, request, dataset, report)
    if network is None:
        return
    own, live = errors(network, dataset.buffers[kind], dataset), dataset.live[kind]
    report(
        {
            "event": "candidate",
            "kind": kind,
            "errors": asdict(own),
            "live": live and asdict(live_errors(live, request, dataset)),
            "scales": {ident: (mean.tolist(), sd.tolist()) for ident, (mean, sd) in dataset.scales.items()},
            "weights": base64.b64encode(dump(network.state_dict())).decode(),
        }
    )


def learn(kind: Kind, request: Request, dataset: Dataset, report: Report) -> Network | None:
    """Trains one network, and tunes its decoder if the recipe says so; None if it diverged."""
    recipe, beat, live = request.recipe, heartbeat(report), dataset.live[kind]
    buffer, origins = dataset.buffers[kind], dataset.choice_origins
    start = None
    if live and recipe.warm_epochs:
        start, recipe = network_of(kind, request.sizes, live.weights), recipe.warm
    epochs = recipe.epochs * len(recipe.passes)

    def progress(epoch: int, e_p: float) -> None:
        report({"event": "progress", "kind": kind, "epoch": epoch, "epochs": epochs, "e_p": e_p})

    network, best = fit(kind, request.sizes, buffer, origins, recipe, progress, beat, start)
    if not np.isfinite(best):
        report({"event": "diverged", "kind": kind})
        return None
    if recipe.tune_decoder and isinstance(network, Traditional):
        network, before, after = tune(network, buffer, origins, recipe, beat)
        report({"event": "tuned", "kind": kind, "before": before, "e_p": after})
    return network


def choose_device(wanted: str) -> torch.device:
    """The device to train on; auto is cuda if torch finds a GPU. Raises TrainingFailed: no_device."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    elif wanted == "cuda" and not torch.cuda.is_available():
        raise TrainingFailed("no_device", "training.device is cuda, but torch finds no GPU; set it to auto")
    return torch.device(wanted)


def errors(network: Network, buffer: Buffer, dataset: Dataset, units: torch.Tensor | None = None) -> Errors:
    """Those of a network at the origins of the gate; `units` [T, d] are its scale in that of the candidate."""
    origins = dataset.gate_origins
    residual, real = settled(network, buffer, origins, units)
    naive = persistence_residuals(buffer, origins, residual.shape[1])
    if units is not None:
        naive = naive * units[origins].unsqueeze(1)
    ratio = beside_persistence(residual, naive, real, dataset.gate_series)
    return Errors(root_mean_square(residual, real), root_mean_square(naive, real), ratio)


def live_errors(live: NetworkRow, request: Request, dataset: Dataset) -> Errors:
    """Those of the live network, run under its own scales, in the candidate's scaled units, so that the two compare."""
    network = network_of(live.kind, request.sizes, live.weights).to(dataset.gate_origins.device)
    if isinstance(network, Residual):  # running units are the same in every scale
        return errors(network, dataset.buffers[live.kind], dataset)
    raw, scales, device = dataset.raw, dataset.scales, dataset.gate_origins.device
    own = {ident: live.scales.get(ident, scale) for ident, scale in scales.items()}
    buffer = scaled(raw, own, request.held_out, device)
    ratios = [
        np.broadcast_to(own[ident][1] / scales[ident][1], part.x.shape)
        for ident, parts in raw.items()
        for part in parts
    ]
    units = torch.from_numpy(np.concatenate(ratios).astype(np.float32)).to(device)
    return errors(network, buffer, dataset, units)


def main(work: Callable[[Request, Report], None] = train) -> None:
    """Runs `work` on the request; a failure with a known reason is reported as a line, with exit code 0."""
    logging.captureWarnings(True)
    lines = own_output()
    request = Request.of(json.loads(sys.stdin.readline()))
    lower_priority(request.idle)
    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    lock = multiprocessing.get_context("fork").Lock()

    def report(document: dict[str, Any]) -> None:
        with lock:
            lines.write(json.dumps(document) + "\n")
            lines.flush()

    def give_up() -> None:
        report({"event": "failed", "reason": "starved", "detail": "other processes keep the processors busy"})
        os._exit(0)

    if request.idle:
        threading.Thread(target=when_starving, args=(give_up,), daemon=True).start()
    try:
        work(request, report)
        report({"event": "end"})
    except (StreamerError, MemoryError, RuntimeError) as error:
        reason = reason_of(error)
        if reason is None:
            raise
        detail = error.detail if isinstance(error, TrainingFailed) else str(error).partition("\n")[0]
        report({"event": "failed", "reason": reason, "detail": detail})


def lower_priority(idle: bool) -> None:
    """Lets others go first: a training may wait, a sample must not; where memory is short it is this that is killed.

    idle: run only when no other process wants to, on Linux. Else it gets a quarter of a core that another one keeps
    busy. Without a privilege there is no way back from idle, nor from a nicer value.
    """
    os.nice(10 if idle else 5)
    with contextlib.suppress(AttributeError, OSError):  # only Linux has it, and a sandbox may refuse it
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
        if idle:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def own_output() -> TextIO:
    """Standard output for this module only: what a library prints goes to standard error."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return lines


def end_with_parent() -> None:
    """Ends this process once standard input closes, which the daemon holds open as long as it lives."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
