"""Home Assistant's place taken by a client: what it would find at a real broker, beside a real daemon."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from streamer.config import Mqtt
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.tools.replay.sample import Sample, encode
from tests.broker import Mosquitto
from tests.process import configuration, running

PUBLISH = {"qos": 1, "retain": True, "home_assistant": {"unit": "bar", "device_class": "pressure", "leads": [1, 10]}}
TOPICS = ("waves/a", "waves/b é")
AWAY = "streamer/streamer/availability"
DOCUMENT = Draft202012Validator(json.loads(Path("tests/publish/home_assistant.json").read_text(encoding="utf-8")))


def client(broker: Mosquitto, name: str) -> Mqtt:
    return broker.config(client_id=name, session_expiry=0)


async def fill(publisher: Publisher, ticks: range) -> None:
    for t in ticks:
        for topic in TOPICS:
            await publisher.publish(topic, encode(Sample(float(t), (t / 7,))), 1)


async def heard(link: Link, last: int, *also: str) -> dict[str, list[bytes]]:
    """What comes, by topic, until each series has a forecast of this second and there are messages of `also`."""
    by_topic: dict[str, list[bytes]] = {}
    time, forecasts = f"1970-01-01T00:00:{last:02}.000Z", [f"forecast/{topic}" for topic in TOPICS]
    async with asyncio.timeout(20):
        async for batch in link.batches():
            for message in batch.messages:
                by_topic.setdefault(message.topic, []).append(message.payload)
            link.ack(batch)
            if {*forecasts, *also} <= by_topic.keys() and all(
                json.loads(by_topic[topic][-1])["time"] == time for topic in forecasts
            ):
                return by_topic
    raise AssertionError(by_topic)


def announced(found: dict[str, list[bytes]]) -> dict[str, dict[str, Any]]:
    """The devices by topic; each series is announced once."""
    some = {topic: payloads for topic, payloads in found.items() if topic.startswith("homeassistant/")}
    documents = {topic: json.loads(only) for topic, (only,) in some.items()}
    for document in documents.values():
        DOCUMENT.validate(document)
    assert {document["device"]["name"] for document in documents.values()} == set(TOPICS)
    return documents


def shown(sensor: dict[str, Any], payload: bytes) -> float:
    """The state that Home Assistant renders from a message: its templates are Jinja's."""
    template = ImmutableSandboxedEnvironment().from_string(sensor["value_template"])
    return float(template.render(value_json=json.loads(payload)))


async def test_series_appear_by_themselves(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Every series is announced once, with sensors that show its forecasts and whether the daemon is there; a restart
    announces the same devices, a client that comes late finds them, and a filter that selects everything takes none of
    it for samples."""
    config = configuration(mosquitto, tmp_path, topics=["#"], publish=PUBLISH)
    filters = ["homeassistant/#", "forecast/#", AWAY]
    async with Publisher(client(mosquitto, "mouth")) as publisher:
        async with Link(client(mosquitto, "ears"), filters) as link:
            await link.ready()
            async with running(config, tmp_path) as daemon:
                await daemon.logged("subscribed to")
                await fill(publisher, range(10))
                first = announced(await heard(link, 9, AWAY))
                assert await daemon.stop() == 0
        async with running(config, tmp_path) as daemon:
            await daemon.logged("subscribed to")
            async with Link(client(mosquitto, "ears again"), ["forecast/#", AWAY]) as link:
                await fill(publisher, range(10, 12))
                await heard(link, 11, AWAY)
            async with Link(client(mosquitto, "late"), filters) as link:
                found = await heard(link, 11, AWAY)
            assert await daemon.stop() == 0
    assert not [line for line in daemon.lines if "homeassistant" in line and "own_forecast" not in line]
    assert announced(found) == first
    assert found[AWAY] == [b"online"]
    for document in first.values():
        assert document["availability_topic"] == AWAY
        for lead in (1, 10):
            parts = {part: document["components"][f"{part}_{lead}"] for part in ("lower", "lead", "upper")}
            (payload,) = {found[sensor["state_topic"]][0] for sensor in parts.values()}
            forecast = json.loads(payload)
            bounds = [forecast["quantiles"][quantile][lead - 1] for quantile in ("0.1", "0.9")]
            values = {part: shown(sensor, payload) for part, sensor in parts.items()}
            assert values == {"lower": bounds[0], "lead": forecast["mean"][lead - 1], "upper": bounds[1]}


async def test_a_reload_announces(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A stream that is given discovery, or a threshold, by a reload is announced anew with its next forecast."""
    config, devices = configuration(mosquitto, tmp_path), []
    changes: list[dict[str, Any]] = [{"publish": PUBLISH}, {"thresholds": [{"name": "full", "above": 9.0}]}]
    async with (
        Publisher(client(mosquitto, "mouth")) as publisher,
        Link(client(mosquitto, "ears"), ["homeassistant/#", "forecast/#"]) as link,
        running(config, tmp_path) as daemon,
    ):
        await link.ready()
        await daemon.logged("subscribed to")
        for i, change in enumerate(changes):
            config["streams"][0] |= change
            YAML().dump(config, tmp_path / "config.yaml")
            daemon.process.send_signal(signal.SIGHUP)
            await daemon.logged("reloaded")
            await fill(publisher, range(9 * i, 9 * i + 9))
            devices.append(announced(await heard(link, 9 * i + 8)))
        assert await daemon.stop() == 0
    before, after = devices
    assert before.keys() == after.keys()
    for topic, device in before.items():
        assert (len(device["components"]), len(after[topic]["components"])) == (6, 10)
        assert device["device"]["identifiers"] == after[topic]["device"]["identifiers"]
