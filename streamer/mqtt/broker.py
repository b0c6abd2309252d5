"""The embedded broker: amqtt in this process, for demos and first steps where there is no broker yet."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from amqtt.broker import Broker
from amqtt.errors import BrokerError

from streamer.errors import StartError

PLUGINS: Mapping[str, Any] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}


@asynccontextmanager
async def embedded_broker(host: str, port: int, plugins: Mapping[str, Any] = PLUGINS) -> AsyncIterator[int]:
    """Yields the port it listens on (port 0 takes a free one); raises StartError if it cannot listen there.

    It speaks MQTT 3.1.1 to anybody who reaches `host`: keep to the loopback address.
    """
    logging.getLogger("transitions").setLevel(logging.WARNING)
    # amqtt logs the traceback of a failed start; StartError says it in a line.
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


async def _stop(broker: Broker) -> None:
    readers = [handler._reader_task for _, handler in broker.sessions.values()]
    stopping = asyncio.create_task(broker.shutdown(), name="embedded broker stops")
    # A reader busy at this moment can miss its cancellation (wait_for before Python 3.12), and amqtt waits for ever.
    while not (await asyncio.wait([stopping], timeout=0.1))[0]:
        for reader in readers:
            if reader is not None:
                reader.cancel()
    await stopping
