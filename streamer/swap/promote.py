"""Admitted candidates in, live networks out: their states are warmed from the journal while the fast lane runs on."""

import asyncio
from collections.abc import Sequence

from streamer.errors import StateBlocked, TrainingFailed
from streamer.forecast.network import NetworkForecaster
from streamer.records import Candidate
from streamer.store.journal import Journal
from streamer.store.outcomes import NetworkRow, Span, TrainingOutcome, add_outcome, newest_version
from streamer.stream.state import StreamState
from streamer.swap.warm import forecaster_of, in_reader_thread, warm_newest
from streamer.turns import Turns

TURNS = 10
"""Rounds in which new networks catch up, by half of what waits in each; the rest goes while no sample is taken in."""


async def promote(
    stream: StreamState,
    candidates: Sequence[Candidate],
    journal: Journal,
    lock: asyncio.Lock,
    now: float,
) -> int:
    """Warm the candidates' states, let them catch up with the samples that came meanwhile, put them live: the version.

    No sample waits for it: the fast lane goes on with the networks it has until the one assignment at the end. The lock
    is that of the fast lane. Raises TrainingFailed: journal, if the swap
    cannot be written down; retired.
    """
    promotions, name, sizes = stream.promotions, stream.name, stream.config.sizes
    version = max(promotions.version, newest_version(journal, name)) + 1
    rows = tuple(NetworkRow(c.kind, version, compared(c), c.scales, c.weights) for c in candidates)
    async with lock:
        promotions.begin()
        series, upto = list(stream.series), {one.ident: one.tick for one in stream.series}
        networks = {row.kind: forecaster_of(row, now, stream) for row in rows}
    try:
        new = list(networks.values())
        firsts = await in_reader_thread(
            journal, lambda reader, halt: warm_newest(new, series, upto, stream, reader, halt)
        )
        for _ in range(TURNS):
            await catch_up(new, stream, promotions.waiting // 2)
            await asyncio.sleep(0)
        async with lock:
            if stream.retired:
                raise TrainingFailed("retired", "a reload has changed the stream meanwhile")
            await catch_up(new, stream, promotions.waiting)
            spans = {
                one.ident: Span(firsts.get(one.ident, 0), one.tick, one.asked) for one in stream.series if one.tick >= 0
            }
            try:
                add_outcome(journal, name, sizes, TrainingOutcome(version, now, spans, rows))
            except StateBlocked as blocked:
                raise TrainingFailed("journal", str(blocked)) from blocked
            promotions.swapped(version, {ident: span.first for ident, span in spans.items()})
            stream.conclude(networks, version)
    finally:
        promotions.end()
    return version


def compared(candidate: Candidate) -> dict[str, float]:
    """The errors of a candidate for the journal, and those of the live network that it was compared with."""
    own, live = candidate.errors, candidate.live
    before = {"before": live.ratio} if live else {}
    return {candidate.kind: own.e_p, "persistence": own.persistence, "ratio": own.ratio, **before}


async def catch_up(networks: Sequence[NetworkForecaster], stream: StreamState, count: int) -> None:
    """Step the networks through this many of the tick batches that came meanwhile, in as many turns as it takes."""
    turns = Turns()
    for batch in stream.promotions.take(count):
        for network in networks:
            network.grow(stream.room)
            network.step(batch)
        await turns.end()
