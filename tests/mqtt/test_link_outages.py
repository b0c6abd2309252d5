"""What goes wrong between link and broker, and how the link comes out of it."""

import asyncio
from contextlib import aclosing

import pytest

from streamer.config import Mqtt
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.records import Outgoing
from tests.broker import Mosquitto, Proxy, until
from tests.mqtt.links import detour, linked, payloads, receive, watcher

PROTOCOLS = pytest.mark.parametrize("protocol", ["3.1.1", "5"])


def impatient(config: Mqtt) -> Mqtt:
    """With a keepalive of one second, which no file may ask for."""
    return config.model_copy(update={"keepalive": 1})


@PROTOCOLS
async def test_a_connection_that_carries_nothing_is_noticed(
    mosquitto: Mosquitto, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a FIN the keepalive ends the connection, the line says so, and the next one brings what was missed,
    published or to publish."""
    config = impatient(mosquitto.config(protocol=protocol))
    async with (
        Proxy(mosquitto.port) as proxy,
        linked(watcher(config), "f") as watch,
        linked(detour(config, proxy), "a") as link,
    ):
        proxy.freeze()
        link.publish([Outgoing("f", b"forecast", 1, False)])
        async with Publisher(watcher(config)) as publisher:
            await publisher.publish("a", b"missed")
        assert payloads(await receive(link, 1)) == [b"missed"]
        assert payloads(await receive(watch, 1)) == [b"forecast"]
    assert "check the network, or raise mqtt.keepalive" in caplog.text


@PROTOCOLS
async def test_a_slow_connection_is_kept(mosquitto: Mosquitto, protocol: str) -> None:
    """Through a connection that trickles, longer than the keepalive, everything arrives in order, publishing never
    waits, and the link does not take it for dead."""
    config = impatient(mosquitto.config(protocol=protocol))
    async with (
        Proxy(mosquitto.port) as proxy,
        linked(watcher(config), "f/#") as watch,
        linked(detour(config, proxy), "a") as link,
    ):
        proxy.trickle = 256
        link.publish(Outgoing(f"f/{i}", b"%d " % i + bytes(2000), 1, False) for i in range(150))
        assert link.unsent == 150
        async with Publisher(watcher(config)) as publisher:
            for i in range(150):
                await publisher.publish("a", b"%d " % i + bytes(2000))
        heard = await asyncio.gather(receive(link, 150), receive(watch, 150))
        for messages in heard:
            assert [int(message.payload.split()[0]) for message in messages] == list(range(150))
        assert link.counts.connects == 1


@PROTOCOLS
async def test_two_of_one_name_are_told(mosquitto: Mosquitto, protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    """Two links of one client_id on a broker that throws out without a reason both say so after a few connections."""
    urls = [mosquitto.url, mosquitto.url.replace("127.0.0.1", "localhost")]
    configs = [mosquitto.config(protocol=protocol, reconnect_max=30.0, url=url) for url in urls]

    def told(config: Mqtt) -> bool:
        where, what = f"{config.host}:{config.port}", "another client seems to use the same mqtt.client_id"
        return any(where in line and what in line for line in caplog.messages)

    async with Link(configs[0], ["a"]), Link(configs[1], ["a"]):
        await until(lambda: all(told(config) for config in configs), seconds=20)


async def test_a_reason_to_be_thrown_out_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A broker that says why it ends the connection (MQTT 5, reason 0x8E: session taken over) is quoted, at once."""

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(bytes.fromhex("2003000000"))
        await reader.read(1024)
        writer.write(bytes.fromhex("e0028e00"))
        await reader.read(1024)
        writer.close()

    server = await asyncio.start_server(broker, "127.0.0.1", 0)
    url = f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Link(Mqtt(url=url), ["a"]):
        await until(lambda: "connection lost" in caplog.text)
    assert "taken over; another client uses the same mqtt.client_id; give each its own" in caplog.text


async def test_a_restarted_broker_is_no_rival(mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    """A broker that comes and goes is not taken for another client of the same name."""
    async with linked(mosquitto.config(protocol="3.1.1"), "a") as link:
        for _ in range(4):
            await mosquitto.kill()
            await until(lambda: "is the broker running there" in caplog.text)
            caplog.clear()
            await mosquitto.start()
            await link.ready()
        assert "another client" not in caplog.text


@PROTOCOLS
async def test_a_killed_broker_returns_with_its_session(
    tmp_path_factory: pytest.TempPathFactory, protocol: str
) -> None:
    """A broker killed and started again with what it had saved: the session is kept, what was not acknowledged
    comes again, and what was published to it meanwhile comes in order."""
    folder = tmp_path_factory.mktemp("broker")
    async with Mosquitto(folder, persistence="true") as broker, asyncio.timeout(10):
        config = broker.config(protocol=protocol)
        async with linked(config, "a") as link, aclosing(link.batches()) as batches:
            async with Publisher(watcher(config)) as publisher:
                await publisher.publish("a", b"1")
                await anext(batches)
                await broker.save()
            await broker.kill()
            await until(lambda: not link.connected)
            await broker.start()
            await link.ready()
            async with Publisher(watcher(config)) as publisher:
                await publisher.publish("a", b"2")
            assert payloads(await receive(link, 2)) == [b"1", b"2"]
