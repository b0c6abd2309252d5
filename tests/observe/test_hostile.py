"""Clients that mean no good: whatever they do, forecasts go on, a probe is answered, and memory stays what it was."""

import asyncio
import math
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from streamer.observe import events, http
from tests.observe.site import Served, got, looked_at
from tests.streams import fast_lane, feed, sample, timed

TOKEN = "a token of more than 16 characters"
BEARER = f"Authorization: Bearer {TOKEN}\r\n".encode()
SLOW = 500
MOST_BYTES = 30 * 2**20
TRICKS = (
    "/../../etc/passwd", "//etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/static/../../config/__init__.py",
    "/static/%2e%2e%2f%2e%2e%2fapp.py", "/static/..%5c..%5capp.py", "/static//etc/passwd", "/api/v1/series/1%00",
    "/api/v1/series/0x1", "/api/v1/../../metrics", "/static/%00", "/;/api/v1/streams", "/api/v1//streams",
)  # fmt: skip


class Seen(Served):
    __slots__ = ()

    def forecasts(self, t: int) -> bool:
        """Whether a sample of now leads to its forecast."""
        return len(feed(self.fast, [sample("plant/a", t, math.sin(t))])) == 1


@pytest.fixture
async def seen(tmp_path: Path) -> AsyncIterator[Seen]:
    fast = fast_lane(tmp_path, timed(max_ahead=None))
    feed(fast, [sample("plant/a", 0, 0)])
    with looked_at(fast, tmp_path, TOKEN) as url:
        yield Seen(fast, url)
    fast.journal.close()


def connected(seen: Seen, stack: ExitStack, request: bytes) -> socket.socket:
    """A connection that has sent so much, as far as the server took it."""
    client = stack.enter_context(socket.create_connection(seen.address, timeout=5))
    with suppress(OSError):
        client.sendall(request)
    return client


async def test_a_crowd_changes_nothing(seen: Seen) -> None:
    """500 connections, most slow or half-open, some with headers of a megabyte or bodies without an end."""
    requests = [
        b"", b"GET / HTTP/1.1\r\nX: ", b"POST /login HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n", b"\x16\x03\x01\x02",
        b"GET / HTTP/1.1\r\n" + BEARER, b"POST /login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ntoken\r\n",
    ]  # fmt: skip
    before = psutil.Process().memory_info().rss
    with ExitStack() as stack:
        for i in range(SLOW):
            await asyncio.to_thread(connected, seen, stack, requests[i % len(requests)])
            if i % 50 == 0:
                assert seen.forecasts(1 + i)
        for i in range(20):
            huge = b"GET / HTTP/1.1\r\nX: " + b"x" * 1_000_000
            await asyncio.to_thread(connected, seen, stack, huge)
            assert seen.forecasts(1 + SLOW + i)
        served = [one for one in psutil.Process().net_connections("tcp") if one.laddr[1] == seen.address[1]]
        assert len([one for one in served if one.status == "ESTABLISHED"]) <= http.MOST_CONNECTIONS
        assert (await got(f"{seen.url}/healthz")).status == 200
        assert psutil.Process().memory_info().rss - before < MOST_BYTES


async def test_guesses_come_to_nothing(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither wrong tokens, nor paths with tricks, get anything, nor do they hold anybody up."""
    monkeypatch.setattr("streamer.observe.access.WRONG_SECONDS", 0.01)
    for path in TRICKS:
        assert (await got(seen.url + path)).status in (401, 404), path
        found = await got(seen.url + path, headers={"Authorization": f"Bearer {TOKEN}"})
        assert found.status in (400, 404) or path == "/api/v1/../../metrics", (path, found)
        assert "root:" not in found.body
    guesses = [got(f"{seen.url}/login", f"token=guess{i}".encode()) for i in range(20)]
    assert all(one.headers["location"] == "login?wrong" for one in await asyncio.gather(*guesses))
    for wrong in ("", TOKEN[:-1], f"{TOKEN}x", "é" * 9, "x" * 7000):
        headers = {"Authorization": f"Bearer {wrong}", "Cookie": f"streamer={wrong}"}
        assert (await got(f"{seen.url}/metrics", headers=headers)).status == 401
    assert seen.forecasts(1)


async def test_viewers_that_never_read_are_bounded(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as may be open, none of which reads: forecasts go on, and what waits for them is bounded."""
    monkeypatch.setattr(events, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr("streamer.observe.window.LIVE_SECONDS", -1.0)
    monkeypatch.setattr(events, "event", lambda kind, document: b"data: " + b"x" * 100_000 + b"\n\n")
    before = psutil.Process().memory_info().rss
    with ExitStack() as stack:
        for _ in range(2 * events.MOST_VIEWERS):
            asked = b"GET /api/v1/events?ids=1 HTTP/1.1\r\nHost: x\r\n" + BEARER + b"\r\n"
            await asyncio.to_thread(connected, seen, stack, asked)
        for t in range(1, 60):
            assert seen.forecasts(t)
            await asyncio.sleep(0.01)
        assert psutil.Process().memory_info().rss - before < MOST_BYTES
        assert (await got(f"{seen.url}/healthz")).status == 200
