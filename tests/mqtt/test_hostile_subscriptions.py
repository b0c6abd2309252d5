"""Brokers that take few filters at once, or hang up on what they do not like."""

import logging

import pytest

from streamer.mqtt.link import SHORT_CONNECTIONS, Link
from streamer.records import Outgoing
from tests.broker import until
from tests.mqtt.links import linked
from tests.scripted import (
    CONNECT,
    PUBLISH,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Close,
    Expect,
    Heard,
    Send,
    Serve,
    connack,
    scripted,
)


def too_many(heard: Heard) -> bool:
    """As AWS IoT has it: more than 8 filters at once end the connection."""
    return heard.kind == SUBSCRIBE and len(heard.filters()) > 8


async def test_filters_come_a_few_at_a_time() -> None:
    """A broker that takes 8 filters at once gets all of 30, each once, and is unsubscribed from as many."""
    filters = [f"plant/{i}" for i in range(30)]
    former = [f"former/{i}" for i in range(30)]
    async with (
        scripted((Expect(CONNECT), Send(connack()), Serve(too_many), Close())) as broker,
        linked(broker.config(), *filters, former=tuple(former)) as link,
    ):
        assert link.subscribed
        assert [name for one in broker.of(SUBSCRIBE) for name in one.filters()] == filters
        assert len(broker.of(UNSUBSCRIBE)) == 4


@pytest.mark.parametrize("kind", [SUBSCRIBE, PUBLISH])
async def test_who_hangs_up_on_a_packet_is_no_other_client(kind: int, caplog: pytest.LogCaptureFixture) -> None:
    """A broker that hangs up on SUBSCRIBE, or on a publish, is not told as another client with the same id."""
    caplog.set_level(logging.WARNING)
    hangs_up = (Expect(CONNECT), Send(connack()), Serve(lambda heard: heard.kind == kind), Close())
    async with scripted(hangs_up) as broker, Link(broker.config(), ["a"]) as link:
        await until(lambda: link.counts.disconnects >= SHORT_CONNECTIONS)
    assert "closed the connection" in caplog.text
    assert "mqtt.client_id" not in caplog.text


async def test_who_hangs_up_on_nothing_may_be_another_client(caplog: pytest.LogCaptureFixture) -> None:
    """A broker that hangs up again and again on a link that it has answered everything may have another such client."""
    caplog.set_level(logging.WARNING)
    async with scripted() as broker, Link(broker.config(reconnect_max=0.5), ["a"]) as link:
        for i in range(SHORT_CONNECTIONS):
            link.publish([Outgoing("b", b"", 1, False)])
            await until(lambda: link.counts.published > i)  # noqa: B023
            broker.writers[-1].transport.abort()
            await until(lambda: link.counts.disconnects > i)  # noqa: B023
    assert "mqtt.client_id" in caplog.text


async def test_a_wrong_number_of_answers_is_malformed(caplog: pytest.LogCaptureFixture) -> None:
    """A SUBACK with another number of codes than filters ends the connection with a line that says so."""
    short = Send(lambda heard: b"\x90\x04" + heard.mid + b"\0\1")
    script = (Expect(CONNECT), Send(connack()), Expect(SUBSCRIBE), short, Serve())
    async with scripted(script) as broker, Link(broker.config(), ["a", "b"]) as link:
        await until(lambda: link.counts.disconnects > 0)
    assert "sent 1 answers to 2 filters" in caplog.text
