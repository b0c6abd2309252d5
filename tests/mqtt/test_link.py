"""The contract of the link, on mosquitto with MQTT 3.1.1 and 5 and, where it can keep it, on the embedded broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from streamer.config import Mqtt
from streamer.errors import StartError
from streamer.mqtt.access import LinkError
from streamer.mqtt.broker import embedded_broker
from streamer.mqtt.link import LINGER_BELOW, Link
from streamer.mqtt.publisher import Publisher
from streamer.records import Outgoing
from tests.broker import Mosquitto, Proxy, free_port, until
from tests.mqtt.links import detour, linked, payloads, receive, watcher


@pytest.fixture(params=["3.1.1", "5"])
def config(request: pytest.FixtureRequest, mosquitto: Mosquitto) -> Mqtt:
    """A configuration for a running mosquitto."""
    return mosquitto.config(protocol=request.param)


@pytest.fixture(params=["3.1.1", "5", "embedded"])
async def any_config(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Mqtt]:
    """A configuration for a running broker of either kind."""
    if request.param == "embedded":
        async with embedded_broker("127.0.0.1", 0) as port:
            yield Mqtt(url=f"embedded://127.0.0.1:{port}", reconnect_max=0.2)
    else:
        async with Mosquitto(tmp_path) as broker:
            yield broker.config(protocol=request.param)


@pytest.mark.parametrize("qos", [0, 1])
async def test_batches_hold_every_message_in_order(any_config: Mqtt, qos: int) -> None:
    """Messages come in the order in which they were published, with topic, QoS and time of arrival."""
    async with linked(any_config, "plant/#") as link, Publisher(any_config) as publisher:
        for i in range(300):
            await publisher.publish(f"plant/{i % 7}", b"%d" % i, qos)
        messages = await receive(link, 300)
    assert payloads(messages) == [b"%d" % i for i in range(300)]
    assert [message.topic for message in messages[:8]] == [f"plant/{i % 7}" for i in range(8)]
    if any_config.scheme != "embedded":  # amqtt raises the QoS of a message to that of the subscription
        assert {message.qos for message in messages} == {qos}
    assert messages[0].arrived <= messages[-1].arrived


async def test_a_batch_is_what_waits(config: Mqtt) -> None:
    """A batch holds all that waits and no more than asked for."""
    async with linked(config, "a") as link, Publisher(config) as publisher:
        for i in range(5):
            await publisher.publish("a", b"%d" % i)
        await until(lambda: link.waiting == 5)
        async with aclosing(link.batches(most=3)) as batches:
            sizes = [len((await anext(batches)).messages) for _ in range(2)]
    assert sizes == [3, 2]


async def test_few_messages_linger(config: Mqtt) -> None:
    """Few messages wait for more until there are enough, `linger` is over, or a stop ends it."""
    brief, for_ever = (config.model_copy(update={"linger": seconds}) for seconds in (0.01, 60.0))
    async with linked(brief, "a") as link, Publisher(config) as publisher, aclosing(link.batches()) as batches:
        await publisher.publish("a", b"alone")
        link.ack(batch := await anext(batches))
        assert payloads(batch.messages) == [b"alone"]
    async with linked(for_ever, "a") as link, Publisher(config) as publisher, aclosing(link.batches()) as batches:
        for count in (LINGER_BELOW, 3):
            waiting = asyncio.create_task(anext(batches))
            for _ in range(count):
                await publisher.publish("a", b"")
            if count < LINGER_BELOW:
                await until(lambda: link.waiting == 3)
                link.stop()
            assert len((await waiting).messages) == count


async def test_full_batches_leave_nothing_behind(config: Mqtt) -> None:
    """Forecasts of one full batch after another all go out, if the broker takes them: none waits for a quieter time."""
    async with linked(config, "a") as link:
        for _ in range(6):
            link.publish([Outgoing("b", b"", 0, False)] * 1024)
            await asyncio.sleep(0)
            assert link.unsent == 0


async def test_only_unacknowledged_messages_come_again(config: Mqtt) -> None:
    """After a reconnect the broker repeats the QoS 1 messages that were not acknowledged, and no others."""
    async with linked(config, "a") as link, Publisher(config) as publisher:
        await publisher.publish("a", b"processed")
        await publisher.publish("a", b"not processed")
        async with aclosing(link.batches(most=1)) as batches:
            link.ack(await anext(batches))
            assert payloads((await anext(batches)).messages) == [b"not processed"]
        assert link.counts.acknowledged == 1
    async with Publisher(config) as publisher:
        await publisher.publish("a", b"while away")
    async with linked(config, "a") as link:
        assert payloads(await receive(link, 2)) == [b"not processed", b"while away"]


async def test_messages_still_waiting_come_once(config: Mqtt, mosquitto: Mosquitto) -> None:
    """QoS 1 messages that wait while the connection drops are taken, though never acknowledged, and known again by
    their identifier when the broker repeats them: the repetition is what is acknowledged."""
    async with (
        Proxy(mosquitto.port) as proxy,
        Publisher(config) as publisher,
        linked(detour(config, proxy), "a") as link,
    ):
        await publisher.publish("a", b"1")
        await until(lambda: link.waiting == 1)
        proxy.cut()
        await until(lambda: link.counts.connects == 2 and link.subscribed)
        await publisher.publish("a", b"2")
        waited, repeated, new = await receive(link, 3)
        assert payloads([waited, repeated, new]) == [b"1", b"1", b"2"]
        assert (waited.qos, waited.mid, repeated.qos, repeated.dup) == (0, repeated.mid, 1, True)
        assert link.counts.acknowledged == 2


async def test_an_acknowledgement_of_an_old_connection_is_void(mosquitto: Mosquitto) -> None:
    """A batch taken before a reconnect is not acknowledged after it: its packet identifiers mean something else."""
    config = mosquitto.config()
    async with linked(config, "a") as link:
        async with Publisher(config) as publisher:
            await publisher.publish("a", b"1")
        async with aclosing(link.batches()) as batches:
            batch = await anext(batches)
        await mosquitto.kill()
        await until(lambda: not link.connected)
        link.ack(batch)
        await mosquitto.start()
        await link.ready()
        link.ack(batch)
        assert link.counts.acknowledged == 0


async def test_overflow_drops_the_oldest_and_counts(config: Mqtt, caplog: pytest.LogCaptureFixture) -> None:
    """When the queue is full the oldest QoS 0 messages go, counted and told in a line; QoS 1 messages stay."""
    small = config.model_copy(update={"queue": 10})
    async with linked(small, "a") as link, Publisher(config) as publisher:
        await publisher.publish("a", b"kept", qos=1)
        for i in range(25):
            await publisher.publish("a", b"%d" % i, qos=0)
        await publisher.flush()
        await until(lambda: link.counts.received == 26)
        assert (link.waiting, link.counts.dropped) == (10, 16)
        assert caplog.text.count("messages of QoS 0 dropped") == 1
        assert payloads(await receive(link, 10)) == [b"kept", *(b"%d" % i for i in range(16, 25))]


async def test_a_slow_reader_slows_the_broker(config: Mqtt) -> None:
    """QoS 1 beyond the queue waits at the broker, even one that ignores the receive maximum: none is lost."""
    count, queue = 5000, 100
    async with linked(config.model_copy(update={"queue": queue}), "t") as link:
        async with Publisher(watcher(config)) as publisher:
            for i in range(count):
                await publisher.publish("t", b"%d " % i + bytes(4096))
        assert link.waiting <= 2 * queue
        received: list[int] = []
        async with aclosing(link.batches(most=50)) as batches:
            async for batch in batches:
                assert link.waiting <= 2 * queue
                received += [int(message.payload.split()[0]) for message in batch.messages]
                link.ack(batch)
                if len(received) == count:
                    break
    assert received == list(range(count))


async def test_a_restarted_broker_is_found_again(mosquitto: Mosquitto) -> None:
    """After the broker was killed and started anew, without its sessions, the link subscribes again."""
    config = mosquitto.config()
    async with linked(config, "a", "b/+") as link:
        await mosquitto.kill()
        await until(lambda: not link.connected)
        await mosquitto.start()
        await link.ready()
        async with Publisher(config) as publisher:
            await publisher.publish("a", b"1")
            await publisher.publish("b/c", b"2")
        assert payloads(await receive(link, 2)) == [b"1", b"2"]
        assert (link.counts.connects, link.counts.disconnects) == (2, 1)


async def test_former_filters_are_forgotten(config: Mqtt) -> None:
    """A kept session is unsubscribed from filters of an earlier run that are no longer configured."""
    async with linked(config, "old", "both"):
        pass
    async with linked(config, "both", former=("old", "both")) as link, Publisher(config) as publisher:
        await publisher.publish("old", b"1")
        await publisher.publish("both", b"2")
        assert payloads(await receive(link, 1)) == [b"2"]


async def test_availability(any_config: Mqtt) -> None:
    """The availability topic says online after the start and offline after a clean exit, retained."""
    async with linked(watcher(any_config), any_config.availability) as watch:
        async with linked(any_config, "a"):
            assert payloads(await receive(watch, 1)) == [b"online"]
            async with linked(watcher(any_config).model_copy(update={"client_id": "late"}), "streamer/+/#") as late:
                await until(lambda: any(message.retain for message in late._inbox._recent))
        assert payloads(await receive(watch, 1)) == [b"offline"]


async def test_a_dropped_connection_leaves_the_will(config: Mqtt, mosquitto: Mosquitto) -> None:
    """When the connection drops without goodbye the broker says offline, and the link says online when it is back."""
    async with (
        Proxy(mosquitto.port) as proxy,
        linked(watcher(config), config.availability) as watch,
        linked(detour(config, proxy), "a"),
    ):
        assert payloads(await receive(watch, 1)) == [b"online"]
        proxy.cut()
        assert payloads(await receive(watch, 2)) == [b"offline", b"online"]


async def test_an_exit_without_the_broker_leaves_the_will(config: Mqtt, mosquitto: Mosquitto) -> None:
    """A link whose `offline` is not acknowledged in time cuts the connection, and the will says it."""
    async with (
        Proxy(mosquitto.port) as proxy,
        linked(watcher(config), config.availability) as watch,
        linked(detour(config, proxy)) as link,
    ):
        await receive(watch, 1)
        proxy.deaf = True
        await link.close(flush_seconds=0.05)
        # `offline` itself and the will
        assert payloads(await receive(watch, 2)) == [b"offline", b"offline"]


async def test_away_beyond_the_outbox_keeps_the_newest_of_each_topic(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Beyond `mqtt.outbox`, what waits is reduced to the newest of each topic, and the rest counted and told."""
    broker = Mosquitto(tmp_path)
    config = broker.config(outbox=2)
    async with asyncio.timeout(10), Link(config, []) as link:
        link.publish(Outgoing(topic, payload, 1, True) for topic, payload in [("a", b"1"), ("b", b"2"), ("a", b"3")])
        assert (link.unsent, link.counts.superseded) == (2, 1)
        assert caplog.text.count("forecasts replaced by newer ones of their topic") == 1
        async with broker, linked(watcher(config), "a", "b") as watch:
            assert sorted(payloads(await receive(watch, 2))) == [b"2", b"3"]
            await until(lambda: link.unsent == 0)
            assert (link.counts.published, link.counts.superseded) == (2, 1)
            link.publish([Outgoing("a", b"4", 0, False)] * 2)
            assert payloads(await receive(watch, 2)) == [b"4"] * 2
            await link.close()


