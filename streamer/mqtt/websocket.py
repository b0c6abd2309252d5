"""MQTT over WebSockets (MQTT 5, section 6): between the socket and a channel, which take this for each other."""

import asyncio
from collections.abc import Callable
from typing import cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from streamer.mqtt.access import NoUpgrade
from streamer.mqtt.channel import READ_SIZE, Channel

LARGEST = 2**28
"""Bytes of the largest frame: those of the largest MQTT packet."""


class WebSocket(asyncio.Protocol):
    """The protocol of a socket and, once the server has agreed, the transport of a channel.

    `opened` resolves to the channel, or to the OSError that ended the connection before.
    """

    def __init__(self, url: str, make: Callable[[], Channel]) -> None:
        self.opened: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
        self._frames = ClientProtocol(parse_uri(url), subprotocols=[Subprotocol("mqtt")], max_size=LARGEST)
        self._make = make
        self._channel: Channel | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._frames.send_request(self._frames.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._frames.receive_data(data)
        self._flush()
        answered = self._frames.handshake_exc is not None or self._frames.state is not State.CONNECTING
        if self._channel is None and answered:
            self._open()
        for event in self._frames.events_received():
            if isinstance(event, Frame) and self._channel is not None:
                self._take(event, self._channel)
        if self._frames.close_expected():
            self._transport.close()

    def _open(self) -> None:
        """The server has answered the request."""
        if self.opened.done():  # nobody waits any more
            self._transport.abort()
        elif self._frames.handshake_exc is not None or self._frames.state is not State.OPEN:
            self._refuse(answer(self._frames.handshake_exc))
        elif self._frames.subprotocol is None:
            self._refuse("opens a WebSocket that is not one of MQTT")
        else:
            self._channel = self._make()
            self._channel.connection_made(cast(asyncio.BaseTransport, self))
            self.opened.set_result(self._channel)

    def _refuse(self, why: str) -> None:
        self.opened.set_exception(NoUpgrade(why))
        self._transport.abort()

    def _take(self, frame: Frame, channel: Channel) -> None:
        """The bytes of a frame, to the channel, which does not see frames; MQTT has no frames of text."""
        if frame.opcode is Opcode.TEXT:
            self._frames.fail(CloseCode.UNSUPPORTED_DATA)
            self._flush()
            self._transport.close()
        elif frame.opcode in (Opcode.BINARY, Opcode.CONT):
            for at in range(0, len(frame.data), READ_SIZE):
                some = frame.data[at : at + READ_SIZE]
                channel.get_buffer(len(some))[: len(some)] = some
                channel.buffer_updated(len(some))

    def _flush(self) -> None:
        for data in self._frames.data_to_send():
            if data and not self._transport.is_closing():
                self._transport.write(data)

    def pause_writing(self) -> None:
        if self._channel is not None:
            self._channel.pause_writing()

    def resume_writing(self) -> None:
        if self._channel is not None:
            self._channel.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._channel is not None:
            self._channel.connection_lost(exc)
        elif not self.opened.done():
            self.opened.set_exception(NoUpgrade("closed the connection at the WebSocket request"))

    def write(self, data: bytes) -> None:
        """Sends a frame."""
        if self._frames.state is State.OPEN:
            self._frames.send_binary(data)
            self._flush()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def set_write_buffer_limits(self, high: int) -> None:
        self._transport.set_write_buffer_limits(high=high)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def close(self) -> None:
        """Says goodbye, and closes once that is written."""
        if self._frames.state is State.OPEN:
            self._frames.send_close(CloseCode.NORMAL_CLOSURE)
            self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()


def answer(refused: Exception | None) -> str:
    """What the server said instead of agreeing."""
    if isinstance(refused, InvalidStatus):
        return f"answered the WebSocket request with HTTP {refused.response.status_code}"
    reason = str(refused) if isinstance(refused, WebSocketException) else "no answer of HTTP"
    return f"did not open a WebSocket ({reason.splitlines()[0] if reason else 'no reason'})"
