"""The API under /api/v1/: a window on the daemon in, JSON out. It is read-only; every answer has its limits."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from streamer.errors import StateError
from streamer.observe import answers, history
from streamer.observe.listing import pick, summary
from streamer.observe.parameters import Malformed, Parameter, Whole, Word, read
from streamer.observe.past import Origin, TooLong, past
from streamer.observe.tables import rows_of, table_of
from streamer.observe.window import Busy, Window

BASE = "/api/v1"
SORTS = ("name", "skill", "width", "surprise", "threshold", "age")
MOST_SERIES, MOST_POINTS, MOST_TREND = 100, 10_000, 200
MOST_PAST, MOST_WHOLE = 1000, 100
FORMATS = ("json", "rows", "csv")

SERIES = (
    Word("stream", "Only the series of this stream."),
    Word("q", "Only series whose name holds this text, whatever the case."),
    Word("sort", "What they are sorted by; what is not known comes last.", SORTS),
    Word("order", "Whether the least comes first.", ("up", "down")),
    Whole("offset", "So many series are left out at the start.", 0, 0, 10**9),
    Whole("limit", "So many at most.", 50, 1, MOST_SERIES),
    Whole("points", "Samples of the history of each.", 40, 0, MOST_TREND),
)
POINTS = (
    Whole("points", "So many of the newest samples.", 500, 1, MOST_POINTS),
    Word("format", "JSON, as an object or as a row per sample; or CSV with a line per sample.", FORMATS),
)
FORMAT = (Word("format", "JSON, as an object or as a row per lead; or CSV with a line per lead.", FORMATS),)
PAST_FORECASTS = (
    Whole("points", "After so many of the newest samples.", 300, 1, MOST_PAST),
    Whole("count", "So many whole forecasts at most.", 60, 1, MOST_WHOLE),
)


class Missing(Exception):
    """There is no such series."""


Answer = Callable[["Api", Request, dict[str, Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One path of the API: what it takes and gives."""

    path: str
    summary: str
    gives: type
    parameters: Sequence[Parameter]
    answer: Answer


class Api:
    """Answers from a window; `clock` gives seconds since 1970. The journal is read by one at a time, and
    folded by one."""

    def __init__(self, window: Window, clock: Callable[[], float] = time.time) -> None:
        self.window, self.clock = window, clock
        self.reading, self.folding = anyio.CapacityLimiter(1), anyio.CapacityLimiter(1)

    async def streams(self, request: Request, given: dict[str, Any]) -> answers.Streams:
        return answers.Streams(await self.window.streams())

    async def series(self, request: Request, given: dict[str, Any]) -> answers.Page:
        tables = await self.window.all_series()
        picked = await anyio.to_thread.run_sync(lambda: pick(tables, given))
        shown = picked[given["offset"] : given["offset"] + given["limit"]]
        idents = [one.of.series[one.row].ident for one in shown]
        forecasts = await self.window.forecasts(idents)
        trends = await self.trends(idents, given["points"]) if given["points"] else {}
        now = self.clock()
        rows = [
            summary(one, now, trends.get(ident), forecasts.get(ident)) for one, ident in zip(shown, idents, strict=True)
        ]
        return answers.Page(len(picked), given["offset"], rows)

    async def trends(self, idents: Sequence[int], points: int) -> dict[int, answers.History]:
        """Raises StateError."""
        state = self.window.state
        return await anyio.to_thread.run_sync(history.newest, state, idents, points, limiter=self.reading)

    async def detail(self, request: Request, given: dict[str, Any]) -> answers.Detail:
        found = await self.window.detail(await self.known(request))
        if found is None:
            raise Missing
        return found

    async def history(self, request: Request, given: dict[str, Any]) -> answers.History:
        of, state = await self.origin(request), self.window.state
        asked = state, of.ident, given["points"], of.config.interval
        return await anyio.to_thread.run_sync(history.marked, *asked, limiter=self.reading)

    async def past(self, request: Request, given: dict[str, Any]) -> answers.Past:
        asked = self.window.state, await self.origin(request), given["points"], given["count"]
        try:
            return await anyio.to_thread.run_sync(past, *asked, limiter=self.folding)
        except TooLong:
            raise Busy("looking back takes too long: ask for fewer points, or later") from None

    async def forecast(self, request: Request, given: dict[str, Any]) -> answers.Forecast:
        ident = await self.known(request)
        found = await self.window.forecasts([ident])
        if ident not in found:
            raise Missing
        return found[ident]

    async def trainings(self, request: Request, given: dict[str, Any]) -> answers.Trainings:
        seen = await self.window.moment()
        networks = await anyio.to_thread.run_sync(
            history.networks, self.window.state, seen.networks, limiter=self.reading
        )
        newest = await self.window.trainings()
        return answers.Trainings(seen.now, seen.waiting, seen.results, seen.seconds, newest, networks)

    async def known(self, request: Request) -> int:
        """The series that a path names. Raises Missing."""
        ident: int = request.path_params["id"]
        if ident >= 2**63 or await self.window.place(ident) is None:
            raise Missing
        return ident

    async def origin(self, request: Request) -> Origin:
        """The same, as its stream has it. Raises Missing."""
        found = await self.window.origin(await self.known(request))
        if found is None:
            raise Missing
        return found


OPERATIONS = (
    Operation("/streams", "All streams", answers.Streams, (), Api.streams),
    Operation("/series", "Series, a page at a time", answers.Page, SERIES, Api.series),
    Operation("/series/{id:int}", "One series", answers.Detail, (), Api.detail),
    Operation("/series/{id:int}/history", "Its newest samples", answers.History, POINTS, Api.history),
    Operation("/series/{id:int}/forecast", "Its newest forecast", answers.Forecast, FORMAT, Api.forecast),
    Operation("/series/{id:int}/past", "What had been forecast of it before", answers.Past, PAST_FORECASTS, Api.past),
    Operation("/trainings", "Trainings and networks", answers.Trainings, (), Api.trainings),
)


def routes(api: Api) -> list[Route]:
    """A route for each operation."""
    return [Route(BASE + one.path, endpoint(api, one), methods=["GET"]) for one in OPERATIONS]


def endpoint(api: Api, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    """An operation over HTTP."""

    async def answer(request: Request) -> Response:
        try:
            given = read(operation.parameters, request.query_params)
            found = await operation.answer(api, request, given)
        except Malformed as malformed:
            return refused(400, str(malformed))
        except Missing:
            return refused(404, "there is no such series, or it has no forecast yet")
        except (Busy, StateError) as busy:
            return refused(503, str(busy))
        if given.get("format") == "csv" or ("format" in given and wants_csv(request)):
            return Response(table_of(found), media_type="text/csv")
        if given.get("format") == "rows":
            return Response(dumped(rows_of(found)), media_type="application/json")
        return Response(dumped(found), media_type="application/json")

    return answer


def wants_csv(request: Request) -> bool:
    """Whether a program asks for CSV without naming the format."""
    return "format" not in request.query_params and request.headers.get("accept", "").startswith("text/csv")


def refused(status: int, why: str) -> Response:
    """No answer, and why."""
    return Response(dumped(answers.Refusal(why)), status, media_type="application/json")


def dumped(found: Any) -> bytes:
    """JSON; a number that is none is null."""
    return orjson.dumps(found)
