"""One connection against a broker of a few lines that says what a real one seldom does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from streamer.config import Mqtt
from streamer.mqtt.access import Access, LinkError, explain
from streamer.mqtt.channel import Channel
from streamer.mqtt.connection import ANSWER_SECONDS, Connection, Events
from streamer.mqtt.decoder import Arrived, Decoder
from streamer.mqtt.dial import open_channel
from streamer.mqtt.encoder import PINGREQ
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.mqtt.reasons import KEEPALIVE_TIMEOUT, Dismissed
from streamer.records import Message, Outgoing
from tests.broker import Mosquitto, until
from tests.mqtt.links import linked, payloads, receive

CONNACK = b"\x20\x03\x00\x00\x00"
DISCONNECT = b"\xe0\x02\x8e\x00"  # session taken over
PUBLISH = b"\x30\x05\x00\x01a\x001"


@dataclass
class Script:
    """A server that answers the first bytes it gets with `says`, and keeps all that it gets in `heard`."""

    says: bytes
    port: int = 0
    heard: bytearray = field(default_factory=bytearray)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.heard += await reader.read(65536)
        writer.write(self.says)
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                self.heard += data

    @property
    def config(self) -> Mqtt:
        return Mqtt(url=f"mqtt://127.0.0.1:{self.port}")


@asynccontextmanager
async def scripted(says: bytes) -> AsyncIterator[Script]:
    script = Script(says)
    async with asyncio.timeout(10), await asyncio.start_server(script.serve, "127.0.0.1", 0) as server:
        script.port = server.sockets[0].getsockname()[1]
        yield script
        for writer in script.writers:
            writer.transport.abort()


@dataclass
class Log:
    """What a connection said."""

    received: list[Message] = field(default_factory=list)
    opened: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def events(self) -> Events:
        return Events(self.on_open, self.received.extend, lambda *_: None, self.moved.set)

    def on_open(self, _: Connection) -> None:
        assert not self.received
        self.opened += 1


async def end_of(script: Script, log: Log, answer_seconds: float = ANSWER_SECONDS) -> str:
    """What the connection says when it ends."""
    made = Connection(Access.of(script.config), log.events(), resident=True, answer_seconds=answer_seconds)
    with pytest.raises(LinkError) as caught:  # wherever it ends
        async with made as connection:
            await connection.lost(unless=asyncio.Event())
    return str(caught.value)


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (b"\x20\x03\x00\x86\x00", "refused the connection: Bad user name or password; check mqtt.username"),
        (b"\x20\x03\x00\x99\x00", "refused the connection: Payload format invalid"),
        (b"\x20\x03\x00\xfe\x00", "refused the connection: reason code 254"),
        (b"\x20\x02\x00\x01", "Unsupported protocol version; set mqtt.protocol"),
        (b"\xd0\x00", "sent other packets in answer to CONNECT"),
        (b"\x20\x02\x00\x00", "answered in MQTT 3.1.1; set mqtt.protocol to 3.1.1"),
        (CONNACK + CONNACK, "sent a second answer to CONNECT, which is not MQTT 5"),
        (CONNACK + b"\x36\x06\x00\x01a\x00\x01\x00", "sent a publish that contradicts itself"),
        (CONNACK + DISCONNECT, "closed the connection: Session taken over"),
    ],
)
async def test_the_end_is_told_with_its_reason(says: bytes, told: str) -> None:
    """A connection that is refused, ended or not to be understood says why in one line."""
    log = Log()
    async with scripted(says) as script:
        assert told in await end_of(script, log)
    assert log.opened == says.startswith(CONNACK)


async def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    """Without an answer to CONNECT in time there is no connection."""
    async with scripted(b"") as script:
        assert "no answer from" in await end_of(script, Log(), answer_seconds=0.05)


def channel(moved: Callable[[], None] = lambda: None, arrived: Callable[[Arrived], None] = lambda _: None) -> Channel:
    return Channel(Decoder(five=True, most_payload=100), arrived, moved)


async def test_a_server_that_does_not_shake_hands_is_not_waited_for() -> None:
    """Without a TLS handshake in time there is no connection."""
    async with scripted(b"") as script:
        access = Access.of(Mqtt(url=f"mqtts://127.0.0.1:{script.port}"))
        with pytest.raises(TimeoutError) as caught:
            await open_channel(access, channel, connect_seconds=0.05)
        assert "no answer from" in explain(caught.value, access)


async def test_what_comes_with_the_handshake_is_received() -> None:
    """Messages in the same breath as CONNACK come after `opened`, and before the end in the same breath is told."""
    log = Log()
    async with scripted(CONNACK + PUBLISH + PUBLISH + DISCONNECT) as script:
        assert "mqtt.client_id" in await end_of(script, log)
    assert payloads(log.received) == [b"1", b"1"]


async def test_leaving_moves_nothing() -> None:
    """A connection that is left calls `moved` no more, though its channel comes to its end only then."""
    log = Log()
    async with scripted(CONNACK) as script, Connection(Access.of(script.config), log.events(), resident=True):
        log.moved.clear()
    assert not log.moved.is_set()


async def test_the_brokers_keepalive_holds() -> None:
    """A broker that wants a sign of life more often than configured gets it."""
    log = Log()
    async with (
        scripted(b"\x20\x06\x00\x00\x03\x13\x00\x01") as script,
        Connection(Access.of(script.config), log.events(), resident=True),
    ):
        await until(lambda: PINGREQ in script.heard)


@asynccontextmanager
async def channel_to(script: Script, make: Callable[[], Channel]) -> AsyncIterator[Channel]:
    made = await open_channel(Access.of(script.config), make)
    yield made
    await made.leave(0)


async def test_what_arrives_after_leaving_is_not_handed_on() -> None:
    """A chunk that TLS still delivers while it shuts down a channel that was left is no event any more."""
    arrived: list[Arrived] = []
    async with scripted(b"") as script, channel_to(script, partial(channel, arrived=arrived.append)) as made:
        for left in (False, True):
            if left:
                await made.leave(0)
            made.get_buffer(-1)[: len(PUBLISH)] = PUBLISH
            made.buffer_updated(len(PUBLISH))
    assert [payloads(one.messages) for one in arrived] == [[b"1"]]


async def test_a_silent_broker_is_taken_for_dead() -> None:
    """A broker that answers no PINGREQ is asked once and given up."""
    async with scripted(b"") as script, channel_to(script, channel) as made:
        made.keep_alive(0.1)
        reason = await made.ended
        assert isinstance(reason, Dismissed)
        assert reason.code == KEEPALIVE_TIMEOUT
        assert script.heard == PINGREQ


async def test_a_broker_that_is_not_listened_to_is_not_dead() -> None:
    """While reading is paused silence means nothing; afterwards the broker is asked again before it is given up."""
    async with scripted(b"") as script, channel_to(script, channel) as made:
        made.pause()
        made.keep_alive(0.02)
        await until(lambda: script.heard.count(PINGREQ) > 3)
        assert not made.ended.done()
        asked = script.heard.count(PINGREQ)
        made.resume()
        assert isinstance(await made.ended, Dismissed)
        await until(lambda: script.heard.count(PINGREQ) > asked)


async def test_writing_without_a_reader_is_congested() -> None:
    """What the kernel does not take makes the channel `congested` until it is written, and `moved` says so."""
    moved = asyncio.Event()
    async with scripted(b"") as script, channel_to(script, partial(channel, moved.set)) as made:
        made.send(bytes(20_000_000))
        made.flush()
        congested = made.congested
        await moved.wait()
        assert (congested, made.congested) == (True, False)


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_a_huge_payload_costs_nothing_but_itself(mosquitto: Mosquitto, protocol: str) -> None:
    """A payload of 10 MB arrives cut, but too long still, and is acknowledged; what follows it is whole."""
    config = mosquitto.config(protocol=protocol, max_payload=1000)
    async with linked(config, "a") as link, Publisher(config) as publisher:
        await publisher.publish("a", bytes(10_000_000))
        await publisher.publish("a", b"next")
        messages = await receive(link, 2)
        assert [len(message.payload) for message in messages] == [1001, 4]
        assert (link.counts.acknowledged, link.counts.disconnects) == (2, 0)


async def test_what_is_too_large_for_the_broker_is_refused(tmp_path: Path) -> None:
    """A publish beyond the packet size that the broker announces is refused and counted; the connection stays."""
    async with Mosquitto(tmp_path, max_packet_size="1000") as broker, linked(broker.config()) as link:
        link.publish([Outgoing("a", bytes(2000), 1, False), Outgoing("a", b"1", 1, False)])
        await until(lambda: link.unsent == 0)
        assert (link.counts.refused, link.counts.published, link.counts.disconnects) == (1, 1, 0)


async def test_any_address_of_the_host_will_do(mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    """A name with several addresses, of which one answers, is connected to without a word."""
    config = mosquitto.config(url=f"mqtt://localhost:{mosquitto.port}")
    async with asyncio.timeout(5), Link(config, []) as link:
        await link.ready()
    assert not caplog.records


async def test_packet_identifiers_come_round(mosquitto: Mosquitto) -> None:
    """After 65,535 publishes the identifiers begin again, and every publish is acknowledged."""
    async with Publisher(mosquitto.config()) as publisher:
        for _ in range(66_000):
            await publisher.publish("a", b"")
