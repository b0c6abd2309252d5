"""Streams of events: forecasts as they are made, the newest alone, whoever reads them, or does not."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from streamer.observe import events, http
from tests.broker import until
from tests.observe.site import Served, got, looked_at
from tests.streams import fast_lane, feed, sample, timed


class Refused(Exception):
    pass


@pytest.fixture
async def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(events, "EVERY_SECONDS", 0.02)
    monkeypatch.setattr("streamer.observe.window.LIVE_SECONDS", 0.01)
    fast = fast_lane(tmp_path, timed(max_ahead=None))
    feed(fast, [sample("plant/a", t, t) for t in range(3)])
    with looked_at(fast, tmp_path) as url:
        yield Served(fast, url)
    fast.journal.close()


@asynccontextmanager
async def viewer(seen: Served) -> AsyncIterator[asyncio.StreamReader]:
    """A viewer of the one series, after the answer's header. Raises Refused."""
    reader, writer = await asyncio.open_connection(*seen.address)
    try:
        writer.write(b"GET /api/v1/events?ids=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        if b" 200 " not in await reader.readline():
            raise Refused
        await reader.readuntil(b"\r\n\r\n")
        yield reader
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def forecast(reader: asyncio.StreamReader) -> Any:
    """The next forecast that is sent."""
    async with asyncio.timeout(5):
        while (await reader.readline()).strip() != b"event: forecast":
            pass
        return json.loads((await reader.readline()).removeprefix(b"data: "))


async def test_forecasts_are_sent_as_they_are_made(seen: Served) -> None:
    """A viewer gets the newest forecast at once, and each later one as published; what does not change is not sent."""
    async with viewer(seen) as reader:
        assert (await forecast(reader))["time"] == 2.0
        for t in (3, 4):
            (published,) = feed(seen.fast, [sample("plant/a", t, t * t)])
            sent = await forecast(reader)
            assert (sent["time"], sent["mean"]) == (float(t), published["mean"])


async def test_viewers_are_counted(seen: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """One viewer too many is told to poll, and is let in when another has gone."""
    monkeypatch.setattr(events, "MOST_VIEWERS", 1)
    async with viewer(seen) as reader:
        await forecast(reader)
        assert (await got(f"{seen.url}/api/v1/events?ids=1")).status == 503
    async with asyncio.timeout(5):
        while True:
            try:
                async with viewer(seen) as reader:
                    await forecast(reader)
                return
            except Refused:
                await asyncio.sleep(0.02)


async def test_a_viewer_outlives_the_time_of_a_request(seen: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is read goes on beyond the time that other answers have."""
    monkeypatch.setattr(http, "REQUEST_SECONDS", 0.1)
    async with viewer(seen) as reader:
        await forecast(reader)
        for t in range(3, 20):
            feed(seen.fast, [sample("plant/a", t, t)])
            assert (await forecast(reader))["time"] == float(t)
            await asyncio.sleep(0.01)


async def test_a_viewer_that_never_reads_is_ended(seen: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it is sent does not pile up: it loses its connection, and probes and others are answered meanwhile."""
    monkeypatch.setattr(http, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(events, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(events, "event", lambda kind, document: b"data: " + b"x" * 500_000 + b"\n\n")
    monkeypatch.setattr("streamer.observe.window.LIVE_SECONDS", -1.0)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(seen.address)
        client.sendall(b"GET /api/v1/events?ids=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        ended: list[bool] = []

        def is_ended() -> bool:
            """Whether the server has reset the connection: nothing is read of it."""
            feed(seen.fast, [sample("plant/a", 3 + len(ended), 1)])
            ended.append(True)
            return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

        await until(is_ended, seconds=8)
    assert (await got(f"{seen.url}/healthz")).status == 200
