"""Thresholds as users meet them: messages of a daemon at a real broker, also over its death."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.tools.replay.sample import Sample, encode
from tests.broker import Mosquitto
from tests.process import configuration, running

TOPIC = "forecast/waves/tank/threshold/full"


async def heard(link: Link, time: str) -> list[dict[str, Any]]:
    """The crossings that come, up to the first of this time."""
    told: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        async for batch in link.batches():
            for message in batch.messages:
                assert message.topic == TOPIC
                told.append(orjson.loads(message.payload))
            link.ack(batch)
            if told[-1]["time"] == time:
                return told
    raise AssertionError(told)


async def test_full_soon(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A tank that fills is announced a horizon ahead and counted down; the daemon that is started after it was killed
    knows of the announcement, and takes it back when the tank is emptied: a subscriber who comes later finds that."""
    published = {"qos": 0, "retain": True}
    config = configuration(mosquitto, tmp_path, thresholds=[{"name": "full", "above": 59.5}], publish=published)
    ears, late = (mosquitto.config(client_id=name, session_expiry=0) for name in ("ears", "late"))
    mouth = mosquitto.config(client_id="mouth", session_expiry=0)
    filters = ["forecast/+/+/threshold/+"]
    async with Link(ears, filters) as link, Publisher(mouth) as publisher:
        await link.ready()
        async with running(config, tmp_path) as daemon:
            await daemon.logged("subscribed to")
            for t in range(57):
                await publisher.publish("waves/tank", encode(Sample(float(t), (float(t),))), 1)
            told = await heard(link, "1970-01-01T00:00:56.000Z")
            daemon.process.kill()
        assert [one["seconds"] for one in told] == pytest.approx([3.5 + i for i in range(len(told))][::-1], abs=0.1)
        assert len(told) > 5
        async with running(config, tmp_path) as daemon:
            await daemon.logged("subscribed to")
            for t in (57, 58):
                await publisher.publish("waves/tank", encode(Sample(float(t), (0.0,))), 1)
            assert (await heard(link, "1970-01-01T00:00:57.000Z"))[-1]["seconds"] is None
            async with Link(late, filters) as other:
                (found,) = await heard(other, "1970-01-01T00:00:57.000Z")
            assert await daemon.stop() == 0
    assert (found["threshold"], found["seconds"], found["at"]) == ("full", None, None)
