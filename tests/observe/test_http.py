"""The metrics port under clients that open connections and do nothing with them, or too slowly."""

import asyncio
import socket
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
from prometheus_client import CollectorRegistry
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from streamer.observe import http
from streamer.observe.http import MOST_CONNECTIONS, serve
from streamer.observe.site import site
from tests.process import get


@pytest.fixture
def port() -> Iterator[int]:
    with serve("127.0.0.1", 0, site(CollectorRegistry(), lambda: None, lambda: None)) as made:
        yield made


def is_closed(client: socket.socket) -> bool:
    """Whether the server has ended this connection, waiting a little for it."""
    client.settimeout(3)
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def test_connections_are_few(port: int) -> None:
    """Of 100 half-open connections as many are held as may be, the oldest are closed, and a probe is answered."""
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(100)]
        assert all(is_closed(client) for client in clients[:-MOST_CONNECTIONS])
        assert get(f"http://127.0.0.1:{port}/healthz") == (200, "ok\n")


def test_a_slow_client_is_ended(port: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A client that drips its request has its time and no more; others are served meanwhile; nothing is printed."""
    monkeypatch.setattr(http, "REQUEST_SECONDS", 1.0)
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert get(f"http://127.0.0.1:{port}/healthz") == (200, "ok\n")
        ended = threading.Event()

        def drip() -> None:
            with suppress(OSError):
                while not ended.wait(0.02):
                    slow.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert is_closed(slow)
        finally:
            ended.set()
            dripping.join()
    assert capfd.readouterr().err == ""


def test_a_client_that_leaves_is_no_traceback(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Who resets the connection in the middle of an answer leaves nothing on standard error."""
    for _ in range(20):
        client = socket.create_connection(("127.0.0.1", port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        client.close()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
        assert answer.status == 200
    assert capfd.readouterr().err == ""


def test_who_is_being_answered_does_not_give_way() -> None:
    """A scrape that takes its time gets its answer, however many connections are opened meanwhile."""
    begun, release = threading.Event(), threading.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await asyncio.to_thread(release.wait)
        await PlainTextResponse("scraped")(scope, receive, send)

    with serve("127.0.0.1", 0, slow) as port, ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        scrape = pool.submit(get, f"http://127.0.0.1:{port}/")
        assert begun.wait(5)
        for _ in range(100):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        release.set()
        assert scrape.result(10) == (200, "scraped")
