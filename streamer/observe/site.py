"""The application behind the metrics port: /metrics, /healthz and /readyz; the page and the API."""

import gzip
import logging
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from streamer.observe.access import Access, Careful, login
from streamer.observe.api import BASE, Api, dumped, refused, routes
from streamer.observe.entrance import Below
from streamer.observe.events import Events
from streamer.observe.files import page
from streamer.observe.http import EVENTS, Check
from streamer.observe.openapi import document
from streamer.observe.window import Window

log = logging.getLogger("streamer.observe")


def site(
    registry: CollectorRegistry, healthy: Check, ready: Check, window: Window | None = None, token: str | None = None,
    prefix: str = "",
) -> ASGIApp:  # fmt: skip
    """All that is served, also below a prefix. Without a window there is neither page nor API; with a token it is
    asked for."""
    served: list[BaseRoute] = [*own(registry, healthy, ready)]
    if window:
        described = dumped(document())
        served += [
            *page(),
            *routes(Api(window)),
            Route(EVENTS, Events(window).answer),
            Route(f"{BASE}/openapi.json", lambda _: Response(described, media_type="application/json")),
        ]
    middleware = [Middleware(Below, prefix=prefix)] if prefix else []
    middleware += [Middleware(Careful), Middleware(GZipMiddleware)]
    if token is not None:
        middleware.append(Middleware(Access, token=token))
        served += login(token, f"{prefix}/")
    return Starlette(routes=served, middleware=middleware, exception_handlers={404: missing, 500: failed})


def own(registry: CollectorRegistry, healthy: Check, ready: Check) -> Iterator[Route]:
    """Metrics, made in a thread so that they hold up no other answer, and probes, which wait for no thread."""

    def metrics(request: Request) -> Response:
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        names = request.query_params.getlist("name[]")
        wanted = registry.restricted_registry(names) if names else registry
        body, headers = encode(wanted), {"Content-Type": kind}
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["Content-Encoding"] = gzip.compress(body, 5), "gzip"
        return Response(body, headers=headers)

    async def healthz(request: Request) -> Response:
        return checked(healthy)

    async def readyz(request: Request) -> Response:
        return checked(ready)

    yield Route("/metrics", metrics)
    yield Route("/healthz", healthz)
    yield Route("/readyz", readyz)


def checked(check: Check) -> Response:
    """What a probe is told."""
    wrong = check()
    return PlainTextResponse(f"{wrong or 'ok'}\n", 503 if wrong else 200)


async def missing(request: Request, error: Exception) -> Response:
    """Nothing is there; programs are told as everywhere in the API."""
    if request.scope["path"].startswith(f"{BASE}/"):
        return refused(404, f"there is no such path; {BASE}/openapi.json lists all")
    detail = error.detail if isinstance(error, HTTPException) else ""
    said = detail if detail != "Not Found" else f"try /, {BASE}/openapi.json, /metrics, /healthz or /readyz"
    return PlainTextResponse(f"{said}\n", 404)


async def failed(request: Request, error: Exception) -> Response:
    """A bug of ours in an answer: the daemon goes on without it."""
    log.error("http: no answer to %s: %r", request.url.path, error)
    return PlainTextResponse("an error of the daemon; its log says more\n", 500)
