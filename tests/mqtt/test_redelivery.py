"""What mosquitto repeats, and how it says so: the daemon recognises repeated messages by these facts."""

import asyncio
from pathlib import Path

import pytest

from streamer.config import Mqtt
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.records import MessageBatch, Outgoing
from tests.broker import Mosquitto, Proxy, until
from tests.mqtt.links import detour, linked, watcher

Seen = tuple[bytes, int | None, bool]
PROTOCOLS = pytest.mark.parametrize("protocol", ["3.1.1", "5"])


async def publish(config: Mqtt, *payloads: bytes) -> None:
    async with Publisher(watcher(config)) as publisher:
        for payload in payloads:
            await publisher.publish("a", payload)


async def take(link: Link, count: int) -> MessageBatch:
    """The next `count` messages as one batch, not acknowledged."""
    await until(lambda: link.waiting >= count)
    return await anext(link.batches())


def seen(batch: MessageBatch) -> list[Seen]:
    return [(message.payload, message.mid, message.dup) for message in batch.messages]


async def reconnected(link: Link) -> None:
    connects = link.counts.connects
    await until(lambda: link.counts.connects > connects and link.subscribed)


@PROTOCOLS
async def test_a_repeated_message_says_so(mosquitto: Mosquitto, protocol: str) -> None:
    """On a kept session what was delivered and not acknowledged comes again with dup and its packet identifier, what
    waited meanwhile comes without dup, and what was acknowledged does not come again."""
    config = mosquitto.config(protocol=protocol)
    async with Proxy(mosquitto.port) as proxy:
        async with linked(detour(config, proxy), "a") as link:
            await publish(config, b"0", b"1", b"2")
            batch = await take(link, 3)
            assert seen(batch) == [(b"0", 1, False), (b"1", 2, False), (b"2", 3, False)]
            link.ack(MessageBatch(batch.messages[:1], batch.connection))
            link.publish([Outgoing("b", b"", 1, False)])  # answered after the acknowledgement has been read
            await until(lambda: link.unsent == 0)
            await publish(config, b"3")
            proxy.cut()
            await reconnected(link)
            assert seen(await take(link, 3)) == [(b"1", 2, True), (b"2", 3, True), (b"3", 4, True)]
        await publish(config, b"away")
        async with linked(detour(config, proxy), "a") as link:
            assert seen(await take(link, 4))[-2:] == [(b"3", 4, True), (b"away", 5, False)]


@PROTOCOLS
async def test_dup_does_not_mean_seen(mosquitto: Mosquitto, protocol: str) -> None:
    """A message that was lost on the way to the link comes for the first time with dup."""
    config = mosquitto.config(protocol=protocol)
    async with Proxy(mosquitto.port) as proxy, linked(detour(config, proxy), "a") as link:
        proxy.deaf = True
        await publish(config, b"unseen")
        proxy.cut()
        proxy.deaf = False
        await reconnected(link)
        assert seen(await take(link, 1)) == [(b"unseen", 1, True)]
        assert link.counts.received == 1


@PROTOCOLS
async def test_a_stopped_broker_repeats_with_dup(tmp_path: Path, protocol: str) -> None:
    """With persistence, identifiers and dup outlast a restart of the broker by SIGTERM; new identifiers go on."""
    async with Mosquitto(tmp_path, persistence="true") as broker, asyncio.timeout(10):
        config = broker.config(protocol=protocol)
        async with linked(config, "a") as link:
            await publish(config, b"1", b"2")
            await take(link, 2)
            await broker.stop()
            await until(lambda: not link.connected)
            await broker.start()
            await link.ready()
            await publish(config, b"3")
            assert seen(await take(link, 3)) == [(b"1", 1, True), (b"2", 2, True), (b"3", 3, False)]


@PROTOCOLS
async def test_a_killed_broker_forgets_acknowledgements(tmp_path: Path, protocol: str) -> None:
    """After SIGKILL the session is as last saved: what was acknowledged since comes again with dup, what was published
    since is lost, and its packet identifier means another message, which may come with dup in its turn."""
    async with Mosquitto(tmp_path, persistence="true") as broker, Proxy(broker.port) as proxy:
        config = broker.config(protocol=protocol)
        async with linked(detour(config, proxy), "a") as link:
            await publish(config, b"saved")
            batch = await take(link, 1)
            await broker.save()
            link.ack(batch)
            await publish(config, b"lost")
            assert seen(await take(link, 1)) == [(b"lost", 2, False)]
            await broker.kill()
            await until(lambda: not link.connected)
            await broker.start()
            await link.ready()
            await publish(config, b"new")
            assert seen(await take(link, 2)) == [(b"saved", 1, True), (b"new", 2, False)]
            proxy.cut()
            await reconnected(link)
            assert seen(await take(link, 2)) == [(b"saved", 1, True), (b"new", 2, True)]


async def test_a_new_session_counts_anew(mosquitto: Mosquitto) -> None:
    """A broker that keeps nothing starts again with identifier 1 after a restart, without dup."""
    config = mosquitto.config()
    async with linked(config, "a") as link:
        await publish(config, b"old")
        assert seen(await take(link, 1)) == [(b"old", 1, False)]
        await mosquitto.stop()
        await until(lambda: not link.connected)
        await mosquitto.start()
        await link.ready()
        await publish(config, b"new")
        assert seen(await take(link, 1)) == [(b"new", 1, False)]
