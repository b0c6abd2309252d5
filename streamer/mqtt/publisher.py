"""A client for tools: publishes as fast as the broker acknowledges, without a session or an availability topic."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from streamer.config import Mqtt
from streamer.errors import StartError
from streamer.mqtt.access import Access, LinkError
from streamer.mqtt.connection import Connection, Events
from streamer.records import Outgoing

TURN = 64  # publishes between two turns of the event loop


class Publisher:
    """`async with` connects, or raises StartError; leaving it without an exception flushes."""

    def __init__(self, config: Mqtt) -> None:
        self._config = config
        self._unacknowledged: set[int] = set()
        self._progress = asyncio.Event()
        self._sent = 0

    async def __aenter__(self) -> Self:
        events = Events(lambda *_: None, lambda _: None, self._acknowledged, self._progress.set)
        self._connection = Connection(Access.of(self._config), events, resident=False)
        try:
            await self._connection.__aenter__()
        except LinkError as error:
            raise StartError(str(error)) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self.flush()
                self._connection.goodbye()
        finally:
            await self._connection.__aexit__(kind, error, trace)

    async def publish(self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False) -> None:
        """Publishes; waits only while the window is full or the connection congested. Raises LinkError."""
        await self._wait_for_room(self._connection.window - 1)
        mid = self._connection.send(Outgoing(topic, payload, qos, retain))
        while mid is None:
            self._connection.check()
            await self._wait_for_room(0)
            mid = self._connection.send(Outgoing(topic, payload, qos, retain))
        if mid:
            self._unacknowledged.add(mid)
        self._sent += 1
        if self._sent % TURN == 0:
            self._connection.flush()
            await asyncio.sleep(0)

    async def flush(self) -> None:
        """Waits until everything is written, and acknowledged at QoS 1; raises LinkError."""
        self._connection.flush()
        await self._wait_for_room(0)

    async def _wait_for_room(self, most: int) -> None:
        """Waits until at most `most` publishes are unacknowledged and the connection is not congested."""
        while len(self._unacknowledged) > most or self._connection.congested:
            self._connection.flush()
            self._connection.check()
            self._progress.clear()
            await self._progress.wait()

    def _acknowledged(self, mids: Sequence[int], _: str | None) -> None:
        self._unacknowledged.difference_update(mids)
        self._progress.set()
