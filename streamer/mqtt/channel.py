"""One stream to the broker, TCP or TLS: what arrived is handed on chunk by chunk, what is sent is gathered."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import cast

from streamer.mqtt.access import Access
from streamer.mqtt.decoder import Arrived, Decoder
from streamer.mqtt.encoder import PINGREQ
from streamer.mqtt.reasons import KEEPALIVE_TIMEOUT, Dismissed

CONGESTED = 65_536  # bytes that may wait for the kernel before publishing pauses
READ_AT_ONCE = 65_536  # bytes, before the event loop gets its turn
CONNECT_SECONDS = 5.0  # for each address of the host


def ignore(*_: object) -> None:
    """Takes the events of a channel that was left."""


class Channel(asyncio.BufferedProtocol):
    """Calls `arrived` with what every chunk completed, and `moved` when what was congested is written, or at the end.

    `ended` then holds what ended it, an exception or None; one raised by `arrived` is among them.
    """

    def __init__(self, decoder: Decoder, arrived: Callable[[Arrived], None], moved: Callable[[], None]) -> None:
        self.congested = False
        self.ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self._decoder = decoder
        self._arrived = arrived
        self._moved = moved
        self._buffer = memoryview(bytearray(READ_AT_ONCE))
        self._parts: list[bytes] = []
        self._reason: BaseException | None = None
        self._heard = True  # something, since the last PINGREQ
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None

    def send(self, *parts: bytes) -> None:
        """Gathers what is written at once by `flush`, or by the event loop's next turn."""
        if not self._parts:
            asyncio.get_running_loop().call_soon(self.flush)
        self._parts += parts

    def flush(self) -> None:
        """Hands over all that is gathered: the kernel takes what it can, the rest follows by itself."""
        if self._parts:
            if not self._transport.is_closing():
                self._transport.write(b"".join(self._parts))
            self._parts.clear()

    def pause(self) -> None:
        """Reads no more until `resume`: what the kernel's buffers do not hold waits at the broker."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Reads again, if `pause` had stopped it."""
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._heard = True  # nobody listened meanwhile
            self._transport.resume_reading()

    def keep_alive(self, seconds: float) -> None:
        """From now on asks for a sign of life twice in that time; a broker that gives none is taken for dead."""
        self._timer = asyncio.get_running_loop().call_later(seconds / 2, self._ask, seconds)

    def _ask(self, seconds: float) -> None:
        if self._heard or self._paused:
            self._heard = False
            self.send(PINGREQ)
            self.flush()
            self.keep_alive(seconds)
        else:
            self.end(Dismissed(KEEPALIVE_TIMEOUT))

    def end(self, reason: BaseException) -> None:
        """Ends the connection at once, for that reason."""
        self._reason = self._reason or reason
        self._transport.abort()

    async def leave(self, seconds: float) -> None:
        """Writes what is gathered in that time, if more than 0, and closes; no events from here on."""
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
        self._transport.set_write_buffer_limits(high=CONGESTED)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._heard = True
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


async def open_channel(
    access: Access, make: Callable[[], Channel], connect_seconds: float = CONNECT_SECONDS
) -> Channel:
    """Connects to the first address of the host that answers; raises OSError, of which SSLError is one."""
    config, loop = access.config, asyncio.get_running_loop()
    failed: OSError | None = None
    for *_, address in await loop.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM):
        try:
            host, name = str(address[0]), None if access.tls is None else config.host
            async with asyncio.timeout(connect_seconds):
                _, channel = await loop.create_connection(make, host, config.port, ssl=access.tls, server_hostname=name)
        except OSError as error:
            failed = error
        else:
            return channel
    raise failed or OSError(f"no address for {config.host}")
