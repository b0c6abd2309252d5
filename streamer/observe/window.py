"""Questions of the HTTP server's thread in, answers made on the daemon's own loop out, between two batches.

So nothing is read while it is written, and the fast lane pays for questions alone, not for being watched. What many
ask at once is answered once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from streamer.lanes.fast import FastLane
from streamer.lanes.slow import SlowLane
from streamer.observe import answers
from streamer.observe.past import Origin
from streamer.observe.views import Table, detail, forecasts, moment, overview, peeked, table, trainings
from streamer.stream.state import StreamState

T = TypeVar("T")

ASK_SECONDS = 4.0
"""Longest wait for the fast lane, and for others who ask: while the journal cannot be written it is longer."""
FRESH_SECONDS = 1.0
"""Age up to which a table of all series is as good as a new one."""
LIVE_SECONDS = 0.4
"""The same of single forecasts."""
REMEMBERED = 2000
"""Forecasts that are remembered."""
BUSY = "the daemon is busy, or its journal cannot be written; its log says more"


class Busy(Exception):
    """The daemon has no time for an answer."""


class Window:
    """What may be seen of a running daemon. `state` is the directory of its journal.

    tables: of all streams, from `looked` on. places: stream and row of a series by id. newest: forecasts by id, with
    the tick they were made at and when that was last asked. now: the newest moment, as it was `asked`.
    """

    def __init__(self, fast: FastLane, slow: SlowLane | None, state: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.fast, self.slow, self.state, self.loop = fast, slow, state, loop
        self.tables: list[Table] = []
        self.looked = -np.inf
        self.places: dict[int, tuple[str, int]] = {}
        self.newest: dict[int, tuple[int, float, answers.Forecast]] = {}
        self.asked = -np.inf
        self.now = answers.Moment({}, {}, None, [], {}, {})
        self.turn = asyncio.Lock()

    async def ask(self, question: Callable[[Sequence[StreamState]], T]) -> T:
        """The answer to a question that is put between two batches. Raises Busy."""

        async def answered() -> T:
            async with self.fast.lock:
                return question(self.fast.streams)

        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(answered(), self.loop))
        except TimeoutError:
            raise Busy(BUSY) from None

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Only one asks at a time what is remembered. Raises Busy."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await self.turn.acquire()
        except TimeoutError:
            raise Busy(BUSY) from None
        try:
            yield
        finally:
            self.turn.release()

    async def all_series(self) -> list[Table]:
        """All series, at most FRESH_SECONDS old. Raises Busy."""
        async with self.alone():
            if time.monotonic() - self.looked > FRESH_SECONDS:
                self.tables = await self.ask(lambda streams: [table(stream) for stream in streams])
                self.looked = time.monotonic()
                if len(self.places) != sum(len(one.series) for one in self.tables):
                    self.places = {
                        series.ident: (one.stream, series.row) for one in self.tables for series in one.series
                    }
            return self.tables

    async def place(self, ident: int) -> tuple[str, int] | None:
        """Stream and row of a series. Raises Busy."""
        if ident not in self.places:
            await self.all_series()
        return self.places.get(ident)

    async def streams(self) -> list[answers.Stream]:
        """Raises Busy."""
        return await self.ask(overview)

    async def moment(self) -> answers.Moment:
        """What all streams and the slow lane are doing, at most LIVE_SECONDS old. Raises Busy."""
        async with self.alone():
            if time.monotonic() - self.asked > LIVE_SECONDS:
                self.now = await self.ask(lambda streams: moment(streams, self.slow))
                self.asked = time.monotonic()
            return self.now

    async def trainings(self) -> list[answers.Training]:
        """Raises Busy."""
        return await self.ask(lambda _: trainings(self.slow))

    async def detail(self, ident: int) -> answers.Detail | None:
        """Raises Busy."""
        place = await self.place(ident)
        if place is None:
            return None

        def question(streams: Sequence[StreamState]) -> answers.Detail | None:
            found = located(streams, [(ident, place)])
            return detail(*found[0][:2], self.fast.admission.logged) if found else None

        return await self.ask(question)

    async def origin(self, ident: int) -> Origin | None:
        """A series as its stream has it. Raises Busy."""
        place = await self.place(ident)
        if place is None:
            return None

        def question(streams: Sequence[StreamState]) -> Origin | None:
            for stream, row, _ in located(streams, [(ident, place)]):
                series = stream.series[row]
                return Origin(stream.config, stream.panel.leads, ident, series.topic, series.part)
            return None

        return await self.ask(question)

    async def forecasts(self, idents: Iterable[int]) -> dict[int, answers.Forecast]:
        """The newest forecasts of these series, by id; of one that has none yet there is none. Raises Busy."""
        wanted = {ident: place for ident in idents if (place := await self.place(ident))}
        async with self.alone():
            now = time.monotonic()
            old = [one for one in wanted.items() if now - self.newest.get(one[0], NEVER)[1] > LIVE_SECONDS]
            if old:
                if len(self.newest) > REMEMBERED:
                    self.newest.clear()
                known = {ident: self.newest.get(ident, NEVER)[0] for ident, _ in old}
                made = await self.ask(lambda streams: changed(streams, old, known))
                for ident, _ in old:
                    if ident in made:
                        self.newest[ident] = made[ident][0], now, made[ident][1]
                    elif ident in self.newest:
                        tick, _, forecast = self.newest[ident]
                        self.newest[ident] = tick, now, forecast
            return {ident: self.newest[ident][2] for ident in wanted if ident in self.newest}


NOTHING = answers.Forecast(-1, 0.0, 0.0, [], "", 0, [], {})
NEVER = -1, -np.inf, NOTHING


def located(
    streams: Sequence[StreamState], places: Iterable[tuple[int, tuple[str, int]]]
) -> list[tuple[StreamState, int, int]]:
    """Stream, row and id of each series that is still there: a reload may have moved it."""
    by_name = {stream.name: stream for stream in streams}
    found = []
    for ident, (name, row) in places:
        stream = by_name.get(name)
        if stream and row < len(stream.series) and stream.series[row].ident == ident:
            found.append((stream, row, ident))
    return found


def changed(
    streams: Sequence[StreamState], places: Iterable[tuple[int, tuple[str, int]]], known: dict[int, int]
) -> dict[int, tuple[int, answers.Forecast]]:
    """Ticks and forecasts of those series that have moved on from the ticks known."""
    by_stream: dict[str, tuple[StreamState, list[int]]] = {}
    for stream, row, ident in located(streams, places):
        if 0 < stream.series[row].tick != known[ident]:
            by_stream.setdefault(stream.name, (stream, []))[1].append(row)
    found = {}
    for stream, rows in by_stream.values():
        for row, forecast in zip(rows, forecasts(stream, peeked(stream, np.array(rows))), strict=True):
            found[forecast.id] = stream.series[row].tick, forecast
    return found
