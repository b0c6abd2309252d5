"""The subscriber of tools: what it receives, what it tells, what it does when the connection goes."""

import asyncio
from contextlib import aclosing

import pytest

from streamer.config import Mqtt
from streamer.errors import StartError
from streamer.mqtt.broker import embedded_broker
from streamer.mqtt.publisher import Publisher
from streamer.mqtt.subscriber import Subscriber
from streamer.records import Message
from tests.broker import Mosquitto, Proxy, free_port, until
from tests.mqtt.gate import GATED


@pytest.fixture(params=["3.1.1", "5"])
def config(request: pytest.FixtureRequest, mosquitto: Mosquitto) -> Mqtt:
    return mosquitto.config(protocol=request.param)


async def receive(subscriber: Subscriber, count: int) -> list[Message]:
    """The next `count` messages or a few more, acknowledged."""
    messages: list[Message] = []
    async with asyncio.timeout(10), aclosing(subscriber.batches(10)) as batches:
        async for batch in batches:
            messages += batch.messages
            subscriber.ack(batch)
            if len(messages) >= count:
                break
    return messages


async def test_every_message_in_order(config: Mqtt) -> None:
    """Messages of QoS 1 come all and in order, beyond the queue too, where reading pauses."""
    small = config.model_copy(update={"queue": 5})
    async with Subscriber(small, ["a/#", "a/#"]) as subscriber, Publisher(config) as publisher:
        for i in range(200):
            await publisher.publish(f"a/{i % 3}", b"%d" % i, 1)
        await publisher.flush()
        received = await receive(subscriber, 200)
    assert [message.payload for message in received] == [b"%d" % i for i in range(200)]
    assert subscriber.dropped == 0


async def test_overflow_is_counted(config: Mqtt) -> None:
    """Beyond the queue the oldest messages of QoS 0 go, and are counted."""
    small = config.model_copy(update={"queue": 10})
    async with Subscriber(small, ["a"]) as subscriber, Publisher(config) as publisher:
        for i in range(100):
            await publisher.publish("a", b"%d" % i, 0)
        await publisher.flush()
        await until(lambda: subscriber.dropped == 90)
        assert [message.payload for message in await receive(subscriber, 10)] == [b"%d" % i for i in range(90, 100)]


async def test_retain_as_published(config: Mqtt) -> None:
    """With MQTT 5 a message keeps the retain flag it was published with; with 3.1.1 only what was there before."""
    async with Publisher(config) as publisher:
        await publisher.publish("a/old", b"1", 1, retain=True)
        await publisher.flush()
        async with Subscriber(config, ["a/#"]) as subscriber:
            await publisher.publish("a/new", b"1", 1, retain=True)
            flags = {message.topic: message.retain for message in await receive(subscriber, 2)}
    assert flags == {"a/old": True, "a/new": config.protocol == "5"}


async def test_connects_again(config: Mqtt) -> None:
    """A connection that is cut is made anew and subscribed again; a batch of the old one is not acknowledged on it."""
    async with Proxy(config.port) as proxy, Publisher(config) as publisher:
        detour = config.model_copy(update={"url": f"mqtt://127.0.0.1:{proxy.port}"})
        async with (
            Subscriber(detour, ["a"], pause=0.01) as subscriber,
            asyncio.timeout(10),
            aclosing(subscriber.batches()) as them,
        ):
            await publisher.publish("a", b"1", 1, retain=True)
            first = await anext(them)
            proxy.cut()
            second = await anext(them)  # retained, and so sent again
            subscriber.ack(first)
            subscriber.ack(second)
            assert [message.payload for message in first.messages + second.messages] == [b"1", b"1"]
            assert second.connection == first.connection + 1
            await publisher.publish("a", b"2", 1)
            assert [message.payload for message in (await anext(them)).messages] == [b"2"]


async def test_stop(config: Mqtt, caplog: pytest.LogCaptureFixture) -> None:
    """After stop the batches end, while it waits for messages and while it waits for the broker."""
    for cut in (False, True):
        async with Proxy(config.port) as proxy:
            detour = config.model_copy(update={"url": f"mqtt://127.0.0.1:{proxy.port}"})
            async with Subscriber(detour, ["a"], pause=1000.0) as subscriber, asyncio.timeout(10):
                task = asyncio.create_task(receive(subscriber, 1))
                if cut:
                    proxy.cut()
                    await until(lambda: "connection lost" in caplog.text)
                subscriber.stop()
                assert await task == []


async def test_no_broker() -> None:
    """Where no broker answers, entering raises a StartError that says so."""
    with pytest.raises(StartError, match="is the broker running there"):
        await Subscriber(Mqtt(url=f"mqtt://127.0.0.1:{free_port()}"), ["a"]).__aenter__()


async def test_refused() -> None:
    """A filter that the broker refuses is named in a StartError: a recording without it would be none."""
    async with embedded_broker("127.0.0.1", 0, GATED) as port:
        config = Mqtt(url=f"embedded://127.0.0.1:{port}")
        with pytest.raises(StartError, match=r"refused subscriptions: 'secret/#'.*; grant"):
            await Subscriber(config, ["secret/#", "free/#"]).__aenter__()
