"""The daemon's link to the broker, which survives reconnects: hands out message batches, publishes forecasts."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from streamer.config import Mqtt
from streamer.mqtt.access import Access, HungUp, LinkError, Objection
from streamer.mqtt.connection import Connection, Events
from streamer.mqtt.limits import Limits
from streamer.mqtt.queues import Inbox
from streamer.mqtt.reasons import Refused
from streamer.mqtt.sender import Sender
from streamer.mqtt.subscriptions import Subscriptions
from streamer.records import Message, MessageBatch, Outgoing
from streamer.repeats import Repeats

log = logging.getLogger("streamer.mqtt")

LINGER_BELOW = 8  # messages; a smaller batch waits for more, as 16 samples cost the networks no more than one
FIRST_PAUSE = 0.1  # seconds, the longest pause before the first reconnect
SHORT_CONNECTIONS = 3  # short connections in a row after which another client with the same id is suspected
DROPPED = "messages of QoS 0 dropped: they come faster than they are worked off, and mqtt.queue is full"
SAME_CLIENT_ID = "again and again: another client seems to use the same mqtt.client_id; give each its own"


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
    """Stays connected to the broker, subscribes to `filters`, and keeps the availability topic up to date.

    `former` are filters of earlier runs; those that are no longer wanted are unsubscribed. A client cannot ask which
    subscriptions a kept session has, so the caller has to remember them.

    Other threads may read the public attributes and properties.
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
        self._online = False  # filters are subscribed to and `online` is published
        self._short_connections = 0
        self._limits = Limits()
        self._stopped = False
        self._arrived = asyncio.Event()
        self._enough = asyncio.Event()
        self._changed = asyncio.Event()
        self._failures, self._losses = Repeats(), Repeats()
        self._task: asyncio.Task[None] | None = None

    @property
    def counts(self) -> Counts:
        counts, sender = self._counts, self._sender
        counts.dropped, counts.superseded = self._inbox.dropped, sender.outbox.superseded
        counts.published, counts.refused = sender.published, sender.refused
        return counts

    @property
    def subscribed(self) -> bool:
        """Whether the broker has granted every filter on this connection."""
        return self._online and self._subscriptions.complete

    @property
    def waiting(self) -> int:
        """Number of messages received and not yet taken."""
        return len(self._inbox)

    @property
    def unsent(self) -> int:
        """Number of messages not yet published, or not yet acknowledged."""
        return self._sender.unsent

    @property
    def handed_over(self) -> int:
        """Number of messages given to `publish` that are published and acknowledged, refused, or superseded."""
        return self._sender.put - self._sender.unsent

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
        """Receives no more messages; `batches` hands out those that wait, then ends."""
        self._stopped = True
        self._wake()

    async def close(self, flush_seconds: float = 2.0) -> None:
        """Stops, publishes what is unsent and then `offline`, and disconnects; may be called twice.

        If the broker has not acknowledged all of it after `flush_seconds`, the connection is cut, so that the broker
        publishes the will.
        """
        self.stop()
        if self._task is None:
            return
        if self._online and self._connection is not None:
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
        """Subscribes to exactly these filters, now or with the next connection; `ready` waits until that is done."""
        self._subscriptions.replace(filters)

    async def ready(self) -> None:
        """Waits until connected and subscribed; raises the exception that ended the link's task."""
        while not self._online or self._subscriptions.changed.is_set():
            self._check()
            self._changed.clear()
            await self._changed.wait()

    async def batches(
        self, most: int = 1024, idle: Callable[[], float | None] = lambda: None
    ) -> AsyncGenerator[MessageBatch, None]:
        """Yields the waiting messages, at most `most` at a time; ends after `stop`.

        Fewer than LINGER_BELOW messages wait for more. After `idle` seconds without any the batch is empty. Raises the
        exception that ended the link's task.
        """
        while True:
            self._check()
            if 0 < len(self._inbox) < min(LINGER_BELOW, most):
                await self._linger()
            if messages := self._inbox.take(most):
                if self._connection is not None and len(self._inbox) <= self._config.queue // 2:
                    self._connection.resume()
                yield MessageBatch(messages, self._number, self._session)
                await asyncio.sleep(0)  # lets the socket be read even if the consumer never waits
            elif self._stopped:
                return
            else:
                self._arrived.clear()
                try:
                    async with asyncio.timeout(idle()):
                        await self._arrived.wait()
                except TimeoutError:
                    yield MessageBatch([], self._number, self._session)

    async def _linger(self) -> None:
        """Waits for LINGER_BELOW messages or a stop, for at most `mqtt.linger` seconds."""
        if self._config.linger and not self._stopped:
            self._enough.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._config.linger):
                    await self._enough.wait()

    def ack(self, batch: MessageBatch) -> None:
        """Acknowledges the batch's QoS 1 messages, unless their connection is gone: the broker then repeats them."""
        if self._connection is not None and batch.connection == self._number:
            self._counts.acknowledged += self._connection.ack(batch.messages)

    def publish(self, messages: Iterable[Outgoing]) -> None:
        """Puts the messages into the outbox and writes what the connection takes now; the rest is written later."""
        for message in messages:
            self._sender.take(message)
        self._sender.pump()

    async def _run(self, access: Access, events: Events) -> None:
        ceiling = FIRST_PAUSE
        while True:
            began, objected = time.monotonic(), False
            try:
                async with Connection(access, events, resident=True, limits=self._limits) as connection:
                    await self._serve(connection)
            except LinkError as error:
                reason, evicted = str(error), isinstance(error, HungUp) and self._idle
                objected = isinstance(error, Objection)
                if isinstance(error.__cause__, Refused):
                    self._limit(self._limits.refused(error.__cause__.code))
            finally:
                lasting, was_connected = time.monotonic() - began, self.connected
                self._disconnected(objected=objected)
            lasted = lasting > 2 * self._config.reconnect_max
            # A short connection does not reset the pauses: two daemons with one client id would never pause.
            if was_connected and lasted:
                ceiling = FIRST_PAUSE
            self._short_connections = 0 if lasted or not was_connected else self._short_connections + evicted
            if evicted and self._short_connections >= SHORT_CONNECTIONS:
                reason = f"{reason}, {SAME_CLIENT_ID}"
            pause = random.uniform(0, min(ceiling, self._config.reconnect_max))  # noqa: S311
            ceiling = min(2 * ceiling, self._config.reconnect_max)
            self._log_end(reason, pause, was_connected=was_connected)
            await asyncio.sleep(pause)

    @property
    def _idle(self) -> bool:
        """Whether the broker has nothing of this connection to object to: all that it was asked it has answered."""
        return self._online and not self._sender.in_flight

    async def _serve(self, connection: Connection) -> None:
        """Subscribes, publishes `online`, and applies `refilter` until the connection is lost; raises LinkError."""
        await self._subscriptions.apply(connection)
        self._sender.greet(Outgoing(self._config.availability, b"online", 1, True))
        self._online = True
        self._changed.set()
        while True:
            await connection.lost(unless=self._subscriptions.changed)
            await self._subscriptions.apply(connection)
            self._changed.set()

    def _opened(self, connection: Connection) -> None:
        self._connection = connection
        self._number += 1
        self._session += not connection.session_kept
        self._inbox.void(redelivered=connection.session_kept)
        self._limit(connection.limits)
        self._sender.attach(connection)
        self.connected = True
        self._counts.connects += 1
        self._failures.forget()
        kept = "session kept" if connection.session_kept else "new session"
        log.info("connected to %s, MQTT %s, %s", self._config.where, connection.protocol, kept)

    def _limit(self, limits: Limits) -> None:
        """The broker takes this of a will and of publishes; told once."""
        if limits != self._limits:
            log.warning("the broker takes no %s: will, availability and forecasts go without", limits)
        self._limits = limits

    def _disconnected(self, *, objected: bool) -> None:
        self._counts.disconnects += self.connected
        self.connected = self._online = False
        self._connection = None
        self._subscriptions.forget()
        self._sender.detach(hung_up=objected)

    def _log_end(self, reason: str, pause: float, *, was_connected: bool) -> None:
        if was_connected:
            log.warning("connection lost: %s; next attempt in %.1f s", reason, pause)
        elif word := self._failures.again(reason, time.monotonic()):
            log.warning("not connected: %s; next attempt in %.1f s, and so on%s", reason, pause, word)

    def _received(self, messages: list[Message]) -> None:
        if self._stopped:
            return
        self._counts.received += len(messages)
        before = self._inbox.dropped
        self._inbox.extend(messages)
        dropped = self._inbox.dropped - before
        if dropped and (word := self._losses.again(DROPPED, time.monotonic(), dropped)):
            log.warning("%s%s", DROPPED, word)
        if len(self._inbox) > self._config.queue and self._connection is not None:
            # More QoS 1 messages than the receive maximum that was announced, which mosquitto 2.0 ignores.
            self._connection.pause()
        self._arrived.set()
        if len(self._inbox) >= LINGER_BELOW:
            self._enough.set()

    def _wake(self) -> None:
        self._arrived.set()
        self._enough.set()
        self._changed.set()

    def _check(self) -> None:
        if self._task is not None and self._task.done() and not self._task.cancelled():
            self._task.result()
