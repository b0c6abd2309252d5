"""One connection to the broker: login, subscriptions, publishes, acknowledgements, and the reason for its end."""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeGuard

from streamer.mqtt import encoder
from streamer.mqtt.access import Access, HungUp, LinkError, Objection, explain
from streamer.mqtt.channel import Channel
from streamer.mqtt.decoder import Arrived, Decoder
from streamer.mqtt.dial import open_channel
from streamer.mqtt.limits import Limits
from streamer.mqtt.packets import Answer, Connack, Disconnect, Packet, Refusal
from streamer.mqtt.reasons import (
    OBJECTIONS,
    Dismissed,
    Malformed,
    NoHandshake,
    OtherVersion,
    ProtocolError,
    Refused,
    WithCode,
    name_of,
)
from streamer.records import Message, Outgoing

WINDOW = 1000  # QoS 1 publishes in flight, unless the broker allows fewer
FILTERS_PER_PACKET = 8  # of one SUBSCRIBE; AWS IoT closes the connection on more
ANSWER_SECONDS = 10.0  # longest wait for each answer of the broker
GOODBYE_SECONDS = 1.0  # longest wait for the last bytes to be written


@dataclass(frozen=True, slots=True)
class Events:
    """Callbacks of a connection; it calls them in the event loop, and none after it was left."""

    opened: Callable[["Connection"], None]
    """The broker has accepted the connection; no message has been received yet."""
    received: Callable[[list[Message]], None]
    """Messages of one chunk, in order."""
    acknowledged: Callable[[Sequence[int], str | None], None]
    """Packet identifiers of publishes that the broker has acknowledged, or refused for the reason given."""
    moved: Callable[[], None]
    """The congestion is over, or the connection is lost."""