async def test_publishes_in_flight_are_sent_again(config: Mqtt, mosquitto: Mosquitto) -> None:
    """QoS 1 publishes that were unacknowledged when the connection dropped are published on the next one."""
    async with (
        Proxy(mosquitto.port) as proxy,
        linked(watcher(config), "f/+") as watch,
        linked(detour(config, proxy)) as link,
    ):
        proxy.deaf = True
        link.publish(Outgoing(f"f/{i}", b"%d" % i, 1, False) for i in range(5))
        await receive(watch, 5)
        assert (link.unsent, link.counts.published) == (5, 0)
        proxy.cut()
        proxy.deaf = False
        assert payloads(await receive(watch, 5)) == [b"%d" % i for i in range(5)]
        await until(lambda: link.unsent == 0)
        assert link.counts.published == 5


@pytest.mark.parametrize("qos", [0, 1])
async def test_close_publishes_what_is_unsent(any_config: Mqtt, qos: int) -> None:
    """Everything published before a clean exit reaches the broker, in order."""
    async with linked(watcher(any_config), "f/#") as watch:
        async with linked(any_config) as link:
            link.publish(Outgoing(f"f/{i}", b"%d" % i, qos, False) for i in range(500))
        assert payloads(await receive(watch, 500)) == [b"%d" % i for i in range(500)]


