"""A fast lane that is looked at over HTTP, for tests."""

import asyncio
import json
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry

from streamer.config import Metrics
from streamer.config.metrics import ServerTls
from streamer.lanes.fast import FastLane
from streamer.observe.entrance import secured
from streamer.observe.http import serve
from streamer.observe.site import site
from streamer.observe.window import Window


class Served(NamedTuple):
    """A fast lane, and where its page is."""

    fast: FastLane
    url: str

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.url.rpartition(":")[2])


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def ask(url: str, body: bytes | None, headers: dict[str, str], context: ssl.SSLContext | None = None) -> Answer:
    request = urllib.request.Request(url, body, headers)
    secure = [urllib.request.HTTPSHandler(context=context)] if context else []
    try:
        with urllib.request.build_opener(NoRedirect, *secure).open(request, timeout=10) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read().decode())


async def got(
    url: str, body: bytes | None = None, headers: dict[str, str] | None = None, context: ssl.SSLContext | None = None
) -> Answer:
    """What is answered while the loop turns."""
    return await asyncio.to_thread(ask, url, body, headers or {}, context)


@contextmanager
def looked_at(
    fast: FastLane, state: Path, token: str | None = None, prefix: str = "", tls: ServerTls | None = None
) -> Iterator[str]:
    """The base URL of what is served of a fast lane on the running loop."""
    window = Window(fast, None, state, asyncio.get_running_loop())
    served = site(CollectorRegistry(), lambda: None, lambda: None, window, token, prefix)
    context = secured(Metrics(tls=tls)) if tls else None
    with serve("127.0.0.1", 0, served, context) as port:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}{prefix}"


def certificate(directory: Path) -> ServerTls:
    """A certificate of this machine's own."""
    key, cert = directory / "key.pem", directory / "certificate.pem"
    asked = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=streamer"
        f" -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
    )
    subprocess.run(asked.split(), check=True, capture_output=True, timeout=60)
    return ServerTls(cert_file=cert, key_file=key)
