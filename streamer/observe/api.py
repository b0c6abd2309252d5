"""The API under /api/v1/: a window on the daemon in, JSON out. It is read-only; every answer has its limits."""

import csv
import io
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import anyio
import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from streamer.errors import StateError
from streamer.observe import answers, history
from streamer.observe.parameters import Malformed, Parameter, Whole, Word, read
from streamer.observe.views import Table
from streamer.observe.window import Busy, Window
from streamer.observe.words import better
from streamer.records import Floats, Ints

BASE = "/api/v1"
SORTS = ("name", "skill", "width", "surprise", "threshold", "age")
MOST_SERIES, MOST_POINTS, MOST_TREND = 100, 10_000, 200

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
    Word("format", "JSON, or CSV with a line per sample.", ("json", "csv")),
)
FORMAT = (Word("format", "JSON, or CSV with a line per lead.", ("json", "csv")),)


class Pick(NamedTuple):
    """Which series of which table."""

    of: Table
    row: int


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
    """Answers from a window; `clock` gives seconds since 1970. The journal is read by one at a time."""

    def __init__(self, window: Window, clock: Callable[[], float] = time.time) -> None:
        self.window, self.clock = window, clock
        self.reading = anyio.CapacityLimiter(1)

    async def streams(self, request: Request, given: dict[str, Any]) -> answers.Streams:
        return answers.Streams(await self.window.streams())

    async def series(self, request: Request, given: dict[str, Any]) -> answers.Page:
        tables = await self.window.all_series()
        picked = await anyio.to_thread.run_sync(lambda: pick(tables, given))
        shown = picked[given["offset"] : given["offset"] + given["limit"]]
        idents = [one.of.series[one.row].ident for one in shown]
        forecasts = await self.window.forecasts(idents)
        past = await self.past(idents, given["points"]) if given["points"] else {}
        now = self.clock()
        rows = [
            summary(one, now, past.get(ident), forecasts.get(ident)) for one, ident in zip(shown, idents, strict=True)
        ]
        return answers.Page(len(picked), given["offset"], rows)

    async def past(self, idents: Sequence[int], points: int) -> dict[int, answers.History]:
        """Raises StateError."""
        state = self.window.state
        return await anyio.to_thread.run_sync(history.newest, state, idents, points, limiter=self.reading)

    async def detail(self, request: Request, given: dict[str, Any]) -> answers.Detail:
        found = await self.window.detail(await self.known(request))
        if found is None:
            raise Missing
        return found

    async def history(self, request: Request, given: dict[str, Any]) -> answers.History:
        ident = await self.known(request)
        return (await self.past([ident], given["points"]))[ident]

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
        return answers.Trainings(seen.now, seen.waiting, seen.results, seen.seconds, networks)

    async def known(self, request: Request) -> int:
        """The series that a path names. Raises Missing."""
        ident: int = request.path_params["id"]
        if ident >= 2**63 or await self.window.place(ident) is None:
            raise Missing
        return ident


OPERATIONS = (
    Operation("/streams", "All streams", answers.Streams, (), Api.streams),
    Operation("/series", "Series, a page at a time", answers.Page, SERIES, Api.series),
    Operation("/series/{id:int}", "One series", answers.Detail, (), Api.detail),
    Operation("/series/{id:int}/history", "Its newest samples", answers.History, POINTS, Api.history),
    Operation("/series/{id:int}/forecast", "Its newest forecast", answers.Forecast, FORMAT, Api.forecast),
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


def pick(tables: Sequence[Table], given: dict[str, Any]) -> list[Pick]:
    """The series that match, in order: what is not known comes last, ties by name."""
    text, stream, sort = given["q"].casefold(), given["stream"], given["sort"]
    keyed = []
    for one in tables:
        if stream in ("", one.stream):
            keys = key_of(one, sort).tolist()
            keyed += [
                (keys[row], series.name, Pick(one, row))
                for row, series in enumerate(one.series)
                if not text or text in series.name.casefold()
            ]
    down = given["order"] == "down"
    keyed.sort(key=lambda one: one[1], reverse=down and sort == "name")
    if sort != "name":
        sign = -1 if down else 1
        keyed.sort(key=lambda one: (one[0] != one[0] or abs(one[0]) == np.inf, sign * one[0]))
    return [one[2] for one in keyed]


def key_of(of: Table, sort: str) -> Floats:
    """What a table is sorted by, [n]."""
    keys: dict[str, Floats] = {
        "skill": of.skill[:, 0],
        "width": of.width,
        "surprise": of.surprise,
        "threshold": of.ahead.min(1, initial=np.inf),
        "age": -of.time,
    }
    return keys.get(sort, np.zeros(len(of.series)))


def summary(one: Pick, now: float, past: answers.History | None, forecast: answers.Forecast | None) -> answers.Summary:
    """A line of the list."""
    of, row = one
    series = of.series[row]
    skill = dict(zip(of.references, of.skill[row].tolist(), strict=True))
    nearest = None
    if np.isfinite(of.ahead[row]).any():
        at: Ints = of.ahead[row].argmin()
        nearest = answers.Crossing(*of.thresholds[int(at)], float(of.ahead[row, at]))
    return answers.Summary(
        series.ident,
        of.stream,
        series.name,
        dict(series.labels),
        float(of.time[row]),
        max(0.0, now - float(of.time[row])),
        float(of.value[row]),
        skill,
        better(skill),
        float(of.width[row]),
        float(of.surprise[row]),
        nearest,
        past or answers.History(series.ident, [], [], []),
        forecast,
    )


def table_of(found: answers.History | answers.Forecast) -> str:
    """A history, or a forecast, as CSV with a header."""
    out = io.StringIO()
    lines = csv.writer(out)
    if isinstance(found, answers.History):
        lines.writerow(["tick", "time", "value"])
        lines.writerows(zip(found.ticks, found.times, found.values, strict=True))
    else:
        lines.writerow(["lead", "time", "mean", *found.quantiles])
        times = (found.time + (i + 1) * found.interval for i in range(len(found.mean)))
        columns = zip(times, found.mean, *found.quantiles.values(), strict=True)
        lines.writerows((i + 1, *column) for i, column in enumerate(columns))
    return out.getvalue()
