"""Brokers that announce limits: the link keeps to them, does without what is not to be had, and says so once."""

from pathlib import Path

import pytest

from streamer.mqtt.publisher import Publisher
from streamer.records import Outgoing
from tests.broker import Mosquitto, until
from tests.mqtt.links import linked, payloads, receive, watcher
from tests.scripted import CONNECT, PUBLISH, Close, Expect, Heard, Send, Serve, answer, connack, scripted

PROPERTIES = {"qos": b"\x24\0", "retain": b"\x25\0", "both": b"\x24\0\x25\0"}
REASONS = {"qos": (155,), "retain": (154,), "both": (155, 154)}


def will(heard: Heard) -> tuple[int, bool]:
    """QoS of the will of a CONNECT, and whether it is retained."""
    flags = heard.body[7]
    return flags >> 3 & 3, bool(flags & 0x20)


@pytest.mark.parametrize("what", PROPERTIES)
async def test_a_broker_without_qos_1_or_retained_messages_is_used(what: str, caplog: pytest.LogCaptureFixture) -> None:
    """A broker that refuses the will for its QoS, or for being retained, is connected to without; will, availability
    and forecasts are within the limit, and it is said once."""
    refusals = [(Expect(CONNECT), Send(connack(reason=code)), Close()) for code in REASONS[what]]
    good = (Expect(CONNECT), Send(connack(PROPERTIES[what])), Serve())
    async with scripted(*refusals, good) as broker, linked(broker.config(), "a") as link:
        broker.writers[-1].transport.abort()
        await until(lambda: link.counts.disconnects == 1 and link.subscribed)
        link.publish([Outgoing("f", b"1", 1, True)])
        await until(lambda: "f" in broker.topics())
    qos, retain = int(what == "retain"), what == "qos"
    assert [will(one) for one in broker.of(CONNECT)][-2:] == [(qos, retain)] * 2
    assert {(one.qos, bool(one.flags & 1)) for one in broker.of(PUBLISH)} == {(qos, retain)}
    assert caplog.text.count("the broker takes no") == len(REASONS[what])


async def test_online_counts_in_the_receive_maximum() -> None:
    """A broker that takes one publish at once has never two of them: `online` is one."""
    no_puback = Serve(says=lambda heard: b"" if heard.kind == PUBLISH else answer(heard))
    script = (Expect(CONNECT), Send(connack(b"\x21\0\1")), no_puback)
    async with scripted(script) as broker, linked(broker.config(), "a") as link:
        link.publish(Outgoing("f", b"%d" % i, 1, False) for i in range(5))
        await link.close(flush_seconds=0.05)
        assert broker.topics() == [broker.config().availability]


@pytest.mark.parametrize("settings", [{"max_qos": "0"}, {"retain_available": "false"}], ids=["qos", "retain"])
async def test_mosquitto_with_limits(tmp_path: Path, settings: dict[str, str]) -> None:
    """Mosquitto that takes QoS 0 alone, or retains nothing, is subscribed to and published on, by tools, too."""
    async with Mosquitto(tmp_path, **settings) as broker:
        config = broker.config()
        async with linked(watcher(config), "f") as watch, linked(config, "a") as link:
            link.publish([Outgoing("f", b"1", 1, True)])
            async with Publisher(config) as publisher:
                await publisher.publish("f", b"2", retain=True)
            assert sorted(payloads(await receive(watch, 2))) == [b"1", b"2"]
            assert link.subscribed
