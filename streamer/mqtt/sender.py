"""Publishes from the outbox without blocking: as much as the connection takes now, the rest later."""

import asyncio
import logging
import re
import time
from collections.abc import Sequence

from streamer.mqtt.connection import Connection
from streamer.mqtt.poison import DEATHS, Poison
from streamer.mqtt.queues import Outbox
from streamer.records import Outgoing
from streamer.repeats import Repeats

SUPERSEDED = (
    "forecasts replaced by newer ones of their topic: the broker takes them too slowly, and mqtt.outbox is full"
)

log = logging.getLogger("streamer.mqtt")

WRITE_SIZE = 256  # publishes collected for one write
WRITES_PER_TURN = 8  # writes before the event loop runs; more than a batch's forecasts, or the outbox would grow


class Sender:
    """Owns the outbox and the publishes in flight; outlives connections, has one from `attach` to `detach`."""

    def __init__(self, limit: int) -> None:
        self.outbox = Outbox(limit)
        self.put = self.published = 0
        self.refused = 0
        self._in_flight: dict[int, Outgoing] = {}
        self._poison = Poison()
        self._connection: Connection | None = None
        self._greeting: Outgoing | None = None
        self._greeting_waits = self._greeting_in_flight = False
        self._pump_due = False
        self._progress = asyncio.Event()
        self._repeats, self._superseded = Repeats(), 0

    def take(self, message: Outgoing) -> None:
        """Puts a message into the outbox; `pump` sends it."""
        self.put += 1
        self.outbox.put(message)

    def attach(self, connection: Connection) -> None:
        self._connection = connection
        self._schedule()

    def greet(self, greeting: Outgoing) -> None:
        """Publishes a message of this connection alone, ahead of the outbox."""
        self._greeting, self._greeting_waits = greeting, True
        self.pump()

    def detach(self, *, hung_up: bool) -> None:
        """Puts the publishes in flight back at the front of the outbox; `hung_up`: a publish may be why it was lost."""
        self._connection = None
        in_flight = list(self._in_flight.values())
        if hung_up and (topic := self._poison.hung_up(in_flight)) is not None:
            log.error("publish to %.200r given up until a restart: %d connections ended on it", topic, DEATHS)
        self.outbox.put_back([one for one in in_flight if one is not self._greeting])
        self._in_flight.clear()
        self._greeting_waits = self._greeting_in_flight = False
        self._progress.set()

    @property
    def unsent(self) -> int:
        """Number of messages in the outbox and of those not acknowledged yet, but for the greeting."""
        return len(self.outbox) + len(self._in_flight) - self._greeting_in_flight

    @property
    def in_flight(self) -> int:
        """Number of publishes that the broker has not acknowledged yet."""
        return len(self._in_flight)

    def pump(self) -> None:
        """Publishes until the outbox is empty, the window full, the connection congested, or the turn over."""
        connection = self._connection
        if self.outbox.superseded > self._superseded:
            more, self._superseded = self.outbox.superseded - self._superseded, self.outbox.superseded
            if word := self._repeats.again(SUPERSEDED, time.monotonic(), more):
                log.warning("%s%s", SUPERSEDED, word)
        if connection is None:
            return
        for _ in range(WRITES_PER_TURN):
            if connection.congested or not self._send_some(connection):
                return  # `moved` continues
        self._schedule()

    def _send_some(self, connection: Connection) -> bool:
        """Sends what fits one write; returns whether more can be sent now."""
        taken = self._send_greeting(connection) and all(
            self._send_next(connection) for _ in range(min(WRITE_SIZE, len(self.outbox)))
        )
        connection.flush()
        return taken and len(self.outbox) > 0

    def _send_greeting(self, connection: Connection) -> bool:
        if self._greeting_waits and self._greeting is not None:
            before = len(self._in_flight)
            self._greeting_waits = not self._send(self._greeting, connection)
            self._greeting_in_flight = len(self._in_flight) > before
        return not self._greeting_waits

    def _send_next(self, connection: Connection) -> bool:
        message = self.outbox.pop()
        sent = self._send(message, connection)
        if not sent:
            self.outbox.unpop(message)
        return sent

    def _send(self, message: Outgoing, connection: Connection) -> bool:
        """Sends a message, or refuses it; false if the connection does not take it now."""
        if self._poison.topics and message.topic in self._poison.topics:
            self._refuse(message, "connections ended on it")
            return True
        full = message.qos and len(self._in_flight) >= (1 if self._poison.suspected else connection.window)
        try:
            mid = None if full else connection.send(message)
        except ValueError as error:
            self._refuse(message, str(error))
            return True
        if mid is None:
            return False
        if mid:
            self._in_flight[mid] = message
        else:
            self.published += 1
        return True

    def acknowledged(self, mids: Sequence[int], refused: str | None) -> None:
        for mid in mids:
            message = self._in_flight.pop(mid, None)
            if message is None:
                continue
            if message is self._greeting:
                self._greeting_in_flight = False
            else:
                self._poison.acknowledged()
            if refused is None:
                self.published += message is not self._greeting
            else:
                self._refuse(message, refused)
        self.moved()

    def _refuse(self, message: Outgoing, reason: str) -> None:
        if word := self._repeats.again(re.sub(r"\d+", "", reason), time.monotonic()):  # of any size alike
            log.error("publish to %.200r refused: %s%s", message.topic, reason, word)
        self.refused += 1

    def moved(self) -> None:
        """Continues publishing: the connection takes more now."""
        self._progress.set()
        if self.outbox or self._greeting_waits:
            self._schedule()

    def _schedule(self) -> None:
        # In the next turn, so that callbacks that are ready now can add to the same write.
        if not self._pump_due:
            self._pump_due = True
            asyncio.get_running_loop().call_soon(self._pump_later)

    def _pump_later(self) -> None:
        self._pump_due = False
        self.pump()

    async def flushed(self) -> bool:
        """Waits until all is published and acknowledged; false if the connection is lost first."""
        while self._connection is not None and self.unsent:
            self._progress.clear()
            await self._progress.wait()
        return self._connection is not None
