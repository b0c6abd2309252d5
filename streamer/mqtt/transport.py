"""aiomqtt's client with a socket that is read and written many packets at a time; the only place that knows its inside.

The attributes with an underscore are those of aiomqtt 2.5 and paho-mqtt 2; the README says why each is needed.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeGuard

import aiomqtt
from paho.mqtt import client as paho
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from streamer.mqtt.wire import Wire

CONGESTED = 65536  # bytes that may wait for the kernel before publishing pauses
CONNECT_SECONDS = 5.0
HANDSHAKE = "no handshake"  # marks an error before the connection was accepted
TURN_SECONDS = 0.005  # of reading before the event loop gets its turn


def is_bug(error: BaseException | None) -> TypeGuard[BaseException]:
    """Whether a connection ended by a fault of this program, and not of network or broker."""
    return error is not None and not isinstance(error, (aiomqtt.MqttError, OSError))


class Transport(aiomqtt.Client):
    """Connects once; `moved` is called when what was congested is written, and at the end of the connection."""

    def __init__(self, moved: Callable[[], None], **options: Any) -> None:  # those of aiomqtt.Client
        super().__init__(**options)
        self._moved = moved
        self._wire: Wire | None = None
        self._connecting = False  # in its thread
        self._entered = False
        self._abandoned = False
        self._paused = False
        self._client.connect_timeout = CONNECT_SECONDS

    async def __aenter__(self) -> Self:
        """Raises MqttError, or what a callback raised, and then leaves nothing open."""
        before = self._disconnected
        try:
            await super().__aenter__()
            if before.done():  # aiomqtt has forgotten it
                error = before.exception()
                raise error if is_bug(error) else aiomqtt.MqttError("lost again at once") from error
        except BaseException:
            self._abandon()
            raise
        self._entered = True
        self._disconnected.add_done_callback(self._ended)
        return self

    @property
    def congested(self) -> bool:
        """Whether enough waits for the kernel; `moved` is called once it has taken it."""
        return self._wire is None or self._wire.unsent > CONGESTED

    def flush(self) -> None:
        """Writes what the kernel takes; the rest follows by itself. Not from within an event: paho would deadlock."""
        with self._guard():
            self._client.loop_write()

    def pause(self) -> None:
        """Reads no more until `resume`: what the kernel's buffers do not hold waits at the broker."""
        if not self._paused and self._wire is not None and self._wire.fileno() >= 0:
            self._paused = True
            self._loop.remove_reader(self._wire.fileno())

    def resume(self) -> None:
        """Reads again, if `pause` had stopped it and the connection is still there."""
        if self._paused and self._wire is not None and self._wire.fileno() >= 0:
            self._paused = False
            self._loop.add_reader(self._wire.fileno(), self._read)
            self._loop.call_soon(self._read)  # what was read ahead makes no socket readable

    def _ended(self, _: asyncio.Future[None]) -> None:
        # aiomqtt would have them wait for their timeout.
        for subscribed in self._pending_subscribes.values():
            if not subscribed.done():
                subscribed.set_exception(aiomqtt.MqttError("lost while subscribing"))
        for unsubscribed in self._pending_unsubscribes.values():
            unsubscribed.set()
        self._moved()

    def _abandon(self) -> None:
        """Lets go of the socket, in whatever state; the thread that connects may still be at it."""
        self._abandoned = True
        self._client.on_message = None
        self._client.on_publish = None
        if self._entered:
            self._client._sock_close()
        elif not self._connecting:
            self._loop.call_soon(self._client._sock_close)  # after what the thread has asked of the loop
        for future in (self._connected, self._disconnected):
            if future.done() and not future.cancelled():
                future.exception()  # retrieved, lest asyncio complain

    def _client_connect(self) -> None:
        """Runs in a thread, which a cancelled `__aenter__` leaves behind."""
        self._connecting = True
        try:
            super()._client_connect()
        finally:
            self._connecting = False
            if self._abandoned:
                self._loop.call_soon_threadsafe(self._client._sock_close)

    def _on_socket_open(self, client: paho.Client, userdata: object, sock: socket.socket | Wire) -> None:
        wire = sock if isinstance(sock, Wire) else Wire(sock)
        self._wire = client._sock = wire  # type: ignore[assignment]  # has what paho calls from here on
        super()._on_socket_open(client, userdata, wire)
        # Instead of aiomqtt's reader, which reads one packet, or for as long as more is pending.
        self._loop.call_soon_threadsafe(self._loop.add_reader, sock.fileno(), self._read)

    def _read(self) -> None:
        with self._guard():
            turn_ends = time.monotonic() + TURN_SECONDS
            while time.monotonic() < turn_ends:
                if self._paused:
                    return
                self._client.loop_read()
                if self._client._sock is None or self._wire is None or not self._wire.pending():
                    return
            self._loop.call_soon(self._read)  # what was read ahead makes no socket readable

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """A failure ends the connection; a bug is raised here and by `lost`."""
        try:
            yield
        except OSError as error:
            self._end(error)
        except BaseException as error:
            self._end(error)
            raise

    def _end(self, error: BaseException) -> None:
        if not self._connected.done():  # what is there talks, but not MQTT
            self._connected.set_exception(aiomqtt.MqttCodeError(None, HANDSHAKE))
        elif not self._disconnected.done():
            self._disconnected.set_exception(error)

    def _on_socket_register_write(self, client: paho.Client, userdata: object, sock: socket.socket | Wire) -> None:
        if self._connecting:
            super()._on_socket_register_write(client, userdata, sock)
        else:  # aiomqtt would do it later, and thus after the `flush` that makes it needless
            self._loop.add_writer(sock.fileno(), self.flush)

    def _on_socket_unregister_write(self, client: paho.Client, userdata: object, sock: socket.socket | Wire) -> None:
        """Paho has handed over all packets; now they are written."""
        super()._on_socket_unregister_write(client, userdata, sock)
        if self._wire is None or client._sock is None:
            return
        if self._wire.flush():
            self._moved()
        else:
            client._call_socket_register_write()

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: object,
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if not self._connected.done():
            # aiomqtt would wait for its timeout.
            self._connected.set_exception(aiomqtt.MqttCodeError(reason_code, HANDSHAKE))
            return
        super()._on_disconnect(client, userdata, flags, reason_code, properties)
