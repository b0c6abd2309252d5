"""Thresholds as users meet them: messages of a daemon at a real broker, over its death, and metrics."""

import asyncio
import math
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from streamer.config.loader import parse
from streamer.errors import ConfigError
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.tools.replay.sample import Sample, encode
from tests.broker import Mosquitto
from tests.observe.test_metrics import labels, text, values
from tests.process import configuration, running
from tests.streams import fast_lane, feed, sample, timed, untimed

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


async def test_metrics(tmp_path: Path) -> None:
    """The stream's time is that of its soonest series, and infinite where none crosses; series that cross are counted,
    and single ones shown where they are asked for."""
    thresholds = [{"name": "hot", "above": 50.0}, {"name": "cold", "below": -50.0}]
    fast = fast_lane(tmp_path, untimed(payload={"format": "json", "time": "time"}, thresholds=thresholds))
    feed(fast, [sample(f"plant/{i}", 10.0 * t, 0.0) for t in range(3) for i in range(3)])
    thresholds_of = fast.streams[0].outlet.thresholds
    assert thresholds_of
    thresholds_of.lead[:3] = [[3.0, math.nan], [0.5, math.inf], [math.inf, math.nan]]
    got = values(await text(fast, per_series=2))
    assert got["streamer_threshold_seconds", labels(threshold="hot")] == 5.0
    assert got["streamer_threshold_series", labels(threshold="hot")] == 2
    assert got["streamer_threshold_seconds", labels(threshold="cold")] == math.inf
    assert got["streamer_threshold_series", labels(threshold="cold")] == 0
    single = {key[1]: value for key, value in got.items() if key[0] == "streamer_series_threshold_seconds"}
    assert single == {
        labels(series="plant/0", threshold="hot"): 30.0,
        labels(series="plant/1", threshold="hot"): 5.0,
        labels(series="plant/0", threshold="cold"): math.inf,
        labels(series="plant/1", threshold="cold"): math.inf,
    }
    fast.journal.close()


async def test_metrics_of_a_stream_without_series(tmp_path: Path) -> None:
    """A threshold is shown from the start: one that is misspelt in a rule is seen to be missing."""
    fast = fast_lane(tmp_path, timed(thresholds=[{"name": "hot", "above": 50.0}]))
    got = values(await text(fast))
    assert got["streamer_threshold_seconds", labels(threshold="hot")] == math.inf
    fast.journal.close()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"thresholds": [{"name": "full"}]}, "streams.0.thresholds.0: give above or below, and only one of them"),
        ({"thresholds": [{"name": "full", "above": 1, "below": 2}]}, "streams.0.thresholds.0: give above or below"),
        ({"thresholds": [{"name": "a/b", "above": 1}]}, "streams.0.thresholds.0.name: "),
        (
            {"thresholds": [{"name": "full", "abve": 1}]},
            "thresholds.0.abve: unknown key; did you mean above?",
        ),
        ({"thresholds": [{"name": "full", "above": math.inf}]}, "streams.0.thresholds.0.above: "),
        (
            {"thresholds": [{"name": "full", "above": 1}, {"name": "full", "below": 0}]},
            "two are named full",
        ),
        ({"thresholds": [{"name": "b", "above": 1, "element": 1}]}, "thresholds.0.element: a sample has 1"),
        (
            {"publish": {"home_assistant": {"leads": [41]}}},
            "publish.home_assistant.leads: forecasts end 40 ticks",
        ),
        ({"publish": {"home_assistant": {"prefix": "ha/#"}}}, "streams.0.publish.home_assistant.prefix: "),
        ({"publish": {"home_assistant": {"device_class": "date"}}}, "home_assistant.device_class: date is no class of"),
        ({"publish": {"home_assistant": {"unit": ""}}}, "streams.0.publish.home_assistant.unit: "),
    ],
)
def test_mistakes(changes: dict[str, Any], problem: str) -> None:
    """What cannot be meant is refused by its dotted path, with what to do."""
    with pytest.raises(ConfigError, match=re.escape(problem)) as raised:
        parse({"mqtt": {"url": "mqtt://a"}, "streams": [{"name": "s", "topics": ["a/#"], **changes}]}, "the file")
    assert "1 problem\n" in str(raised.value)
