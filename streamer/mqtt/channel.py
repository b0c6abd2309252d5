"""One byte stream to the broker, TCP, TLS or WebSocket: decodes each received chunk, gathers what is sent, pings."""

import asyncio
import time
from collections.abc import Callable
from typing import cast

from streamer.mqtt.decoder import Arrived, Decoder
from streamer.mqtt.encoder import PINGREQ
from streamer.mqtt.reasons import KEEPALIVE_TIMEOUT, Dismissed

WRITE_LIMIT = 65_536  # bytes in the write buffer above which publishing pauses
READ_SIZE = 65_536  # bytes read before the event loop runs other callbacks


def ignore(*_: object) -> None:
    """The callback of a channel that was left: does nothing."""


class Channel(asyncio.BufferedProtocol):
    """Calls `arrived` with the packets of each chunk, and `moved` after congestion and at the end of the connection.

    `ended` resolves to the exception that ended the connection, or to None. It may be one that `arrived` raised.
    """

    def __init__(self, decoder: Decoder, arrived: Callable[[Arrived], None], moved: Callable[[], None]) -> None:
        self.congested = False
        self.ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self._decoder = decoder
        self._arrived = arrived
        self._moved = moved
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._parts: list[bytes] = []
        self._reason: BaseException | None = None
        self._received_since_ping = True
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None

    def send(self, *parts: bytes) -> None:
        """Adds to the bytes that `flush`, or else the event loop's next turn, writes at once."""
        if not self._parts:
            asyncio.get_running_loop().call_soon(self.flush)
        self._parts += parts

    def flush(self) -> None:
        """Writes all gathered bytes; what the kernel does not take now, the transport writes later."""
        if self._parts:
            if not self._transport.is_closing():
                self._transport.write(b"".join(self._parts))
            self._parts.clear()

    def pause(self) -> None:
        """Stops reading until `resume`; what does not fit the kernel's buffers waits at the broker."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Reads again after `pause`."""
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._received_since_ping = True  # while paused, silence says nothing about the broker
            self._transport.resume_reading()

    def keep_alive(self, seconds: float) -> None:
        """Sends PINGREQ every `seconds` / 2; ends the connection if nothing was received between two of them."""
        self._timer = asyncio.get_running_loop().call_later(seconds / 2, self._ping, seconds)

    def _ping(self, seconds: float) -> None:
        if self._received_since_ping or self._paused:
            self._received_since_ping = False
            self.send(PINGREQ)
            self.flush()
            self.keep_alive(seconds)
        else:
            self.end(Dismissed(KEEPALIVE_TIMEOUT))

    def end(self, reason: BaseException) -> None:
        """Ends the connection at once; the first reason given is the one that `ended` has."""
        self._reason = self._reason or reason
        self._transport.abort()

    async def leave(self, seconds: float) -> None:
        """Closes and calls nobody back; first writes what is gathered, for up to `seconds`, if above 0."""
        self._arrived = self._moved = ignore
        try:
            if seconds:
                self.flush()
                self._transport.close()
                await asyncio.wait([self.ended], timeout=seconds)
        finally:
            self._transport.abort()
            await asyncio.wait([self.ended])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_LIMIT)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._received_since_ping = True
        arrived = self._decoder.feed(bytes(self._buffer[:nbytes]), time.time())
        self._arrived(arrived)
        if arrived.malformed is not None:
            self.end(arrived.malformed)

    def pause_writing(self) -> None:
        self.congested = True

    def resume_writing(self) -> None:
        self.congested = False
        self._moved()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.ended.set_result(self._reason or exc)
        self._moved()
