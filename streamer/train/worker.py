"""The training process: a request on standard input, progress and candidates on standard output, as JSON lines.

It reads the rolling buffer from the journal, read-only, and writes nothing. It ends when its standard input closes:
that is how it learns that the daemon is gone.
"""

import base64
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from streamer.errors import StreamerError, TrainingFailed
from streamer.ingest.grid import segments
from streamer.models import KINDS, Kind, Network, Sizes, Traditional
from streamer.records import Floats, Recipe
from streamer.state.scale import LIMIT, spread
from streamer.store.journal import Journal
from streamer.store.models import ModelRow, newest_model
from streamer.train.failures import reason_of
from streamer.train.fit import Beat, error, fit, persistence_error
from streamer.train.tune import tune
from streamer.train.weights import dump, network_of
from streamer.train.windows import Buffer, Carry

BEAT_SECONDS = 1.0
"""Least time between two signs of life."""

Report = Callable[[dict[str, Any]], None]
Scales = dict[int, tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Request:
    """What to train: plain values, so that it crosses to the process as JSON.

    series: the ids of the series to train on, in the order in which they are taken until `most` ticks are together.
    """

    directory: str
    stream: str
    series: list[int]
    most: int
    window: int
    max_gap: int
    held_out: float
    device: str
    threads: int
    sizes: Sizes
    recipe: Recipe

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Request":
        nested = {"sizes": Sizes(**document["sizes"]), "recipe": Recipe(**document["recipe"])}
        return cls(**{**document, **nested})


def heart(report: Report) -> Beat:
    """What reports a sign of life, now and then; the training itself calls it, so that a hung one falls silent."""
    last = time.monotonic()

    def beat() -> None:
        nonlocal last
        if time.monotonic() - last >= BEAT_SECONDS:
            last = time.monotonic()
            report({"event": "alive"})

    return beat


def train(request: Request, report: Report) -> None:
    """Both networks on the stream's buffer: reports each epoch, and each candidate as soon as it is there.

    Raises TrainingFailed: no_data, no_device.
    """
    device = choose_device(request.device)
    report({"event": "start", "device": device.type})
    journal = Journal.read(Path(request.directory))
    raw = read_buffer(journal, request)
    scales = measure(raw, request.held_out)
    buffer = scaled(raw, scales, request.held_out, device)
    sizes = request.sizes
    origins = buffer.origins(sizes.m, sizes.horizon, request.recipe.origins)
    if not len(buffer.starts(sizes.m, sizes.k)):
        raise TrainingFailed("no_data", "no series has m + k ticks without a long gap before its held-out part")
    if len(origins) < 2:
        raise TrainingFailed("no_data", "no series has more than k·p ticks without a long gap in its held-out part")
    choosing, gate = origins[: len(origins) // 2], origins[len(origins) // 2 :]
    naive = persistence_error(buffer, gate, sizes.horizon)
    report({"event": "buffer", "ticks": len(buffer.x), "series": len(raw)})
    for kind in KINDS:
        network = learn(kind, request, buffer, choosing, report)
        if network is None:
            continue
        live = newest_model(journal, request.stream, kind, sizes)
        report(
            {
                "event": "candidate",
                "kind": kind,
                "e_p": settled_error(network, buffer, gate),
                "e_p_live": live and live_error(live, sizes, raw, scales, request.held_out, gate),
                "e_p_persistence": naive,
                "scales": {ident: (mean.tolist(), sd.tolist()) for ident, (mean, sd) in scales.items()},
                "weights": base64.b64encode(dump(network.state_dict())).decode(),
            }
        )


def learn(kind: Kind, request: Request, buffer: Buffer, origins: torch.Tensor, report: Report) -> Network | None:
    """The network of the epoch that is best at the origins, its decoder tuned if asked; None where it diverged."""
    recipe, beat = request.recipe, heart(report)

    def progress(epoch: int, e_p: float) -> None:
        report({"event": "progress", "kind": kind, "epoch": epoch, "epochs": recipe.epochs, "e_p": e_p})

    network, best = fit(kind, request.sizes, buffer, origins, recipe, progress, beat)
    if not np.isfinite(best):
        report({"event": "diverged", "kind": kind})
        return None
    if recipe.tune_decoder and isinstance(network, Traditional):
        network, before, after = tune(network, buffer, origins, recipe, beat)
        report({"event": "tuned", "kind": kind, "before": before, "e_p": after})
    return network


def choose_device(wanted: str) -> torch.device:
    """auto is cuda where torch finds it."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    elif wanted == "cuda" and not torch.cuda.is_available():
        raise TrainingFailed("no_device", "training.device is cuda, but torch finds no GPU; set it to auto")
    return torch.device(wanted)


def read_buffer(journal: Journal, request: Request) -> dict[int, list[Floats]]:
    """Segments [T, d] of the series, by id, in their own units, until there are enough ticks."""
    need = request.sizes.m + request.sizes.k
    raw: dict[int, list[Floats]] = {}
    ticks_read = 0
    for ident in request.series:
        ticks, values = journal.newest(ident, request.window)
        kept = [part for part in segments(ticks, values, request.max_gap) if len(part) >= need]
        if kept:
            raw[ident] = kept
            ticks_read += sum(map(len, kept))
        if ticks_read >= request.most:
            break
    if not raw:
        raise TrainingFailed("no_data", f"no series has {need} ticks without a long gap")
    return raw


def split_of(parts: list[Floats], held_out: float) -> list[int]:
    """Where validation begins in each segment of a series: the newest share of all its ticks is held out."""
    begin = round((1 - held_out) * sum(map(len, parts)))
    splits = []
    for part in parts:
        splits.append(min(max(begin, 0), len(part)))
        begin -= len(part)
    return splits


def measure(raw: dict[int, list[Floats]], held_out: float) -> Scales:
    """Mean and standard deviation of each series, of the part that is trained on."""
    scales = {}
    for ident, parts in raw.items():
        trained = np.concatenate([part[:split] for part, split in zip(parts, split_of(parts, held_out), strict=True)])
        mean = np.nanmean(trained, 0)
        scales[ident] = mean, spread(np.nanvar(trained, 0), mean)
    return scales


def scaled(raw: dict[int, list[Floats]], scales: Scales, held_out: float, device: torch.device) -> Buffer:
    """All series as one buffer."""
    parts, splits = [], []
    for ident, whole in raw.items():
        mean, sd = scales[ident]
        parts += [((part - mean) / sd).clip(-LIMIT, LIMIT).astype(np.float32) for part in whole]
        splits += split_of(whole, held_out)
    return Buffer.of(parts, splits, device)


def settled_error(network: Network, buffer: Buffer, origins: torch.Tensor, units: torch.Tensor | None = None) -> float:
    """E_p of a network on its own, after a pass along the buffer for its states to settle."""
    carry = Carry(buffer)
    carry.states(network, origins)
    return error(network, buffer, carry, origins, units)


def live_error(
    live: ModelRow, sizes: Sizes, raw: dict[int, list[Floats]], scales: Scales, held_out: float, origins: torch.Tensor
) -> float:
    """E_p of the live network under its own scales, in the units of the candidate's, so that the two compare."""
    own = {ident: live.scales.get(ident, scale) for ident, scale in scales.items()}
    buffer = scaled(raw, own, held_out, origins.device)
    ratios = [
        np.broadcast_to(own[ident][1] / scales[ident][1], part.shape) for ident, parts in raw.items() for part in parts
    ]
    units = torch.from_numpy(np.concatenate(ratios).astype(np.float32)).to(origins.device)
    return settled_error(network_of(live.kind, sizes, live.weights).to(origins.device), buffer, origins, units)


def main(work: Callable[[Request, Report], None] = train) -> None:
    """Train (or `work` on) what the request asks for; exit code 0 even where nothing came of it, which a line says."""
    logging.captureWarnings(True)
    os.nice(10)
    lines = own_output()
    request = Request.of(json.loads(sys.stdin.readline()))
    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(request.threads)

    def say(document: dict[str, Any]) -> None:
        lines.write(json.dumps(document) + "\n")
        lines.flush()

    try:
        work(request, say)
        say({"event": "end"})
    except (StreamerError, MemoryError, RuntimeError) as error:
        reason = reason_of(error)
        if reason is None:
            raise
        say({"event": "failed", "reason": reason, "detail": str(error)})


def own_output() -> TextIO:
    """Standard output for this module alone: whatever a library prints goes to standard error."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return lines


def end_with_parent() -> None:
    """Standard input stays open as long as the daemon lives."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
