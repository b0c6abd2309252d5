"""A fast lane that is looked at over HTTP, for tests."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry

from streamer.lanes.fast import FastLane
from streamer.observe.http import serve
from streamer.observe.site import site
from streamer.observe.window import Window


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


def ask(url: str, body: bytes | None, headers: dict[str, str]) -> Answer:
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=10) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read().decode())


async def got(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
    """What is answered while the loop turns."""
    return await asyncio.to_thread(ask, url, body, headers or {})


@contextmanager
def looked_at(fast: FastLane, state: Path, token: str | None = None) -> Iterator[str]:
    """The base URL of what is served of a fast lane on the running loop."""
    window = Window(fast, None, state, asyncio.get_running_loop())
    with serve("127.0.0.1", 0, site(CollectorRegistry(), lambda: None, lambda: None, window, token)) as port:
        yield f"http://127.0.0.1:{port}"
