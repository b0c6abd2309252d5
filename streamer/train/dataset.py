"""A request in, the data of a training out: the rolling buffer, read once from the journal for both networks."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from streamer.errors import TrainingFailed
from streamer.forecast.guard import as_learned
from streamer.forecast.scale import LIMIT, running_units, spread
from streamer.ingest.grid import Grid, Stretch, stretches
from streamer.models import KINDS, Kind
from streamer.records import Floats, Ints
from streamer.store.journal import Journal
from streamer.store.outcomes import NetworkRow, newest_network
from streamer.train.known import Known
from streamer.train.request import Request
from streamer.train.windows import Buffer

USUAL = 0.75
"""Share of the series that have no more than any series may contribute."""

Scales = dict[int, tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Dataset:
    """The data of a training.

    raw: stretches of each series, by id, in its own units. scales: mean and standard deviation [d] by id.
    buffers: all stretches, scaled, as the network of each kind sees them. choice_origins, gate_origins: the older and
    the newer half of the held-out origins of each series; the best epoch is chosen on the first, the gate compares on
    the second. gate_series: [o] number of the series of each of the latter. live: the newest network of each kind,
    None for none.
    """

    raw: dict[int, list[Stretch]]
    scales: Scales
    buffers: Mapping[Kind, Buffer]
    choice_origins: Tensor
    gate_origins: Tensor
    gate_series: Tensor
    live: Mapping[Kind, NetworkRow | None]


def gather(request: Request, device: torch.device) -> Dataset:
    """Reads the data of a training; raises TrainingFailed (no_data) and StateError."""
    sizes = request.sizes
    with closing(Journal.read(Path(request.directory))) as journal:
        raw = read_buffer(journal, request)
        known = Known(journal, request, {ident: int(parts[0].ticks[0]) for ident, parts in raw.items()})
        live = {kind: newest_network(journal, request.stream, kind, sizes) for kind in KINDS}
    scales = measure(raw, request.held_out)
    buffer = scaled(raw, scales, request.held_out, device)
    buffers: dict[Kind, Buffer] = {"memoryless": buffer, "traditional": buffer}
    if sizes.form == "residual":
        buffers["memoryless"] = running(buffer, raw, scales, request, known)
    origins = buffer.origins(sizes.m, sizes.horizon, request.recipe.origins)
    if not len(buffer.starts(sizes.m, sizes.k)):
        raise TrainingFailed("no_data", "no series has m + k ticks without a long gap before its held-out part")
    if len(origins) < 2:
        raise TrainingFailed("no_data", "no series has more than k·p ticks without a long gap in its held-out part")
    older, owner = halves(origins, raw)
    return Dataset(raw, scales, buffers, origins[older], origins[~older], owner[~older], live)


def halves(origins: Tensor, raw: Mapping[int, list[Stretch]]) -> tuple[Tensor, Tensor]:
    """Which of these origins, at least two, are of the older half of their series; and the number of that series."""
    ends = torch.tensor([sum(len(part.x) for part in parts) for parts in raw.values()]).cumsum(0)
    owner = torch.searchsorted(ends, origins.cpu(), right=True)
    count = torch.bincount(owner, minlength=len(ends))
    place = torch.arange(len(origins)) - (count.cumsum(0) - count)[owner]
    older = 2 * place < count[owner] - 1
    if not older.any():
        older = torch.arange(len(origins)) < len(origins) // 2
    return older.to(origins.device), owner.to(origins.device)


def read_buffer(journal: Journal, request: Request) -> dict[int, list[Stretch]]:
    """Stretches of the series, by id, in their own units; stops once `request.most` ticks are read.

    Their values are what the networks of the daemon will see: the guard's, as after the last of them (guard.py).
    Of each series that is at most `request.window` ticks, also those without a sample, and no more than `fair` leaves.
    """
    need, grid = request.sizes.m + request.sizes.k, Grid(request.interval, request.max_gap, request.fill)
    raw: dict[int, list[Stretch]] = {}
    ticks_read = 0
    for ident in request.series:
        ticks, times, values = journal.dated(ident, request.window)
        first = len(ticks) - within(ticks, request.window, request.max_gap, fill=request.fill)
        values = as_learned(values, request.interval)
        kept = [part for part in stretches(ticks[first:], times[first:], values[first:], grid) if len(part.x) >= need]
        if kept:
            raw[ident] = kept
            ticks_read += sum(len(part.x) for part in kept)
        if ticks_read >= request.most:
            break
    if not raw:
        raise TrainingFailed("no_data", f"no series has {need} ticks without a long gap")
    return fair(raw, need)


def within(ticks: Ints, window: int, max_gap: int, *, fill: bool = False) -> int:
    """How many of the newest samples span at most `window` ticks.

    A gap that is too long to be bridged counts as one tick; one to be filled, as far as it is filled.
    """
    advance, too_long = np.diff(ticks)[::-1], max_gap + 1 if fill else 1
    return 1 + int(np.count_nonzero(np.cumsum(np.where(advance > max_gap + 1, too_long, advance)) < window))


def fair(raw: Mapping[int, list[Stretch]], need: int) -> dict[int, list[Stretch]]:
    """The newest of each series: no more samples, and no more ticks, than three quarters of the series have.

    One that sends more often, or so rarely that nearly all its ticks are bridged, would crowd the others out.
    Segments of fewer than `need` ticks are left out.
    """
    samples = {ident: np.concatenate([~np.isnan(part.x[:, 0]) for part in parts]) for ident, parts in raw.items()}
    most_samples, most_ticks = (
        int(np.quantile([count(here) for here in samples.values()], USUAL, method="higher")) for count in (np.sum, len)
    )
    kept = {}
    for ident, parts in raw.items():
        newer = np.cumsum(samples[ident][::-1])[::-1]  # samples from each tick on
        first = max(len(newer) - most_ticks, int(np.count_nonzero(newer > most_samples)))
        cuts = first - np.cumsum([0, *(len(part.x) for part in parts[:-1])])
        newest = [part.after(max(0, cut)) for part, cut in zip(parts, cuts.tolist(), strict=True)]
        kept[ident] = [part for part in newest if len(part.x) >= need]
    return {ident: parts for ident, parts in kept.items() if parts}


def split_of(parts: list[Stretch], held_out: float) -> list[int]:
    """Index at which the held-out part begins in each segment of a series: `held_out` is its share of all ticks."""
    begin = round((1 - held_out) * sum(len(part.x) for part in parts))
    splits = []
    for part in parts:
        splits.append(min(max(begin, 0), len(part.x)))
        begin -= len(part.x)
    return splits


def measure(raw: dict[int, list[Stretch]], held_out: float) -> Scales:
    """Mean and standard deviation of each series before its held-out part, or of all of it if no sample is before."""
    scales = {}
    for ident, parts in raw.items():
        trained = np.concatenate([part.x[:split] for part, split in zip(parts, split_of(parts, held_out), strict=True)])
        known = trained[~np.isnan(trained).any(1)]
        if not len(known):
            whole = np.concatenate([part.x for part in parts])
            known = whole[~np.isnan(whole).any(1)]
        step = known - known[0]  # of a constant 0, where sums of its values are rounded
        mean = known[0] + step.mean(0)
        scales[ident] = mean, spread(step.var(0), mean)
    return scales


def scaled(raw: dict[int, list[Stretch]], scales: Scales, held_out: float, device: torch.device) -> Buffer:
    """All segments, scaled, as one buffer."""
    parts, splits = [], []
    for ident, whole in raw.items():
        mean, sd = scales[ident]
        parts += [((part.x - mean) / sd).clip(-LIMIT, LIMIT).astype(np.float32) for part in whole]
        splits += split_of(whole, held_out)
    return Buffer.of(parts, splits, device)


def running(buffer: Buffer, raw: dict[int, list[Stretch]], scales: Scales, request: Request, told: Known) -> Buffer:
    """The buffer as a network sees it that predicts changes: in running units, with known inputs of the next tick, and
    covariates as they were known."""
    sizes = request.sizes
    units, inputs, ahead = [], [], []
    for ident, parts in raw.items():
        mean, sd = scales[ident]
        whole = np.concatenate([part.x for part in parts])
        units.append(np.stack(running_units(((whole - mean) / sd).clip(-LIMIT, LIMIT))))
        waves = [told.waves.next(part.ticks, part.dated(request.interval or 0.0)) for part in parts]
        following, later = told.covariates(ident, np.concatenate([part.ticks for part in parts]))
        inputs.append(np.concatenate([np.concatenate(waves), following], 1))
        ahead.append(later)
    both = np.concatenate(units, 1)
    known = np.concatenate(ahead) if request.covariates else None
    return buffer.seen_in(both[0], both[1], np.concatenate(inputs), sizes.horizon, known)
