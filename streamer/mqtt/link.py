"""The daemon's link to the broker: configured filters in, batches of messages out; forecasts in, publishes out."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from streamer.config import Mqtt
from streamer.mqtt.access import Access, LinkError
from streamer.mqtt.connection import Connection, Events
from streamer.mqtt.queues import Inbox
from streamer.mqtt.sender import Sender
from streamer.mqtt.subscriptions import Subscriptions
from streamer.records import Message, MessageBatch, Outgoing

log = logging.getLogger("streamer.mqtt")

ENOUGH = 8  # messages to go on with; the networks take twice as many for what one costs
FIRST_PAUSE = 0.1  # seconds
CLOSED_AGAIN = 3  # connections in a row, none lasting, after which another client is suspected
RIVAL = "again and again: another client seems to use the same mqtt.client_id; give each its own"


@dataclass(slots=True)
class Counts:
    """Totals since the start, in messages or events."""

    received: int = 0
    dropped: int = 0
    published: int = 0
    superseded: int = 0
    refused: int = 0
    connects: int = 0
    disconnects: int = 0
    acknowledged: int = 0


class Link:
    """Connects for ever, subscribes to `filters`, and says on the availability topic whether it is there.

    `former` are filters of earlier runs: the broker forgets those that are no longer configured. A client cannot ask
    for what a kept session is subscribed to, so whoever remembers them passes them here.

    The attributes and properties below may be read from another thread.
    """

    def __init__(self, config: Mqtt, filters: Sequence[str], former: Sequence[str] = ()) -> None:
        self.connected = False
        self._config = config
        self._subscriptions = Subscriptions(config.qos, filters, former)
        self._counts = Counts()
        self._inbox = Inbox(config.queue)
        self._sender = Sender(config.outbox)
        self._connection: Connection | None = None
        self._number = self._session = 0
        self._introduced = False  # filters asked for and `online` said
        self._closed_again = 0
        self._stopped = False
        self._arrived = asyncio.Event()
        self._enough = asyncio.Event()
        self._changed = asyncio.Event()
        self._trouble = ""
        self._task: asyncio.Task[None] | None = None

    @property
    def counts(self) -> Counts:
        counts, sender = self._counts, self._sender
        counts.dropped, counts.superseded = self._inbox.dropped, sender.outbox.superseded
        counts.published, counts.refused = sender.published, sender.refused
        return counts

    @property
    def subscribed(self) -> bool:
        """Whether the broker has granted every filter, on this connection."""
        return self._introduced and self._subscriptions.complete

    @property
    def waiting(self) -> int:
        """Messages received and not yet taken."""
        return len(self._inbox)

    @property
    def unsent(self) -> int:
        """Messages not yet published, or not yet acknowledged."""
        return self._sender.unsent

    async def __aenter__(self) -> Self:
        """Starts connecting and returns at once; raises StartError if password or certificates cannot be read."""
        events = Events(self._opened, self._received, self._sender.acknowledged, self._sender.moved)
        self._task = asyncio.create_task(self._run(Access.of(self._config), events), name="mqtt link")
        self._task.add_done_callback(lambda _: self._wake())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
        if error is None:
            self._check()

    def stop(self) -> None:
        """Receives no more; `batches` hands out what waits and ends."""
        self._stopped = True
        self._wake()

    async def close(self, flush_seconds: float = 2.0) -> None:
        """Stops, publishes what is unsent and `offline` for at most that time, disconnects; may be called twice.

        If the broker did not take it all, the connection is cut, and the will says offline.
        """
        self.stop()
        if self._task is None:
            return
        if self._introduced and self._connection is not None:
            self.publish([Outgoing(self._config.availability, b"offline", 1, True)])
            try:
                async with asyncio.timeout(flush_seconds):
                    if await self._sender.flushed():
                        self._connection.goodbye()
            except TimeoutError:
                log.warning("left with %d messages unpublished", self.unsent)
        self._task.cancel()
        await asyncio.wait([self._task])

    def refilter(self, filters: Sequence[str]) -> None:
        """Subscribes to these filters and no others: at once, or with the next connection; `ready` waits for it."""
        self._subscriptions.replace(filters)

    async def ready(self) -> None:
        """Waits until connected and subscribed; raises what the connection's task died of."""
        while not self._introduced or self._subscriptions.changed.is_set():
            self._check()
            self._changed.clear()
            await self._changed.wait()

    async def batches(self, most: int = 1024) -> AsyncGenerator[MessageBatch, None]:
        """What waits, at most `most` at a time; ends after `stop`, raises what the connection's task died of.

        Few messages linger for more to come.
        """
        while True:
            self._check()
            if 0 < len(self._inbox) < min(ENOUGH, most):
                await self._linger()
            if messages := self._inbox.take(most):
                if self._connection is not None and len(self._inbox) <= self._config.queue // 2:
                    self._connection.resume()
                yield MessageBatch(messages, self._number, self._session)
                await asyncio.sleep(0)  # else a consumer that never waits would starve the socket
            elif self._stopped:
                return
            else:
                self._arrived.clear()
                await self._arrived.wait()

    async def _linger(self) -> None:
        """Returns when there are enough messages, at the latest after `mqtt.linger`."""
        if self._config.linger and not self._stopped:
            self._enough.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._config.linger):
                    await self._enough.wait()

    def ack(self, batch: MessageBatch) -> None:
        """Acknowledges its QoS 1 messages, unless their connection is gone: then the broker sends them again."""
        if self._connection is not None and batch.connection == self._number:
            self._counts.acknowledged += self._connection.ack(batch.messages)

    def publish(self, messages: Iterable[Outgoing]) -> None:
        """Takes the messages and writes what the connection takes at once; the rest follows by itself."""
        for message in messages:
            self._sender.outbox.put(message)
        self._sender.pump()

    async def _run(self, access: Access, events: Events) -> None:
        ceiling = FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                async with Connection(access, events, resident=True) as connection:
                    await self._attend(connection)
            except LinkError as error:
                reason = str(error)
            finally:
                lasting, was_connected = time.monotonic() - began, self.connected
                self._down()
            lasted = lasting > 2 * self._config.reconnect_max
            # Not after every connect: two daemons of one name would throw each other out without a pause.
            if was_connected and lasted:
                ceiling = FIRST_PAUSE
            self._closed_again = 0 if lasted or not was_connected else self._closed_again + 1
            if self._closed_again >= CLOSED_AGAIN and "mqtt.client_id" not in reason:
                reason = f"{reason}, {RIVAL}"
            pause = random.uniform(0, min(ceiling, self._config.reconnect_max))  # noqa: S311
            ceiling = min(2 * ceiling, self._config.reconnect_max)
            self._tell(reason, pause, was_connected=was_connected)
            await asyncio.sleep(pause)

    async def _attend(self, connection: Connection) -> None:
        """Subscribes, says `online`, and follows `refilter` until the connection is lost; raises LinkError."""
        await self._subscriptions.apply(connection)
        connection.send(Outgoing(self._config.availability, b"online", 1, True))
        connection.flush()
        self._introduced = True
        self._changed.set()
        self._sender.attach(connection)
        while True:
            await connection.lost(unless=self._subscriptions.changed)
            await self._subscriptions.apply(connection)
            self._changed.set()

    def _opened(self, connection: Connection) -> None:
        self._connection = connection
        self._number += 1
        self._session += not connection.session_kept
        self._inbox.void(redelivered=connection.session_kept)
        self.connected = True
        self._counts.connects += 1
        self._trouble = ""
        kept = "session kept" if connection.session_kept else "new session"
        log.info("connected to %s:%d, MQTT %s, %s", self._config.host, self._config.port, connection.protocol, kept)

    def _down(self) -> None:
        self._counts.disconnects += self.connected
        self.connected = self._introduced = False
        self._connection = None
        self._subscriptions.forget()
        self._sender.detach()

    def _tell(self, reason: str, pause: float, *, was_connected: bool) -> None:
        if was_connected:
            log.warning("connection lost: %s; next attempt in %.1f s", reason, pause)
        elif reason != self._trouble:  # once per reason, not once per attempt
            log.warning("not connected: %s; next attempt in %.1f s, and so on", reason, pause)
        self._trouble = reason

    def _received(self, messages: list[Message]) -> None:
        if self._stopped:
            return
        self._counts.received += len(messages)
        self._inbox.extend(messages)
        if len(self._inbox) > self._config.queue and self._connection is not None:
            # QoS 1 beyond what the broker was told to keep in flight: mosquitto 2.0 does not heed it.
            self._connection.pause()
        self._arrived.set()
        if len(self._inbox) >= ENOUGH:
            self._enough.set()

    def _wake(self) -> None:
        self._arrived.set()
        self._enough.set()
        self._changed.set()

    def _check(self) -> None:
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()
