"""Conventions of the field, end to end: messages that other libraries wrote in, a forecast of each series out."""

import asyncio
import json
import re
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from influxdb_client.client.write import point as official

from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.records import Message
from tests.broker import Mosquitto
from tests.edge import Payload, double, payload
from tests.process import Process, configuration, running

NOW = 1_800_000_000
EDGE = "spBv1.0/plant/{}/edge"


class Ears:
    """What a client hears, message by message."""

    def __init__(self, link: Link) -> None:
        self.link, self.waiting = link, list[Message]()

    async def next(self, count: int) -> list[Message]:
        """The next so many messages, of any topic."""
        async with asyncio.timeout(30):
            while len(self.waiting) < count:
                async for batch in self.link.batches():
                    self.waiting += batch.messages
                    self.link.ack(batch)
                    break
        heard, self.waiting = self.waiting[:count], self.waiting[count:]
        return heard

    async def forecasts(self, count: int) -> dict[str, dict[str, Any]]:
        """The next so many forecasts, by their topic."""
        return {one.topic: json.loads(one.payload) for one in await self.next(count)}


@asynccontextmanager
async def heard(mosquitto: Mosquitto, topics: list[str]) -> AsyncIterator[tuple[Ears, Publisher]]:
    """Ears on some topics, and a mouth."""
    ears, mouth = (mosquitto.config(client_id=name, session_expiry=0) for name in ("ears", "mouth"))
    async with Link(ears, topics) as link, Publisher(mouth) as publisher:
        await link.ready()
        yield Ears(link), publisher


async def up(daemon: Process) -> Process:
    await daemon.logged("subscribed to")
    return daemon


def telegraf(second: int) -> bytes:
    """Points of two measurements as InfluxDB's own client writes them."""
    made: Any = official.Point
    cpu = made("cpu").tag("host", "press-3").tag("cpu", "cpu0").field("idle", 90.0 + second).field("name", "x")
    disk = made("disk").tag("path", "/a+b#c\x01d\ufffe").field("free", 7 + second).field("full", False)
    return "\n".join(one.time((NOW + second) * 10**9).to_line_protocol() for one in (cpu, disk)).encode()


