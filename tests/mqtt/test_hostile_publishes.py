"""What becomes of publishes on brokers that are away, slow, narrow, or hang up on one of them."""

from collections.abc import Sequence

import pytest

from streamer.mqtt.link import Link
from streamer.mqtt.poison import DEATHS
from streamer.records import Outgoing
from tests.broker import Mosquitto, until
from tests.mqtt.links import linked, payloads, receive, watcher
from tests.scripted import CONNECT, GOOD, PUBLISH, SUBSCRIBE, Close, Expect, Send, Serve, Stall, Step, connack, scripted

REFUSED = (Expect(CONNECT), Close())
NO_SUBACK = (Expect(CONNECT), Send(connack(kept=True)), Expect(SUBSCRIBE), Stall())
NO_PUBACK = (*GOOD[:2], Expect(PUBLISH), Expect(PUBLISH), Close())


def numbered(count: int, topics: int = 2) -> list[Outgoing]:
    """So many messages of QoS 1 on a few topics in turn."""
    return [Outgoing(f"f/{i % topics}", b"%d" % i, 1, False) for i in range(count)]


@pytest.mark.parametrize("scripts", [(REFUSED, GOOD), (NO_SUBACK,), (NO_PUBACK, GOOD)], ids=["away", "suback", "lost"])
async def test_nothing_gives_way_before_the_outbox_is_full(scripts: Sequence[Sequence[Step]]) -> None:
    """While the broker is away, before it grants the subscription, and after a connection was lost, every message is
    sent, in order."""
    sent = numbered(100)
    async with scripted(*scripts) as broker, Link(broker.config(outbox=100), ["a"]) as link:
        link.publish(sent)
        await until(lambda: len(broker.payloads("f/")) >= len(sent))
        assert broker.payloads("f/")[-len(sent) :] == [one.payload for one in sent]
        assert link.counts.superseded == 0


def dies_on(topic: str, goodbye: bytes = b"") -> tuple[Step, ...]:
    """A broker that hangs up on a publish there."""
    end = Serve(lambda heard: heard.kind == PUBLISH and heard.topic == topic)
    return (*GOOD[:2], end, Send(goodbye), Close())


@pytest.mark.parametrize("goodbye", [b"", b"\xe0\x01\x90"], ids=["in silence", "topic name invalid"])
async def test_a_publish_that_connections_die_on_is_given_up(goodbye: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """One poisonous topic at the head of the line costs three connections: it is dropped, counted and named, all else
    is published, and so is all that comes later."""
    sent = [Outgoing("f/poison", b"1", 1, False), *numbered(50), Outgoing("f/poison", b"2", 1, False)]
    async with scripted(dies_on("f/poison", goodbye)) as broker, Link(broker.config(), ["a"]) as link:
        link.publish(sent)
        await until(lambda: link.unsent == 0)
        link.publish([Outgoing("f/poison", b"3", 1, False), Outgoing("f/last", b"4", 1, False)])
        await until(lambda: link.unsent == 0)
        assert (link.counts.refused, link.counts.published, link.counts.disconnects) == (3, 51, DEATHS)
        assert len({one.connection for one in broker.heard}) == DEATHS + 1
    assert caplog.text.count("'f/poison' given up until a restart: 3 connections ended on it") == 1


async def test_a_suspect_goes_alone_and_is_cleared() -> None:
    """What was in flight when a broker hung up goes alone on the next connection, until it is acknowledged; a broker
    that hangs up for other reasons, again and again, costs no message."""
    flaky = (*GOOD[:2], Expect(PUBLISH), Close())
    async with scripted(flaky, flaky, GOOD) as broker, Link(broker.config(), ["a"]) as link:
        link.publish(sent := numbered(20, topics=20))
        await until(lambda: link.unsent == 0)
        assert (link.counts.refused, link.counts.published) == (0, 20)
        second = [one for one in broker.of(PUBLISH) if one.connection == 1]
        assert [one.topic for one in second if one.topic.startswith("f/")] == ["f/0"]
        assert broker.payloads("f/")[-20:] == [one.payload for one in sent]


async def test_an_availability_topic_that_connections_die_on_is_given_up() -> None:
    """A broker that hangs up on `online` is served without it."""
    config = {"availability_topic": "not/allowed"}
    async with scripted(dies_on("not/allowed")) as broker, Link(broker.config(**config), ["a"]) as link:
        link.publish(numbered(5))
        await until(lambda: link.counts.published == 5)
        await until(lambda: link.subscribed and link.counts.connects > DEATHS)


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_mosquitto_hangs_up_on_deep_topics(mosquitto: Mosquitto, protocol: str) -> None:
    """A topic of 201 slashes, legal as it is, costs mosquitto's connections; after three of them all others go out."""
    config = mosquitto.config(protocol=protocol, reconnect_max=0.05)
    async with linked(watcher(config), "f/#") as watch, linked(config, "a") as link:
        link.publish([Outgoing("/" * 201, b"", 1, False), *numbered(30)])
        assert payloads(await receive(watch, 30)) == [one.payload for one in numbered(30)]
        assert (link.counts.refused, link.counts.disconnects) == (1, DEATHS)
