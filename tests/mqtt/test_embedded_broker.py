"""The embedded broker starts, passes messages, and stops without a trace."""

import asyncio

import pytest

from streamer.config import Mqtt
from streamer.errors import StartError
from streamer.mqtt.broker import embedded_broker
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from tests.broker import until


def config(port: int) -> Mqtt:
    return Mqtt(url=f"embedded://127.0.0.1:{port}", reconnect_max=0.1)


async def test_it_listens_on_the_port_it_tells() -> None:
    """Port 0 takes a free one, which is told and accepts connections."""
    async with embedded_broker("127.0.0.1", 0) as port:
        assert port > 0
        async with Publisher(config(port)) as publisher:
            await publisher.publish("a", b"1")


async def test_a_taken_port_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A port in use raises StartError with its remedy, and no traceback in the log."""
    async with embedded_broker("127.0.0.1", 0) as port:
        with pytest.raises(StartError, match=r"mqtt\.url another port"):
            async with embedded_broker("127.0.0.1", port):
                pass
    assert not caplog.records


@pytest.mark.parametrize("qos", [0, 1])
async def test_it_stops_in_the_middle_of_traffic(qos: int) -> None:
    """It stops while a client is connected and messages are under way, within a second, and can be started again."""
    async with asyncio.timeout(5):
        async with embedded_broker("127.0.0.1", 0) as port, Link(config(port), ["a"]) as link:
            await link.ready()
            async with Publisher(config(port)) as publisher:
                for i in range(500):
                    await publisher.publish("a", b"%d" % i, qos)
            stopped = asyncio.get_running_loop().time()
            await link.close()
        assert asyncio.get_running_loop().time() - stopped < 1
        async with embedded_broker("127.0.0.1", port) as again:
            assert again == port


async def test_a_link_outlives_it() -> None:
    """A link that is connected when the broker stops finds the next one on the same port."""
    async with asyncio.timeout(5), embedded_broker("127.0.0.1", 0) as port:
        link = Link(config(port), ["a"])
        await link.__aenter__()
        await link.ready()
    async with asyncio.timeout(5), embedded_broker("127.0.0.1", port):
        await until(lambda: link.counts.connects == 2)
        await link.ready()
        assert link.subscribed
        await link.close()