async def test_the_brokers_receive_maximum_is_kept(tmp_path: Path) -> None:
    """A broker that takes two publishes at once (MQTT 5) gets no more, and all of them in the end."""
    async with Mosquitto(tmp_path, max_inflight_messages="2") as broker, linked(broker.config(protocol="5")) as link:
        link.publish(Outgoing(f"f/{i}", b"", 1, False) for i in range(200))
        await until(lambda: link.unsent == 0)
        assert (link.counts.published, link.counts.disconnects) == (200, 0)


async def test_a_topic_that_no_broker_takes_is_counted(config: Mqtt) -> None:
    """A publish that MQTT cannot carry is refused and counted, and the next one goes out."""
    async with linked(watcher(config), "f/#") as watch, linked(config) as link:
        link.publish([Outgoing("f/" + 70000 * "x", b"", 0, False), Outgoing("f/1", b"1", 0, False)])
        assert payloads(await receive(watch, 1)) == [b"1"]
        assert link.counts.refused == 1


async def test_stop_ends_the_batches(config: Mqtt) -> None:
    """After `stop` the batches hold what waited, and end."""
    async with linked(config, "a") as link, Publisher(config) as publisher:
        await publisher.publish("a", b"1")
        await until(lambda: link.waiting == 1)
        link.stop()
        await publisher.publish("a", b"2")
        await publisher.flush()
        assert [payloads(batch.messages) async for batch in link.batches()] == [[b"1"]]


