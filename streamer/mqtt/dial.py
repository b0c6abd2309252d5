"""A host or the path of a socket in, a channel to the broker there out."""

import asyncio
import socket
from collections.abc import Callable

from streamer.mqtt.access import Access
from streamer.mqtt.channel import Channel
from streamer.mqtt.websocket import WebSocket

CONNECT_SECONDS = 5.0  # longest wait for each address of the host


async def open_channel(
    access: Access, make: Callable[[], Channel], connect_seconds: float = CONNECT_SECONDS
) -> Channel:
    """Connects to the socket, or to the first address of the host that answers.

    Raises OSError, of which SSLError is one.
    """
    config, loop = access.config, asyncio.get_running_loop()
    if config.socket is not None:
        async with asyncio.timeout(connect_seconds):
            _, channel = await loop.create_unix_connection(make, config.socket)
            return channel
    failed: OSError | None = None
    for *_, address in await loop.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM):
        try:
            async with asyncio.timeout(connect_seconds):
                return await dial(access, str(address[0]), make)
        except OSError as error:
            failed = error
    raise failed or OSError(f"no address for {config.host}")


async def dial(access: Access, address: str, make: Callable[[], Channel]) -> Channel:
    """Connects to one address; raises OSError."""
    config, loop = access.config, asyncio.get_running_loop()
    name = None if access.tls is None else config.tls.server_name or config.host
    if config.path is None:
        _, channel = await loop.create_connection(make, address, config.port, ssl=access.tls, server_hostname=name)
        return channel
    transport, socket_ = await loop.create_connection(
        lambda: WebSocket(config.url, make), address, config.port, ssl=access.tls, server_hostname=name
    )
    try:
        return await socket_.opened
    except BaseException:
        transport.abort()
        raise
