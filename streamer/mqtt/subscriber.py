"""A client for tools: receives what its filters select, without a session or an availability topic."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from streamer.config import Mqtt
from streamer.errors import StartError
from streamer.mqtt.access import Access, LinkError
from streamer.mqtt.connection import Connection, Events
from streamer.mqtt.encoder import RETAIN_AS_PUBLISHED
from streamer.mqtt.queues import Inbox
from streamer.records import Message, MessageBatch

log = logging.getLogger("streamer.mqtt")

PAUSE = 1.0  # seconds before each attempt to reconnect


class Subscriber:
    """`async with` connects and subscribes, or raises StartError.

    It reconnects when the connection is lost, until `stop`. Messages published in between are missed, as a log line
    says; retained messages come again. With MQTT 5 messages keep the retain flag they were published with.
    """

    def __init__(self, config: Mqtt, filters: Sequence[str], *, pause: float = PAUSE) -> None:
        self._config, self._filters, self._pause = config, list(dict.fromkeys(filters)), pause
        self._inbox = Inbox(config.queue)
        self._number = 0
        self._arrived = asyncio.Event()
        self._stopped = asyncio.Event()

    @property
    def dropped(self) -> int:
        """Number of QoS 0 messages dropped because too many were waiting."""
        return self._inbox.dropped

    async def __aenter__(self) -> Self:
        self._access = Access.of(self._config)
        try:
            await self._connect()
        except LinkError as error:
            raise StartError(str(error)) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.goodbye()
        await self._connection.__aexit__(kind, error, trace)

    def stop(self) -> None:
        """Receives no more messages; `batches` hands out those that wait, then ends."""
        self._stopped.set()
        self._arrived.set()

    async def batches(self, most: int = 1024) -> AsyncGenerator[MessageBatch, None]:
        """Yields the waiting messages, at most `most` at a time; ends after `stop`."""
        while True:
            if messages := self._inbox.take(most):
                yield MessageBatch(messages, self._number)
                self._connection.resume()
                await asyncio.sleep(0)  # lets the socket be read even if the consumer never waits
            elif self._stopped.is_set():
                return
            else:
                await self._wait()

    def ack(self, batch: MessageBatch) -> None:
        """Acknowledges the batch's QoS 1 messages, unless their connection is gone."""
        if batch.connection == self._number:
            self._connection.ack(batch.messages)

    async def _wait(self) -> None:
        """Waits until something has arrived; reconnects if the connection is lost."""
        try:
            self._connection.check()
        except LinkError as error:
            log.warning("connection lost: %s; messages are missed until it is back", error)
            await self._reconnect()
        else:
            self._arrived.clear()
            await self._arrived.wait()

    async def _reconnect(self) -> None:
        await self._connection.__aexit__(None, None, None)
        while not self._stopped.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), self._pause)
                return
            try:
                await self._connect()
            except LinkError as error:
                log.debug("not connected: %s", error)
            else:
                log.info("connected again")
                return

    async def _connect(self) -> None:
        """Connects and subscribes; raises LinkError."""
        events = Events(lambda *_: None, self._received, lambda *_: None, self._arrived.set)
        connection = Connection(self._access, events, resident=False)
        await connection.__aenter__()
        self._connection = connection
        self._number += 1
        try:
            options = self._config.qos | (RETAIN_AS_PUBLISHED if self._access.five else 0)
            refused = await connection.subscribe_all(self._filters, options)
            if refused:
                reasons = ", ".join(f"{name!r}: {why}" for name, why in refused.items())
                raise LinkError(f"refused subscriptions: {reasons}; grant them in the broker's access list")
        except BaseException:
            await connection.__aexit__(None, None, None)
            raise

    def _received(self, messages: list[Message]) -> None:
        if self._stopped.is_set():
            return
        self._inbox.extend(messages)
        if len(self._inbox) > self._config.queue:
            self._connection.pause()
        self._arrived.set()
