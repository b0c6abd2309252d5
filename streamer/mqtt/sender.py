"""Publishes without waiting: from the outbox as far as the connection takes it, the rest when it takes more."""

import asyncio
import logging
from collections.abc import Sequence

from streamer.mqtt.connection import Connection
from streamer.mqtt.queues import Outbox
from streamer.records import Outgoing

log = logging.getLogger("streamer.mqtt")

AT_ONCE = 256  # publishes before they are written
TURN = 8  # times as many before the event loop gets its turn: more than the largest batch, lest the outbox grow by each


class Sender:
    """Owns the outbox and what is in flight; outlives connections, between `attach` and `detach` it has one."""

    def __init__(self, limit: int) -> None:
        self.outbox = Outbox(limit)
        self.outbox.hold()
        self.published = 0
        self.refused = 0
        self._in_flight: dict[int, Outgoing] = {}
        self._connection: Connection | None = None
        self._pump_due = False
        self._progress = asyncio.Event()

    def attach(self, connection: Connection) -> None:
        self._connection = connection
        self.outbox.release()
        self._schedule()

    def detach(self) -> None:
        """What was in flight goes first on the next connection; until then only the newest of each topic is kept."""
        self._connection = None
        self.outbox.hold(first=self._in_flight.values())
        self._in_flight.clear()
        self._progress.set()

    @property
    def unsent(self) -> int:
        """Messages in the outbox, and those the broker has not acknowledged yet."""
        return len(self.outbox) + len(self._in_flight)

    def pump(self) -> None:
        """Publishes until the outbox is empty, the window full, the socket congested, or a turn is over."""
        connection = self._connection
        if connection is None:
            return
        for _ in range(TURN):
            if connection.congested or not self._send_some(connection):
                return  # `moved` goes on
        self._schedule()

    def _send_some(self, connection: Connection) -> bool:
        """Whether there is more to send at once."""
        taken = all(self._send(self.outbox.pop(), connection) for _ in range(min(AT_ONCE, len(self.outbox))))
        self.outbox.release()
        connection.flush()
        return taken and len(self.outbox) > 0

    def _send(self, message: Outgoing, connection: Connection) -> bool:
        full = message.qos and len(self._in_flight) >= connection.window
        try:
            mid = None if full else connection.send(message)
        except ValueError as error:
            self._refuse(message, str(error))
            return True
        if mid is None:
            self.outbox.unpop(message)
            return False
        if message.qos:
            self._in_flight[mid] = message
        else:
            self.published += 1
        return True

    def acknowledged(self, mids: Sequence[int], refused: str | None) -> None:
        for mid in mids:
            message = self._in_flight.pop(mid, None)
            if message is None:
                continue
            if refused is None:
                self.published += 1
            else:
                self._refuse(message, refused)
        self.moved()

    def _refuse(self, message: Outgoing, reason: str) -> None:
        if self.refused == 0:
            log.error("publish to %.200r refused: %s; further ones are only counted", message.topic, reason)
        self.refused += 1

    def moved(self) -> None:
        """The connection takes more now."""
        self._progress.set()
        if self.outbox:
            self._schedule()

    def _schedule(self) -> None:
        # Not at once: what else the event loop has ready may add to it.
        if not self._pump_due:
            self._pump_due = True
            asyncio.get_running_loop().call_soon(self._pump_later)

    def _pump_later(self) -> None:
        self._pump_due = False
        self.pump()

    async def flushed(self) -> bool:
        """Waits until all is published and acknowledged; false if the connection went before."""
        while self._connection is not None and self.unsent:
            self._progress.clear()
            await self._progress.wait()
        return self._connection is not None
