"""Admitted candidates in, live banks out: their states warmed from the journal while the fast lane runs on."""

import asyncio
from collections import deque
from collections.abc import Sequence

from streamer.errors import StateBlocked, TrainingFailed
from streamer.forecast.network import NetworkForecaster
from streamer.models import Kind
from streamer.records import Candidate
from streamer.store.journal import Journal
from streamer.store.models import ModelRow, Span, TrainingOutcome, add_outcome, newest_version
from streamer.stream.state import StreamState
from streamer.swap.warm import forecaster_of, in_reader_thread, warm_newest

TURNS = 10
"""Turns of the event loop over which new banks catch up, half of what waits in each; the rest goes at once."""


async def promote(
    lane: StreamState, candidates: Sequence[Candidate], preferred: Kind | None, journal: Journal, now: float
) -> int:
    """Warm the candidates' states, let them catch up with the samples that came meanwhile, put them live: the version.

    No sample waits for it: the fast lane goes on with the networks it has until the one assignment at the end. With no
    candidate only the preference changes. Raises TrainingFailed: journal, if the swap cannot be written down; retired.
    """
    version = max(lane.version, newest_version(journal, lane.stream.name)) + 1
    rows = tuple(
        ModelRow(c.kind, version, {c.kind: c.e_p, "persistence": c.e_p_persistence}, c.scales, c.weights)
        for c in candidates
    )
    async with lane.lock:
        lane.backlog = deque()
        series, upto = list(lane.series), {one.ident: one.tick for one in lane.series}
        banks = {row.kind: forecaster_of(row, lane) for row in rows}
    try:
        new = list(banks.values())
        firsts = await in_reader_thread(
            journal, lambda reader, halt: warm_newest(new, series, upto, lane, reader, halt)
        )
        for _ in range(TURNS):
            catch_up(new, lane, len(lane.backlog) // 2)
            await asyncio.sleep(0)
        async with lane.lock:
            if lane.retired:
                raise TrainingFailed("retired", "a reload has changed the stream meanwhile")
            catch_up(new, lane, len(lane.backlog))
            spans = {
                one.ident: Span(firsts.get(one.ident, 0), one.tick, one.trained) for one in lane.series if one.tick >= 0
            }
            try:
                add_outcome(
                    journal, lane.stream.name, lane.sizes, TrainingOutcome(version, now, preferred, spans, rows)
                )
            except StateBlocked as blocked:
                raise TrainingFailed("journal", str(blocked)) from blocked
            lane.swaps.append((version, {ident: span.first for ident, span in spans.items()}))
            lane.go_live(banks, preferred, version, now)
    finally:
        lane.backlog = None
    return version


def catch_up(banks: Sequence[NetworkForecaster], lane: StreamState, count: int) -> None:
    """Step the banks through this many of the waves that came meanwhile."""
    assert lane.backlog is not None
    for _ in range(count):
        wave = lane.backlog.popleft()
        for bank in banks:
            bank.grow(len(lane.newest))
            bank.step(wave.rows, wave.x, wave.fresh)