class Connection:
    """One connection, used once as a context manager.

    A resident has the configured client id, a session and a will. Any other client is a guest: its client id has a
    random suffix, its session ends with the connection, and it has no will. `limits`: as far as they are known before.
    """

    def __init__(
        self,
        access: Access,
        events: Events,
        *,
        resident: bool,
        limits: Limits = Limits(),  # noqa: B008 # it is immutable
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        config = access.config
        self.protocol = "5" if access.five else "3.1.1"
        self.session_kept = False
        self.window = WINDOW
        self.limits, self._limited = limits, limits != Limits()
        self._access = access
        self._events = events
        self._answer_seconds = answer_seconds
        self._login = encoder.Login(
            client_id=config.client_id if resident else f"{config.client_id}-{secrets.token_hex(4)}",
            keepalive=config.keepalive,
            username=config.username,
            password=access.password if config.username is not None else None,
            will=limits.fit(Outgoing(config.availability, b"offline", 1, True)) if resident else None,
            session_expiry=config.session_expiry if resident and access.keeps_session else 0,
            receive_maximum=min(65_535, config.queue) if resident else 65_535,
        )
        self._publishes = encoder.Publishes(five=access.five)
        self._mid = 0
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._clean_exit = False
        self._heard = False  # any byte of the broker

    async def __aenter__(self) -> Self:
        """Connects; raises LinkError."""
        self._accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._channel = await open_channel(self._access, self._make_channel)
        except OSError as error:
            raise LinkError(explain(error, self._access)) from error
        try:
            self._channel.send(encoder.connect(self._login, five=self._access.five))
            await self._wait_for(self._accepted)
        except BaseException:
            await self._channel.leave(0)
            raise
        return self

    def _make_channel(self) -> Channel:
        decoder = Decoder(five=self._access.five, most_payload=self._access.config.max_payload)
        return Channel(decoder, self._arrived, self._events.moved)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Sends DISCONNECT and closes after `goodbye`; otherwise only closes, so that the broker publishes the will."""
        if self._clean_exit:
            self._channel.send(encoder.DISCONNECT)
        await self._channel.leave(GOODBYE_SECONDS if self._clean_exit else 0)

    def goodbye(self) -> None:
        """Makes the exit a clean one, after which the broker does not publish the will."""
        self._clean_exit = True

    async def lost(self, unless: asyncio.Event) -> None:
        """Waits until the connection ends, and raises LinkError or the exception of a callback that failed.

        Returns if the event is set first.
        """
        event = asyncio.create_task(unless.wait())
        try:
            # The future is not awaited itself: it would be cancelled along with the waiting task.
            waited: list[asyncio.Future[Any]] = [self._channel.ended, event]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            event.cancel()
        self.check()

    def check(self) -> None:
        """Raises what `lost` would raise if the connection has already ended."""
        if not self._channel.ended.done():
            return
        error = self._channel.ended.result()
        if is_bug(error):
            raise error
        if not self._accepted.done():
            error = self._no_handshake(error)
        elif isinstance(error, ConnectionError):
            error = None  # the broker hung up; which error the kernel made of it does not matter
        objects = isinstance(error, Dismissed) and error.code in OBJECTIONS
        kind = HungUp if error is None else Objection if objects else LinkError
        raise kind(explain(error, self._access)) from error

    def _no_handshake(self, error: BaseException | None) -> BaseException:
        """What is told of a connection that ended before it was accepted; each remedy needs its own evidence."""
        if isinstance(error, (WithCode, OtherVersion)):
            return error
        if isinstance(error, ProtocolError):
            return NoHandshake(str(error))
        return NoHandshake("half an answer") if self._heard else NoHandshake()

    async def subscribe_all(self, filters: Sequence[str], options: int) -> dict[str, str]:
        """Subscribes; returns the refused filters with their reasons. `options`: see `encoder.subscribe`.

        Raises LinkError.
        """
        codes = b""
        for asked, answer in await self._request(filters, partial(encoder.subscribe, options=options)):
            if len(answer) != len(asked):
                raise LinkError(explain(Malformed(f"{len(answer)} answers to {len(asked)} filters"), self._access))
            codes += answer
        return {name: name_of(code) for name, code in zip(filters, codes, strict=True) if code >= 128}

    async def unsubscribe_all(self, filters: Sequence[str]) -> None:
        """Unsubscribes and waits for the answers; raises LinkError."""
        await self._request(filters, encoder.unsubscribe)

    async def _request(self, filters: Sequence[str], encode: Callable[..., bytes]) -> list[tuple[Sequence[str], bytes]]:
        """Asks for all filters, in packets of a few, and waits for the answers: the filters of each packet, and its."""
        asked: list[tuple[Sequence[str], asyncio.Future[bytes]]] = []
        for at in range(0, len(filters), FILTERS_PER_PACKET):
            some, mid = filters[at : at + FILTERS_PER_PACKET], self._next_mid()
            self._answers[mid] = answer = asyncio.get_running_loop().create_future()
            self._channel.send(encode(mid, some, five=self._access.five))
            asked.append((some, answer))
        for _, answer in asked:
            await self._wait_for(answer)
        return [(some, answer.result()) for some, answer in asked]

    async def _wait_for(self, answer: asyncio.Future[Any]) -> None:
        self._channel.flush()
        waited = [answer, self._channel.ended]
        await asyncio.wait(waited, timeout=self._answer_seconds, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            self.check()
            raise LinkError(explain(TimeoutError(), self._access))

    @property
    def congested(self) -> bool:
        """Whether the write buffer is full; `moved` is called once there is room again."""
        return self._channel.congested

    def send(self, message: Outgoing) -> int | None:
        """Queues one publish and returns its packet identifier, or None if the connection has ended.

        It is sent within the broker's limits. At QoS 0 the identifier is 0. Raises ValueError for a message that no
        broker would take.
        """
        if self._channel.ended.done():
            return None
        if self._limited:
            message = self.limits.fit(message)
        mid = self._next_mid() if message.qos else 0
        self._channel.send(*self._publishes.encode(message, mid))
        return mid

    def _next_mid(self) -> int:
        # Wraps after 65,535; the few publishes in flight have been answered long before.
        self._mid = self._mid % 65_535 + 1
        return self._mid

    def flush(self) -> None:
        """Writes all that was queued; what the kernel does not take now is written later."""
        self._channel.flush()

    def ack(self, messages: Iterable[Message]) -> int:
        """Acknowledges the QoS 1 messages among these and returns their number."""
        mids = [message.mid for message in messages if message.qos and message.mid]
        if mids:
            self._channel.send(encoder.pubacks(mids))
            self._channel.flush()
        return len(mids)

    def pause(self) -> None:
        """Stops reading until `resume`; what does not fit the kernel's buffers waits at the broker."""
        self._channel.pause()

    def resume(self) -> None:
        """Reads again after `pause`, if the connection still exists."""
        self._channel.resume()

    def _arrived(self, arrived: Arrived) -> None:
        self._heard = True
        for packet in arrived.others:
            self._on_packet(packet)
        if not self._accepted.done():
            if arrived.messages or arrived.acknowledged or arrived.others:
                self._channel.end(Malformed("other packets"))
            return  # an answer that is not whole yet
        if arrived.acknowledged:
            self._events.acknowledged(arrived.acknowledged, None)
        if arrived.messages:
            self._events.received(arrived.messages)

    def _on_packet(self, packet: Packet) -> None:
        if isinstance(packet, Connack):
            self._on_connack(packet)
        elif isinstance(packet, Answer):
            answer = self._answers.pop(packet.mid, None)
            if answer is not None and not answer.done():
                answer.set_result(packet.codes)
        elif isinstance(packet, Disconnect):
            self._channel.end(Dismissed(packet.reason))
        elif isinstance(packet, Refusal):
            self._events.acknowledged([packet.mid], name_of(packet.reason))

    def _on_connack(self, connack: Connack) -> None:
        if self._accepted.done():
            self._channel.end(Malformed("a second answer to CONNECT"))
        elif connack.reason:
            self._channel.end(Refused(connack.reason))
        else:
            self._open(connack)

    def _open(self, connack: Connack) -> None:
        self._publishes = encoder.Publishes(five=self._access.five, largest=connack.largest_packet)
        self.limits = self.limits.announced(connack)
        self._limited = self.limits != Limits()
        self.window = min(WINDOW, connack.receive_maximum or WINDOW)
        self.session_kept = connack.session_present
        self._channel.keep_alive(connack.keepalive or self._login.keepalive)
        self._accepted.set_result(None)
        # Called here and not after the handshake: messages of a kept session can come in the same chunk as CONNACK.
        self._events.opened(self)


def is_bug(error: BaseException | None) -> TypeGuard[BaseException]:
    """Whether a fault of this program ended the connection, rather than the network or the broker."""
    return error is not None and not isinstance(error, (ProtocolError, OSError))
