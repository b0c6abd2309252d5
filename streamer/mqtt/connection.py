"""One connection to the broker: aiomqtt does the handshake and the subscriptions, paho what is done per message."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiomqtt
from paho.mqtt import client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from streamer.mqtt.access import Access, LinkError, explain, is_failure
from streamer.mqtt.transport import Transport, is_bug
from streamer.records import Message, Outgoing

WINDOW = 1000  # QoS 1 publishes in flight, unless the broker allows fewer
GOODBYE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Events:
    """What a connection calls, always in the event loop and never after it was left; none may call `flush`."""

    opened: Callable[["Connection"], None]
    """Connected, and nothing received yet."""
    received: Callable[[Message], None]
    acknowledged: Callable[[int, str | None], None]
    """The broker has the publish of that packet identifier, or refused it for that reason; also for some of QoS 0."""
    moved: Callable[[], None]
    """What was congested is written, or the connection is lost."""


class Connection(Transport):
    """An aiomqtt client whose per-message work goes straight to paho; used once, as a context manager.

    A resident has the configured name, a session and a will; other clients are guests that leave no trace.
    """

    def __init__(self, access: Access, events: Events, *, resident: bool) -> None:
        config, five, keep = access.config, access.five, resident and access.keeps_session
        options: dict[str, Any] = {"clean_start": not keep} if five else {"clean_session": not keep}
        if five and resident:
            options["properties"] = properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = min(65535, config.queue)
            if keep:
                properties.SessionExpiryInterval = config.session_expiry
        if resident:
            options["will"] = aiomqtt.Will(config.availability, b"offline", qos=1, retain=True)
        super().__init__(
            events.moved,
            hostname=config.host,
            port=config.port,
            username=config.username,
            password=access.password if config.username is not None else None,
            identifier=config.client_id if resident else f"{config.client_id}-{secrets.token_hex(4)}",
            protocol=aiomqtt.ProtocolVersion.V5 if five else aiomqtt.ProtocolVersion.V311,
            keepalive=config.keepalive,
            max_inflight_messages=0,
            tls_context=access.tls,
            **options,
        )
        self.protocol = "5" if five else "3.1.1"
        self.session_kept = False
        self.window = WINDOW
        self._access = access
        self._events = events
        self._farewell = False
        self._client.on_publish = None
        self._client.manual_ack_set(True)
        # paho formats a debug line per packet, and an error per lost connection that LinkError says better.
        self._client.disable_logger()

    async def __aenter__(self) -> Self:
        """Connects; raises LinkError."""
        try:
            return await super().__aenter__()
        except aiomqtt.MqttError as error:
            raise LinkError(explain(error, self._access)) from error

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes leave in order after `goodbye`; else just closes, so that the broker publishes the will."""
        try:
            if self._farewell:
                self.timeout = GOODBYE_SECONDS
                await super().__aexit__(kind, error, trace)
        except aiomqtt.MqttError:
            pass  # the broker takes nothing any more
        finally:
            self._abandon()

    def goodbye(self) -> None:
        """Leaving is intended from here on: no will."""
        self._farewell = True

    async def lost(self) -> None:
        """Waits for the end of the connection and raises LinkError, or the exception of a callback that failed."""
        # Not awaited itself: that would cancel aiomqtt's future along with the waiting task.
        await asyncio.wait([self._disconnected])
        self.check()

    def check(self) -> None:
        """Raises as `lost` does if the connection is at its end already."""
        if not self._disconnected.done():
            return
        error = self._disconnected.exception()
        if is_bug(error):
            raise error
        raise LinkError(explain(error, self._access)) from error

    async def subscribe_all(self, filters: Sequence[str], qos: int) -> dict[str, str]:
        """The filters that the broker refused, with its reasons; raises LinkError."""
        if not filters:
            return {}
        try:
            codes: Sequence[int | ReasonCode] = await self.subscribe([(name, qos) for name in filters])
        except aiomqtt.MqttError as error:
            self.check()
            raise LinkError(explain(error, self._access)) from error
        return {name: str(code) for name, code in zip(filters, codes, strict=True) if is_failure(code)}

    async def unsubscribe_all(self, filters: Sequence[str]) -> None:
        """Raises LinkError."""
        try:
            if filters:
                await self.unsubscribe(list(filters))
        except aiomqtt.MqttError as error:
            self.check()
            raise LinkError(explain(error, self._access)) from error

    def send(self, message: Outgoing) -> int | None:
        """Queues one publish and returns its packet identifier, or None if it could not be taken now.

        Raises ValueError for a topic that no broker would take.
        """
        if message.qos:
            # Set only while needed: with it paho builds two objects per QoS 0 message that nobody looks at.
            self._client.on_publish = self._on_publish
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        return info.mid if info.rc == paho.MQTT_ERR_SUCCESS else None

    def ack(self, messages: Iterable[Message]) -> int:
        """Acknowledges those of QoS 1 and returns how many."""
        mids = [message.mid for message in messages if message.qos and message.mid]
        for mid in mids:
            self._client.ack(mid, 1)
        if mids:
            self.flush()
        return len(mids)

    def all_acknowledged(self) -> None:
        """Nothing of QoS 1 is in flight: `acknowledged` will not be called before the next such `send`."""
        self._client.on_publish = None

    def _on_connect(
        self,
        client: paho.Client,
        userdata: object,
        flags: paho.ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        if self._connected.done():
            return
        super()._on_connect(client, userdata, flags, reason_code, properties)
        if not reason_code.is_failure:
            self.window = min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW))
            # Here and not after the handshake: messages of a kept session come in the same breath.
            self.session_kept = flags.session_present
            self._events.opened(self)

    def _on_message(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # forbidden by the protocol; never acknowledged, it would block the window
            client.ack(message.mid, message.qos)
            return
        payload = bytes(message.payload)
        self._events.received(Message(topic, payload, message.qos, message.retain, message.mid, time.time()))

    def _on_publish(
        self, client: paho.Client, userdata: object, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        self._events.acknowledged(mid, str(reason_code) if reason_code.is_failure else None)
