"""What becomes of publishes on brokers that are away, slow, narrow, or hang up on one of them."""

from collections.abc import Sequence

import pytest

from streamer.mqtt.link import Link
from streamer.records import Outgoing
from tests.broker import until
from tests.scripted import CONNECT, GOOD, PUBLISH, SUBSCRIBE, Close, Expect, Send, Stall, Step, connack, scripted

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
