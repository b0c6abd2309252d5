"""Links for tests: connected ones, what they receive, and configurations for a second one or for a detour."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from streamer.config import Mqtt
from streamer.mqtt.link import Link
from streamer.records import Message
from tests.broker import Proxy


@asynccontextmanager
async def linked(config: Mqtt, *filters: str, former: tuple[str, ...] = ()) -> AsyncIterator[Link]:
    async with asyncio.timeout(10), Link(config, filters, former) as link:
        await link.ready()
        yield link


async def receive(link: Link, count: int) -> list[Message]:
    """The next `count` messages or a few more, acknowledged."""
    messages: list[Message] = []
    async with asyncio.timeout(30), aclosing(link.batches()) as batches:
        async for batch in batches:
            messages += batch.messages
            link.ack(batch)
            if len(messages) >= count:
                break
    return messages


def watcher(config: Mqtt) -> Mqtt:
    return config.model_copy(update={"client_id": "watcher", "session_expiry": 0})


def detour(config: Mqtt, proxy: Proxy) -> Mqtt:
    return config.model_copy(update={"url": f"mqtt://127.0.0.1:{proxy.port}"})


def payloads(messages: list[Message]) -> list[bytes]:
    return [message.payload for message in messages]
