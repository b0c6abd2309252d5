"""Admitted candidates in, live banks out: their states warmed from the journal while the fast lane runs on."""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from streamer.ingest.grid import Series, segments
from streamer.lane import Lane
from streamer.models import KINDS, Kind
from streamer.records import Candidate
from streamer.state.bank import TILE, Bank
from streamer.state.scale import Scale
from streamer.store.journal import Journal, ModelRow
from streamer.train.weights import dump, network_of, parse
from streamer.train.worker import fingerprint

WARM_WINDOWS = 4
"""States are warmed on this many times m ticks, well past what a trained network remembers."""
TURNS = 10
"""Turns of the event loop over which new banks catch up, half of what waits in each; the rest goes at once."""


async def promote(
    lane: Lane, candidates: Sequence[Candidate], preferred: Kind | None, journal: Journal, now: float
) -> int:
    """Warm the candidates' states, let them catch up with the samples that came meanwhile, put them live: the version.

    No sample waits for it: the fast lane goes on with the networks it has until the one assignment at the end.
    """
    version = journal.newest_version(lane.stream.name) + 1
    lane.backlog = deque()
    try:
        banks = {c.kind: bank_of(c, version, lane) for c in candidates}
        swap = await warmed(list(banks.values()), lane, journal)
        for turn in range(TURNS, -1, -1):
            for _ in range(len(lane.backlog) // 2 if turn else len(lane.backlog)):
                wave = lane.backlog.popleft()
                for bank in banks.values():
                    bank.grow(len(lane.newest))
                    bank.step(wave.rows, wave.x, wave.fresh)
            if turn:
                await asyncio.sleep(0)
    finally:
        lane.backlog = None
    last = {series.ident: (swap.get(series.ident, (0, 0))[0], series.tick) for series in lane.series}
    for c in candidates:
        errors = {c.kind: c.e_p, "persistence": c.e_p_persistence}
        row = ModelRow(c.kind, version, now, last, errors, c.scales, c.weights)
        journal.add_model(lane.stream.name, row, fingerprint(lane.sizes))
    lane.go_live(banks, preferred, dict.fromkeys(banks, now))
    return version


def bank_of(source: Candidate | ModelRow, version: int, lane: Lane) -> Bank:
    """A bank with these weights and scales, all states zero, room for the lane's series."""
    scale = Scale(lane.sizes.d, lane.stream.retrain.minimum)
    bank = Bank(network_of(source.kind, lane.sizes, source.weights), scale, version)
    bank.grow(len(lane.newest))
    row_of = {series.ident: series.row for series in lane.series}
    bank.scale.fix({row_of[ident]: scale for ident, scale in source.scales.items() if ident in row_of})
    return bank


async def warmed(banks: list[Bank], lane: Lane, journal: Journal) -> dict[int, tuple[int, int]]:
    """Run the newest samples of each series through the banks, in a thread that ends when this is cancelled.

    Returns series id -> (first tick, last tick) of what each was warmed on.
    """
    series, upto = list(lane.series), {one.row: one.tick for one in lane.series}
    halt = threading.Event()

    def warm_all() -> dict[int, tuple[int, int]]:
        reader = Journal.read(journal.path.parent)
        try:
            spans = {}
            for begin in range(0, len(series), TILE):
                spans.update(warm(banks, series[begin : begin + TILE], upto, lane, reader, halt))
            return spans
        finally:
            reader.close()

    try:
        return await asyncio.to_thread(warm_all)
    finally:
        halt.set()


def warm(
    banks: list[Bank], series: list[Series], upto: dict[int, int], lane: Lane, journal: Journal, halt: threading.Event
) -> dict[int, tuple[int, int]]:
    """One tile of series up to their ticks in `upto`, tick by tick, their newest ticks side by side."""
    tails, spans = {}, {}
    for one in series:
        ticks, values = journal.newest(one.ident, WARM_WINDOWS * lane.sizes.m, upto[one.row])
        if len(ticks):
            *_, tails[one.row] = segments(ticks, values, lane.stream.max_gap)
            spans[one.ident] = int(ticks[-1]) - len(tails[one.row]) + 1, int(ticks[-1])
    longest = max(map(len, tails.values()), default=0)
    for back in range(longest, 0, -1):
        if halt.is_set():
            break
        rows = [row for row, tail in tails.items() if len(tail) >= back]
        x = np.stack([tails[row][-back] for row in rows])
        fresh = np.array([len(tails[row]) == back for row in rows])
        for bank in banks:
            bank.step(np.array(rows, np.int64), x, fresh)
    return spans


def snapshot(lane: Lane, bank: Bank) -> bytes:
    """A bank's states and scales as safetensors, rows in the order of `ids`; `ticks` says up to which sample."""
    rows = len(lane.series)
    tensors: dict[str, Tensor] = {
        "ids": torch.tensor([series.ident for series in lane.series]),
        "ticks": torch.tensor([series.tick for series in lane.series]),
        "s": bank.s[:rows],
        "count": torch.from_numpy(bank.scale.count[:rows]),
        "mean": torch.from_numpy(bank.scale.mean[:rows]),
        "m2": torch.from_numpy(bank.scale.m2[:rows]),
    }
    return dump(tensors)


async def restore(lane: Lane, journal: Journal) -> None:
    """Put the journal's networks into a lane that knows its series, states as at a clean stop, or else warmed anew."""
    rows = [journal.newest_model(lane.stream.name, kind, fingerprint(lane.sizes)) for kind in KINDS]
    known = [row for row in rows if row is not None]
    if not known:
        return
    banks = {row.kind: bank_of(row, row.version, lane) for row in known}
    saved = {row.kind: journal.snapshot(lane.stream.name, row.kind, row.version) for row in known}
    cold = [bank for kind, bank in banks.items() if not resume(bank, lane, saved[kind])]
    if cold:
        await warmed(cold, lane, journal)
    lane.go_live(banks, prefer_live(known), {row.kind: row.created for row in known})
    lane.trained = True
    for series in lane.series:
        since = series.tick - max(row.swap.get(series.ident, (0, -1))[1] for row in known)
        series.trained = max(0, series.held - since)
        lane.growth = max(lane.growth, series.held - series.trained)


def prefer_live(rows: Sequence[ModelRow]) -> Kind | None:
    """Who won at the gate when these went live, as `gate.prefer` says of candidates."""
    best = min(rows, key=lambda row: row.errors[row.kind])
    return best.kind if best.errors[best.kind] < best.errors["persistence"] else None


def resume(bank: Bank, lane: Lane, snapshot: bytes | None) -> bool:
    """Take over a snapshot, if there is one and it stands at the very samples that the journal ends with."""
    if snapshot is None:
        return False
    saved = parse(snapshot)
    ids, ticks = saved["ids"].tolist(), saved["ticks"].tolist()
    if ids != [series.ident for series in lane.series] or ticks != [series.tick for series in lane.series]:
        return False
    rows = len(ids)
    bank.s[:rows] = saved["s"]
    for name in ("count", "mean", "m2"):
        getattr(bank.scale, name)[:rows] = saved[name].numpy()
    return True
