"""CONNACK in all its shapes, from brokers that are slow, odd or broken: the link connects, or says why not."""

import asyncio
import logging
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from streamer.config import Mqtt
from streamer.errors import StartError
from streamer.mqtt.access import Access, LinkError
from streamer.mqtt.connection import Connection, Events
from streamer.mqtt.encoder import packet, varint
from streamer.mqtt.link import Link
from streamer.mqtt.packets import NUMBERS
from streamer.records import Outgoing
from tests.broker import until
from tests.mqtt.links import linked
from tests.scripted import CONNECT, Close, Expect, Send, Serve, Stall, connack, scripted

SILENT = Events(lambda _: None, lambda _: None, lambda *_: None, lambda: None)
ANY = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def outcome(config: Mqtt, answer_seconds: float = 0.1) -> str:
    """What one connection came to: "connected", or why not."""
    try:
        async with Connection(Access.of(config), SILENT, resident=True, answer_seconds=answer_seconds) as connection:
            with suppress(ValueError):  # more than it takes
                connection.send(Outgoing("a", b"1", 1, True))
            connection.check()
            return "connected"
    except LinkError as error:
        return str(error)


@ANY
@given(cuts=st.sets(st.integers(1, 8)))
def test_a_connack_may_come_in_any_pieces(cuts: set[int]) -> None:
    """Wherever the network cuts the answer to CONNECT, the connection is made."""
    whole = connack(b"\x21\x00\x0a\x24\x01")
    edges = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(edges)]

    async def run() -> None:
        async with scripted((Expect(CONNECT), Send(*pieces), Serve())) as broker:
            assert await outcome(broker.config(), answer_seconds=10) == "connected"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("says", "told", "not_told"),
    [
        ((Close(),), "set mqtt.protocol to 3.1.1", " sent "),
        ((Send(b"\x20\x02\x00\x00"), Stall()), "set mqtt.protocol to 3.1.1", " sent "),
        ((Send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Close()), "is this an MQTT broker", "3.1.1"),
        ((Send(b"\x15\x03\x01\x00\x02\x02\x50"), Close()), "not its TLS port", "3.1.1"),
        ((Send(b"\xd0\x00"), Stall()), "sent other packets in answer to CONNECT", "3.1.1"),
        ((Send(b"\x20\x06\x00\x00\x03\x22\x00"), Stall()), "no answer from", "3.1.1"),
        ((Send(b"\x20\x05\x00\x00\x02\x22\x00"), Stall()), "ends too early", "3.1.1"),
    ],
    ids=["hangs up", "3.1.1", "http", "tls alert", "ping first", "incomplete", "truncated property"],
)
async def test_a_remedy_needs_its_evidence(says: tuple[Send | Close | Stall, ...], told: str, not_told: str) -> None:
    """MQTT 3.1.1 is proposed after a silent end or an answer in it; other first bytes are told for themselves."""
    async with scripted((Expect(CONNECT), *says)) as broker:
        text = await outcome(broker.config())
    assert told in text
    assert not_told not in text


NUMBER = st.tuples(st.sampled_from(sorted(NUMBERS)), st.one_of(st.integers(0, 5), st.integers(0, 2**32 - 1))).map(
    lambda pair: bytes((pair[0],)) + (pair[1] % 256 ** NUMBERS[pair[0]]).to_bytes(NUMBERS[pair[0]])
)
TEXT = st.sampled_from([0x12, 0x15, 0x1A, 0x1C, 0x1F]).flatmap(
    lambda name: st.binary(max_size=20).map(lambda value: bytes((name, 0, len(value))) + value)
)
PROPERTIES = st.one_of(st.lists(st.one_of(NUMBER, TEXT), max_size=5).map(b"".join), st.binary(max_size=30))


@ANY
@example(properties=b"\x27\0\0\0\3", lie=0)
@example(properties=b"\x27\0", lie=0)
@given(properties=PROPERTIES, lie=st.integers(-3, 3))
def test_any_properties_connect_or_say_why_not(properties: bytes, lie: int) -> None:
    """Whatever properties a CONNACK has, whole, cut or of another length than it says, no other exception leaves than
    a LinkError, and `online` is sent or counted as refused."""
    length = varint(max(0, len(properties) + lie))
    says = packet(0x20, b"\0\0", length, properties)

    async def run() -> None:
        async with scripted((Expect(CONNECT), Send(says), Serve())) as broker:
            told = await outcome(broker.config())
            if told != "connected":
                return
            async with Link(broker.config(), ["a"]) as link:
                await until(lambda: link.subscribed or link.counts.disconnects > 0)

    asyncio.run(run())


async def test_a_tiny_packet_limit_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    """A broker that takes packets of 3 bytes has nothing published to it: counted, said once, and the daemon lives."""
    caplog.set_level(logging.ERROR)
    async with (
        scripted((Expect(CONNECT), Send(connack(b"\x27\x00\x00\x00\x03")), Serve())) as broker,
        linked(broker.config(), "a") as link,
    ):
        link.publish([Outgoing("b", b"1", 1, False), Outgoing("b", b"2", 0, False)])
        await until(lambda: link.counts.refused == 3)
        assert link.subscribed
    assert caplog.text.count("refused") == 1


@pytest.mark.parametrize("key", ["password", "username"])
async def test_what_no_connect_can_carry_is_told_at_the_start(key: str) -> None:
    """A password or user of more than 65,535 bytes ends the start with the name of its key."""
    given: dict[str, Any] = {"url": "mqtt://127.0.0.1:1", "username": "me", key: "é" * 40_000}
    config = Mqtt(**given)
    with pytest.raises(StartError, match=f"mqtt.{key}.*65,535"):
        await Link(config, []).__aenter__()
