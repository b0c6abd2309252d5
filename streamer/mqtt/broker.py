"""The embedded broker: amqtt in this process, for demos and for users who have no broker yet."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from streamer.errors import StartError

if TYPE_CHECKING:
    from amqtt.broker import Broker

PLUGINS: Mapping[str, Any] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}


@asynccontextmanager
async def embedded_broker(host: str, port: int, plugins: Mapping[str, Any] = PLUGINS) -> AsyncIterator[int]:
    """Yields the port it listens on (port 0 takes a free one); raises StartError if it cannot listen there.

    It accepts every MQTT 3.1.1 client that reaches `host`, without a password: use a loopback address.
    """
    # Here, because only the demo and embedded:// need amqtt: a daemon with a broker of its own never loads it.
    from amqtt.broker import Broker
    from amqtt.errors import BrokerError

    logging.getLogger("transitions").setLevel(logging.WARNING)
    # amqtt logs the traceback of a failed start; StartError says the same in one line.
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    broker = Broker({"listeners": {"default": {"type": "tcp", "bind": f"{host}:{port}"}}, "plugins": dict(plugins)})
    try:
        await broker.start()
    except BrokerError as error:
        raise StartError(
            f"the embedded broker cannot listen on {host}:{port} ({error.__cause__ or error}); "
            "give mqtt.url another port, or mqtt:// if a broker is running there"
        ) from error
    logging.getLogger("amqtt").setLevel(logging.WARNING)
    try:
        yield broker._servers["default"].instance.sockets[0].getsockname()[1]
    finally:
        await _stop(broker)


async def _stop(broker: "Broker") -> None:
    readers = [handler._reader_task for _, handler in broker.sessions.values()]
    stopping = asyncio.create_task(broker.shutdown(), name="embedded broker stops")
    # Before Python 3.12 a reader inside wait_for can lose its cancellation; amqtt would then wait for it for ever.
    while not (await asyncio.wait([stopping], timeout=0.1))[0]:
        for reader in readers:
            if reader is not None:
                reader.cancel()
    await stopping
