"""Who may look: requests in, those let through that carry the token, and headers that keep browsers careful out.

Without a token everybody may. With one, programs send `Authorization: Bearer TOKEN`; people log in with a form, which
gives them a cookie that tells nothing of the token. Probes (/healthz, /readyz) and the page's own files need neither.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamer.config import Metrics
from streamer.observe.files import PAGE

log = logging.getLogger("streamer.observe")

OPEN = ("/healthz", "/readyz", "/login")
FILES = "/static/"
COOKIE = "streamer"
MOST_FORM = 4096
"""Bytes of a login."""
WRONG_SECONDS = 0.5
"""What a wrong token costs who sends it."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Careful:
    """Adds HEADERS to every answer, and lets browsers keep nothing but the page's files."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, careful)


class Access:
    """Lets requests with the token, or the cookie that a login gave, through to `app`."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.token = token.encode()
        self.session = session(token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path in OPEN or path.startswith(FILES) or self.knows(Request(scope)):
            await self.app(scope, receive, send)
        else:
            await stranger(path, Headers(scope=scope))(scope, receive, send)

    def knows(self, request: Request) -> bool:
        """Compared in constant time."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        bearer = scheme.lower() == "bearer" and same(given.strip().encode(), self.token)
        return bearer or same(request.cookies.get(COOKIE, "").encode(), self.session.encode())


def announce(metrics: Metrics, port: int) -> None:
    """Log where the page and metrics are, and whether anybody in the network may look."""
    secure = metrics.tls.cert_file is not None
    log.info("metrics on %s://%s:%d/metrics", "https" if secure else "http", metrics.host, port)
    if is_local(metrics.host):
        return
    if metrics.token_file is None:
        log.warning("whoever reaches metrics.host sees all series; metrics.token_file asks for a token")
    elif not secure:
        log.warning("the token goes over the network as it is; set metrics.tls, or let a proxy speak TLS")


def is_local(host: str) -> bool:
    """Whether nobody but this machine reaches an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def session(token: str) -> str:
    """What the cookie holds: who has it can look, and cannot tell the token."""
    return hmac.new(token.encode(), b"streamer session", hashlib.sha256).hexdigest()


def same(given: bytes, wanted: bytes) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given, wanted)


def stranger(path: str, headers: Headers) -> Response:
    """What those see who may not look: a browser that asks for the page gets the form."""
    if path == "/" and "text/html" in headers.get("accept", ""):
        return FileResponse(PAGE / "login.html", 401)
    return PlainTextResponse("a token is needed: Authorization: Bearer …\n", 401, {"WWW-Authenticate": "Bearer"})


def login(token: str, below: str) -> Sequence[Route]:
    """The form, and what it sends; the cookie it gives is for paths below this one."""

    async def form(request: Request) -> Response:
        return FileResponse(PAGE / "login.html")

    async def enter(request: Request) -> Response:
        given = b""
        try:
            async for chunk in request.stream():
                given += chunk
                if len(given) > MOST_FORM:
                    return PlainTextResponse("too long\n", 413)
        except ClientDisconnect:
            return Response(status_code=400)
        sent = parse_qs(given.decode("latin-1"), max_num_fields=None).get("token", [""])[0]
        if not same(sent.encode(), token.encode()):
            await asyncio.sleep(WRONG_SECONDS)
            return RedirectResponse("login?wrong", 303)
        answer = RedirectResponse("./", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, session(token), httponly=True, samesite="strict", path=below, secure=secure)
        return answer

    return [Route("/login", form, methods=["GET"]), Route("/login", enter, methods=["POST"])]
