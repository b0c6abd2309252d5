"""Messages that no broker should pass on, and the same in any pieces."""

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.mqtt.decoder import Decoder
from streamer.records import UNREADABLE
from tests.broker import until
from tests.mqtt.links import linked, payloads, receive
from tests.scripted import CONNECT, PUBACK, SUBSCRIBE, Expect, Send, Serve, connack, publish, scripted, suback

BAD = [b"plant/\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"a\0b"]


@pytest.mark.parametrize("name", BAD)
async def test_a_topic_that_is_no_text_is_acknowledged_and_dropped(name: bytes) -> None:
    """It is handed out in its turn, without a topic, and acknowledged; the connection stays."""
    says = publish(b"a", b"1", mid=1) + publish(name, b"2", mid=2) + publish(b"a", b"3", mid=3)
    script = (Expect(CONNECT), Send(connack()), Expect(SUBSCRIBE), Send(suback, says), Serve())
    async with scripted(script) as broker, linked(broker.config(), "#") as link:
        messages = await receive(link, 3)
        await until(lambda: sum(len(one.body) for one in broker.of(PUBACK)) >= 6)
        assert [(one.topic, one.payload) for one in messages] == [("a", b"1"), (UNREADABLE, b"2"), ("a", b"3")]
        assert [one.body for one in broker.of(PUBACK)] == [b"\0\1", b"\0\2", b"\0\3"]
        assert (link.counts.disconnects, link.counts.acknowledged) == (0, 3)


async def test_a_redelivered_one_ends() -> None:
    """What a broker repeats after a reconnect, with DUP and out of order, is acknowledged as it comes, once."""
    first = publish(b"a", b"1", mid=1) + publish(BAD[0], b"2", mid=2)
    again = publish(BAD[0], b"2", mid=2, dup=True) + publish(b"a", b"1", mid=1, dup=True) + publish(b"a", b"3", mid=3)
    lost = (Expect(CONNECT), Send(connack()), Expect(SUBSCRIBE), Send(suback, first), Expect(PUBACK))
    kept = (Expect(CONNECT), Send(connack(kept=True)), Expect(SUBSCRIBE), Send(suback, again), Serve())
    heard: list[bytes] = []
    async with (
        scripted(lost, kept) as broker,
        linked(broker.config(), "#") as link,
        aclosing(link.batches()) as batches,
    ):
        async for batch in batches:
            heard += payloads(batch.messages)
            link.ack(batch)
            if heard[-1] == b"3":
                break
        await until(lambda: len([one for one in broker.of(PUBACK) if one.connection == 1]) == 3)
        assert [one.body for one in broker.of(PUBACK) if one.connection == 1] == [b"\0\2", b"\0\1", b"\0\3"]
        assert link.counts.connects == 2


@given(names=st.lists(st.binary(min_size=1, max_size=8), max_size=5), data=st.data())
def test_any_topic_in_any_pieces(names: list[bytes], data: st.DataObject) -> None:
    """Whatever bytes the topics are and wherever the stream is cut, each message comes once, in order, with its topic
    or none."""
    stream = b"".join(publish(name, b"%d" % i, mid=i + 1) for i, name in enumerate(names))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))))
    decoder, found = Decoder(five=True, most_payload=100), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        arrived = decoder.feed(stream[start:end], 0.0)
        assert arrived.malformed is None
        found += arrived.messages
    assert [one.payload for one in found] == [b"%d" % i for i in range(len(names))]
    for one, name in zip(found, names, strict=True):
        assert one.topic.encode() == name or (one.topic == UNREADABLE and (b"\0" in name or not is_text(name)))


def is_text(name: bytes) -> bool:
    """Whether it is UTF-8."""
    return name == name.decode(errors="ignore").encode()


async def test_a_dripping_broker_is_served() -> None:
    """A broker whose messages come byte by byte is understood."""
    says = publish(b"plant/\xc3\xa9", b"1", mid=1)
    drops = [says[i : i + 1] for i in range(len(says))]
    script = (Expect(CONNECT), Send(connack()), Expect(SUBSCRIBE), Send(suback, *drops), Serve())
    async with asyncio.timeout(10), scripted(script) as broker, linked(broker.config(), "#") as link:
        (message,) = await receive(link, 1)
    assert (message.topic, message.payload) == ("plant/é", b"1")
