"""The application behind the metrics port: /metrics, /healthz and /readyz."""

import gzip
import logging
from collections.abc import Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from streamer.observe.http import Check

log = logging.getLogger("streamer.observe")


def site(registry: CollectorRegistry, healthy: Check, ready: Check, others: Sequence[BaseRoute] = ()) -> ASGIApp:
    """All that is served. Functions that are no coroutines run in threads: a scrape holds up no other answer."""

    def metrics(request: Request) -> Response:
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        names = request.query_params.getlist("name[]")
        wanted = registry.restricted_registry(names) if names else registry
        body, headers = encode(wanted), {"Content-Type": kind}
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["Content-Encoding"] = gzip.compress(body, 5), "gzip"
        return Response(body, headers=headers)

    def healthz(request: Request) -> Response:
        return checked(healthy)

    def readyz(request: Request) -> Response:
        return checked(ready)

    routes = [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz), *others]
    return Starlette(routes=routes, exception_handlers={404: missing, 500: failed})


def checked(check: Check) -> Response:
    """What a probe is told."""
    wrong = check()
    return PlainTextResponse(f"{wrong or 'ok'}\n", 503 if wrong else 200)


async def missing(request: Request, error: Exception) -> Response:
    """Nothing is there."""
    detail = error.detail if isinstance(error, HTTPException) else ""
    said = detail if detail != "Not Found" else "try /metrics, /healthz or /readyz"
    return PlainTextResponse(f"{said}\n", 404)


async def failed(request: Request, error: Exception) -> Response:
    """A bug of ours in an answer: the daemon goes on without it."""
    log.error("http: no answer to %s: %r", request.url.path, error)
    return PlainTextResponse("an error of the daemon; its log says more\n", 500)
