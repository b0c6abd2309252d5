"""Home Assistant's place taken by a client: what it would find at a real broker, beside a real daemon."""

import asyncio
import json
from pathlib import Path
from typing import Any

from streamer.config import Mqtt
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.records import Outgoing
from streamer.tools.replay.sample import Sample, encode
from tests.broker import Mosquitto
from tests.lanes.test_reload import Running, stream
from tests.lanes.test_reload import config as quiet
from tests.process import configuration, running
from tests.publish.test_home_assistant import checked, state

PUBLISH = {"qos": 1, "retain": True, "home_assistant": {"unit": "bar", "device_class": "pressure", "leads": [1, 10]}}
TOPICS = ("waves/a", "waves/b é")
AWAY = "streamer/streamer/availability"


async def test_a_reload_announces(tmp_path: Path) -> None:
    """A stream that is given discovery, or a threshold, by a reload is announced with its next forecast."""
    made = Running(quiet(tmp_path, stream("a")))
    found = []
    some: list[dict[str, Any]] = [{}, {"thresholds": [{"name": "full", "above": 9.0}]}]
    for i, more in enumerate(some):
        await made.reload(quiet(tmp_path, stream("a", publish={"home_assistant": {}}, **more)))
        told = made.hear("a", at=range(9 * i, 9 * i + 9))
        found += [one for one in told if one["topic"].startswith("homeassistant/")]
    assert [len(one["components"]) for one in found] == [2, 3]
    assert found[0]["device"]["identifiers"] == found[1]["device"]["identifiers"]
    made.fast.journal.close()


def client(broker: Mosquitto, name: str) -> Mqtt:
    return broker.config(client_id=name, session_expiry=0)


async def fill(publisher: Publisher, ticks: range) -> None:
    for t in ticks:
        for topic in TOPICS:
            await publisher.publish(topic, encode(Sample(float(t), (t / 7,))), 1)


async def heard(link: Link, last: int) -> dict[str, list[bytes]]:
    """What comes, by topic, until each series has a forecast of this second and the daemon has said that it is on."""
    by_topic: dict[str, list[bytes]] = {}
    time, forecasts = f"1970-01-01T00:00:{last:02}.000Z", [f"forecast/{topic}" for topic in TOPICS]
    async with asyncio.timeout(20):
        async for batch in link.batches():
            for message in batch.messages:
                by_topic.setdefault(message.topic, []).append(message.payload)
            link.ack(batch)
            if {*forecasts, AWAY} <= by_topic.keys() and all(
                json.loads(by_topic[topic][-1])["time"] == time for topic in forecasts
            ):
                return by_topic
    raise AssertionError(by_topic)


def announced(found: dict[str, list[bytes]]) -> dict[str, dict[str, Any]]:
    """The devices by topic; each series is announced once."""
    some = {topic: payloads for topic, payloads in found.items() if topic.startswith("homeassistant/")}
    documents = {topic: checked(Outgoing(topic, only, 1, True)) for topic, (only,) in some.items()}
    assert {document["device"]["name"] for document in documents.values()} == set(TOPICS)
    return documents


async def test_series_appear_by_themselves(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Every series is announced once, and its sensors show the values of its forecasts and whether the daemon is there.
    After a restart it is the same devices that are announced, and a client that comes late finds them. A filter that
    selects everything takes none of it for samples."""
    config = configuration(mosquitto, tmp_path, topics=["#"], publish=PUBLISH)
    filters = ["homeassistant/#", "forecast/#", AWAY]
    async with Publisher(client(mosquitto, "mouth")) as publisher:
        async with Link(client(mosquitto, "ears"), filters) as link:
            await link.ready()
            async with running(config, tmp_path) as daemon:
                await daemon.logged("subscribed to")
                await fill(publisher, range(10))
                first = announced(await heard(link, 9))
                assert await daemon.stop() == 0
        async with running(config, tmp_path) as daemon:
            await daemon.logged("subscribed to")
            async with Link(client(mosquitto, "ears again"), ["forecast/#", AWAY]) as link:
                await fill(publisher, range(10, 12))
                await heard(link, 11)
            async with Link(client(mosquitto, "late"), filters) as link:
                found = await heard(link, 11)
            assert await daemon.stop() == 0
    assert not [line for line in daemon.lines if "homeassistant" in line and "own_forecast" not in line]
    assert announced(found) == first
    assert found[AWAY] == [b"online"]
    for document in first.values():
        assert document["availability_topic"] == AWAY
        for lead, sensor in zip((1, 10), document["components"].values(), strict=True):
            (forecast,) = found[sensor["state_topic"]]
            assert float(state(sensor, forecast)) == json.loads(forecast)["mean"][lead - 1]