async def test_telegraf(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Line protocol gives a series for each number of each point, forecast at its own times; what no topic may hold,
    for which the broker would end the connection, is replaced."""
    config = configuration(mosquitto, tmp_path, topics=["telegraf/{host}/#"], payload={"format": "influx"})
    async with heard(mosquitto, ["forecast/#"]) as (ears, mouth), running(config, tmp_path) as daemon:
        await up(daemon)
        for second in range(3):
            await mouth.publish("telegraf/press-3/all", telegraf(second), 1)
        got = await ears.forecasts(4)
        await mouth.publish("telegraf/press-3/all", telegraf(3), 1)
        got = await ears.forecasts(2)
        assert await daemon.stop() == 0
    assert {topic: (one["series"], one["mean"][0], one["time"][-14:], one["labels"]) for topic, one in got.items()} == {
        f"forecast/{name}": (name, first, "T08:00:03.000Z", {"host": "press-3"})
        for name, first in (
            ("telegraf/press-3/all/cpu,cpu=cpu0,host=press-3/idle", 93.0),
            ("telegraf/press-3/all/disk,path=/a_b_c_d_/free", 10.0),
        )
    }
    assert not any("connection" in line and "lost" in line for line in daemon.lines)


async def test_json_with_labels(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Several numbers of a JSON message are a series each; levels that the template names are labels in the forecast,
    may stand in its topic, and are shown to Prometheus."""
    config = configuration(
        mosquitto,
        tmp_path,
        topics=["plant/+/{machine}/{quantity}"],
        payload={"format": "json", "fields": ["inlet.temp", "rpm"], "time": "ts"},
        publish={"qos": 1, "topic": "f/{machine}/{topic}"},
    )
    config["metrics"]["per_series"] = 10
    async with heard(mosquitto, ["f/#"]) as (ears, mouth), running(config, tmp_path) as daemon:
        port = re.search(r":(\d+)/metrics", await daemon.logged("metrics on"))
        await up(daemon)
        for second in range(2):
            document = {"ts": NOW + second, "inlet": {"temp": 20.5 + second}, "rpm": 900 + second, "state": "on"}
            await mouth.publish("plant/north/press-3/all", json.dumps(document).encode(), 1)
        got = await ears.forecasts(2)
        assert port
        url = f"http://127.0.0.1:{port[1]}/metrics"
        shown = (await asyncio.to_thread(urllib.request.urlopen, url)).read().decode()
        assert await daemon.stop() == 0
    labels = {"machine": "press-3", "quantity": "all"}
    assert {topic: (one["series"], one["mean"][0], one["labels"]) for topic, one in got.items()} == {
        "f/press-3/plant/north/press-3/all/inlet.temp": ("plant/north/press-3/all/inlet.temp", 21.5, labels),
        "f/press-3/plant/north/press-3/all/rpm": ("plant/north/press-3/all/rpm", 901, labels),
    }
    series = 'series="plant/north/press-3/all/rpm"'
    assert f'streamer_series_label{{name="machine",{series},stream="waves",value="press-3"}} 1.0' in shown
    assert 'streamer_ignored_messages_total{stream="waves"} 0.0' in shown


def asked(message: Message) -> bool:
    """Whether this is the command to be born again."""
    (metric,) = Payload.FromString(message.payload).metrics
    return bool(
        message.topic == EDGE.format("NCMD")
        and (metric.name, metric.datatype, metric.boolean_value) == ("Node Control/Rebirth", 11, True)
    )


async def test_sparkplug(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A node whose birth was missed is asked for it, and after it metrics by alias are series of node and device; after
    a restart the daemon asks again, and goes on with the series where they were."""
    sparkplug = {"topics": ["spBv1.0/#"], "payload": {"format": "sparkplug", "metrics": ["p*"]}}
    config = configuration(mosquitto, tmp_path, **sparkplug, publish={"model": "persistence"})
    by_alias = {"alias": 1, "double_value": 1.5}
    node, device = EDGE.format("{}"), EDGE.format("{}") + "/press"
    births = [
        (node.format("NBIRTH"), payload(0, double(0.5, name="power", alias=1), double(0.5, name="other", alias=2))),
        (device.format("DBIRTH"), payload(1, double(0.5, name="p/in", alias=3))),
    ]
    async with heard(mosquitto, ["forecast/#", "spBv1.0/+/NCMD/#"]) as (ears, mouth):
        for start in (0, 3):
            async with running(config, tmp_path) as daemon:
                await up(daemon)
                await mouth.publish(node.format("NDATA"), payload(9, by_alias, time=NOW), 0)
                (command,) = await ears.next(1)
                assert asked(command)
                for topic, data in births:
                    await mouth.publish(topic, data, 0)
                for i in range(3):
                    at, seq = NOW + start + i, 2 + 2 * i
                    other = {"alias": 2, "double_value": 8.0}
                    await mouth.publish(node.format("NDATA"), payload(seq, by_alias, other, time=at), 0)
                    one = {"alias": 3, "double_value": 20.0 + i, "timestamp": at * 1000}
                    await mouth.publish(device.format("DDATA"), payload(seq + 1, one), 0)
                got = await ears.forecasts(4 if not start else 6)
                assert await daemon.stop() == 0
            assert {topic: (one["series"], one["mean"][0], one["time"][-7:-5]) for topic, one in got.items()} == {
                f"forecast/{name}": (name, first, f"{start + 2:02d}")
                for name, first in (("spBv1.0/plant/edge/power", 1.5), ("spBv1.0/plant/edge/press/p/in", 22.0))
            }
