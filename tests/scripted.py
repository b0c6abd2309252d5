"""A broker for tests that does what a script says, right or wrong, and remembers what it was told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from streamer.config import Mqtt
from streamer.mqtt.encoder import LARGEST, binary, packet, varint
from streamer.mqtt.packets import read_varint

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 10, 12, 14
"""Types of the packets that a client sends."""
PAUSE = 0.005
"""Seconds between two segments, so that a client in another process reads them one by one."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One packet of the client: the number of its connection, type, flags of its first byte, and the rest."""

    connection: int
    kind: int
    flags: int
    body: bytes

    @property
    def topic(self) -> str:
        """Of a PUBLISH."""
        return self.body[2 : self._after_topic].decode()

    @property
    def mid(self) -> bytes:
        """The packet identifier of a PUBLISH of QoS 1, of a SUBSCRIBE or of an UNSUBSCRIBE, as two bytes."""
        at = self._after_topic if self.kind == PUBLISH else 0
        return self.body[at : at + 2]

    @property
    def qos(self) -> int:
        """Of a PUBLISH."""
        return self.flags >> 1 & 3

    @property
    def _after_topic(self) -> int:
        return 2 + int.from_bytes(self.body[:2])

    @property
    def payload(self) -> bytes:
        """Of a PUBLISH of MQTT 5 without properties."""
        return self.body[self._after_topic + (2 if self.qos else 0) + 1 :]

    def filters(self) -> list[str]:
        """Of a SUBSCRIBE of MQTT 5 without properties."""
        at, found = 3, []
        while at < len(self.body):
            end = at + 2 + int.from_bytes(self.body[at : at + 2])
            found.append(self.body[at + 2 : end].decode())
            at = end + 1
        return found


@dataclass(frozen=True, slots=True)
class Expect:
    """Waits for the next packet of this type; what comes before it is heard and not answered."""

    kind: int


class Send:
    """Sends segments, each by itself; one may be made from the packet that was expected last."""

    def __init__(self, *segments: bytes | Callable[[Heard], bytes]) -> None:
        self.segments = segments


def connack(properties: bytes = b"", *, kept: bool = False, reason: int = 0) -> bytes:
    """The answer to CONNECT of MQTT 5."""
    return packet(0x20, bytes((kept, reason)), varint(len(properties)), properties)


def suback(heard: Heard) -> bytes:
    """Grants every filter at QoS 1."""
    return packet(0x90, heard.mid, b"\0", b"\1" * len(heard.filters()))


def puback(heard: Heard) -> bytes:
    """Takes a publish."""
    return packet(0x40, heard.mid)


def publish(topic: bytes, payload: bytes = b"", *, mid: int | None = None, dup: bool = False) -> bytes:
    """A message, at QoS 1 if it has a packet identifier."""
    middle = b"" if mid is None else mid.to_bytes(2)
    return packet(0x30 | dup << 3 | (mid is not None) << 1, binary(topic), middle, b"\0", payload)


def answer(heard: Heard) -> bytes:
    """What a good broker says to a packet."""
    if heard.kind == SUBSCRIBE:
        return suback(heard)
    if heard.kind == UNSUBSCRIBE:
        return packet(0xB0, heard.mid, b"\0\0")
    if heard.kind == PINGREQ:
        return b"\xd0\0"
    return puback(heard) if heard.kind == PUBLISH and heard.qos else b""


@dataclass(frozen=True, slots=True)
class Serve:
    """Answers as a good broker does, until the client leaves or `until` says so of a packet, which gets no answer."""

    until: Callable[[Heard], bool] = lambda _: False
    says: Callable[[Heard], bytes] = answer


class Close:
    """Ends the connection without a word."""


class Stall:
    """Says nothing any more, and listens."""


Step = Expect | Send | Serve | Close | Stall


GOOD: tuple[Step, ...] = (Expect(CONNECT), Send(connack()), Serve())


@dataclass
class Scripted:
    """Plays `scripts[i]` to connection i, and the last one to all further ones; MQTT 5, but for what `Send` sends."""

    scripts: Sequence[Sequence[Step]]
    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def config(self, **changes: Any) -> Mqtt:
        """A configuration for it, with quick reconnects."""
        return Mqtt(**{"url": f"mqtt://127.0.0.1:{self.port}", "reconnect_max": 0.01, **changes})

    def of(self, kind: int) -> list[Heard]:
        """What was heard of one type."""
        return [one for one in self.heard if one.kind == kind]

    def topics(self) -> list[str]:
        """Of all that was published, in order."""
        return [one.topic for one in self.of(PUBLISH)]

    def payloads(self, prefix: str = "") -> list[bytes]:
        """Of what was published on topics that begin so, in order."""
        return [one.payload for one in self.of(PUBLISH) if one.topic.startswith(prefix)]

    async def play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        number, last = self.connections, None
        self.connections += 1
        self.writers.append(writer)
        if task := asyncio.current_task():
            self.tasks.append(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            for step in self.scripts[min(number, len(self.scripts) - 1)]:
                if isinstance(step, Expect):
                    last = await self._next(reader, number)
                    while last.kind != step.kind:
                        last = await self._next(reader, number)
                elif isinstance(step, Send):
                    await self._send(step, last, writer)
                elif isinstance(step, Serve):
                    while not step.until(last := await self._next(reader, number)):
                        writer.write(step.says(last))
                elif isinstance(step, Stall):
                    while True:
                        await self._next(reader, number)
        writer.transport.abort()

    async def _send(self, step: Send, last: Heard | None, writer: asyncio.StreamWriter) -> None:
        for i, segment in enumerate(step.segments):
            if i:
                await asyncio.sleep(PAUSE)
            if callable(segment):
                assert last, "nothing was expected before"
                segment = segment(last)
            writer.write(segment)
            await writer.drain()

    async def _next(self, reader: asyncio.StreamReader, number: int) -> Heard:
        (head,) = await reader.readexactly(1)
        length = b""
        while not length or length[-1] > 127:
            length += await reader.readexactly(1)
        size, _ = read_varint(length, 0)
        assert size <= LARGEST
        self.heard.append(Heard(number, head >> 4, head & 15, await reader.readexactly(size)))
        return self.heard[-1]


@asynccontextmanager
async def scripted(*scripts: Sequence[Step]) -> AsyncIterator[Scripted]:
    """A broker that plays these scripts, by default a good one."""
    broker = Scripted(scripts or (GOOD,))
    async with asyncio.timeout(20), await asyncio.start_server(broker.play, "127.0.0.1", 0) as server:
        broker.port = server.sockets[0].getsockname()[1]
        yield broker
        for writer in broker.writers:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()
        await asyncio.gather(*broker.tasks, return_exceptions=True)
