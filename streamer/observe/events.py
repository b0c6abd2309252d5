"""Server-sent events: the newest forecasts of some series, as they are made, for as long as somebody reads them.

A viewer that reads slowly is sent what is newest when it is ready for more, never what it has missed.
"""

import asyncio
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from streamer.observe import answers
from streamer.observe.api import dumped, refused
from streamer.observe.parameters import Idents, Malformed
from streamer.observe.window import Busy, Window

MOST_VIEWERS = 16
"""Streams of events at once."""
EVERY_SECONDS = 0.5
"""Between two looks at what is new."""
MOST_SERIES = 100
IDS = Idents("ids", "The series whose forecasts are sent.", MOST_SERIES)


class Events:
    """All viewers, counted."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self.viewers = 0

    async def answer(self, request: Request) -> Response:
        """A stream, unless too many are open."""
        try:
            idents = IDS.read(request.query_params)
        except Malformed as malformed:
            return refused(400, str(malformed))
        if self.viewers >= MOST_VIEWERS:
            return refused(503, f"{MOST_VIEWERS} viewers have streams of events open; ask again, or poll")
        return Stream(self, idents)


class Stream(Response):
    """One viewer's stream, until it goes."""

    def __init__(self, events: Events, idents: list[int]) -> None:
        super().__init__(media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]
        self.events, self.idents = events, idents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.events.viewers += 1
        gone = asyncio.create_task(disconnected(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self.show(gone, send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.events.viewers -= 1
            gone.cancel()

    async def show(self, gone: asyncio.Task[None], send: Send) -> None:
        """Send what is new, look again; nothing while the daemon is busy."""
        told: dict[int, float] = {}
        before: answers.Moment | None = None
        while not gone.done():
            lines = []
            moment, found = before, dict[int, answers.Forecast]()
            with suppress(Busy):
                moment = await self.events.window.moment()
                found = await self.events.window.forecasts(self.idents)
            if moment is not None and moment != before:
                lines.append(event("daemon", moment))
            new = [one for ident, one in found.items() if told.get(ident) != one.time]
            lines += [event("forecast", one) for one in new]
            if lines:
                await send({"type": "http.response.body", "body": b"".join(lines), "more_body": True})
            told |= {one.id: one.time for one in new}
            before = moment
            await asyncio.wait([gone], timeout=EVERY_SECONDS)


async def disconnected(receive: Receive) -> None:
    """Returns when the viewer has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def event(kind: str, document: Any) -> bytes:
    """One event."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), dumped(document))