async def test_a_bug_ends_the_batches_loudly(config: Mqtt, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the connection's task dies of a bug, `batches` raises it."""
    with pytest.raises(AttributeError):  # noqa: PT012 # leaving raises it, too
        async with linked(config, "a") as link, Publisher(config) as publisher:
            monkeypatch.setattr(link, "_counts", None)
            await publisher.publish("a", b"1")
            await receive(link, 1)


async def test_a_publisher_without_a_broker_does_not_start() -> None:
    """A tool that cannot connect is told where, and what to check."""
    with pytest.raises(StartError, match="is the broker running"):
        await Publisher(Mqtt(url=f"mqtt://127.0.0.1:{free_port()}")).__aenter__()


async def test_a_publisher_notices_that_the_broker_is_gone(mosquitto: Mosquitto) -> None:
    """A publisher whose broker dies raises instead of waiting for acknowledgements."""

    async def publish_for_ever() -> None:
        async with Publisher(mosquitto.config()) as publisher:
            await publisher.publish("a", b"")
            await mosquitto.kill()
            while True:
                await publisher.publish("a", b"")

    with pytest.raises(LinkError, match="closed the connection"):
        await asyncio.wait_for(publish_for_ever(), 10)


async def test_an_empty_batch_where_nothing_comes(mosquitto: Mosquitto) -> None:
    """Who asks for it gets an empty batch once nothing has come for so long, and none otherwise."""
    async with linked(mosquitto.config(), "a/#") as link, aclosing(link.batches(idle=lambda: 0.01)) as batches:
        assert (await anext(batches)).messages == []
