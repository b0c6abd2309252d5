"""A changed configuration, taken over while the daemon runs."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from streamer.config import Config, Mqtt, Stream, Training
from streamer.errors import ConfigError
from streamer.lanes.fast import FastLane
from streamer.lanes.reload import Reloader
from streamer.lanes.slow import SlowLane
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from tests.broker import Mosquitto
from tests.process import configuration, running
from tests.streams import NOW, SMALL, fast_lane, feed, message, sample

QUIET: dict[str, Any] = {
    "payload": {"format": "json", "time": "time"},
    "interval": 1.0,
    "model": SMALL,
    "retrain": {"every": 0, "minimum": 30, "window": 200},
}


def stream(name: str, **changes: Any) -> Stream:
    return Stream(name=name, topics=[f"{name}/+"], **{**QUIET, **changes})


def config(directory: Path, *streams: Stream, **changes: Any) -> Config:
    sections: dict[str, Any] = {"mqtt": Mqtt(url="mqtt://localhost"), "state": {"path": directory}, **changes}
    return Config(streams=list(streams), **sections)


class Running:
    """A fast lane and what else a reload changes, without a broker."""

    def __init__(self, start: Config) -> None:
        self.fast: FastLane = fast_lane(start.state.path, *start.streams)
        self.slow = SlowLane(start, self.fast.journal, self.fast.lock, lambda: NOW)
        link = Link(start.mqtt, ["a/+", "b/+"])
        self.reload = Reloader(start, self.fast, self.slow, link).reload

    def hear(self, *names: str, at: range) -> list[dict[str, Any]]:
        return feed(self.fast, [sample(f"{name}/x", t, float(t % 7)) for t in at for name in names])


async def test_other_fields(tmp_path: Path) -> None:
    """Of a stream whose messages are several series, those that stay go on where they were, others come and go."""

    def asked(*fields: str) -> Config:
        return config(tmp_path, stream("a", payload={"format": "json", "fields": list(fields), "time": "time"}))

    def hear(at: int) -> list[dict[str, Any]]:
        return feed(made.fast, [message("a/x", json.dumps({"time": at, "b": at, "c": -at}).encode())])

    made = Running(asked("b"))
    hear(1)
    assert await made.reload(asked("b", "c")) == "added=none removed=none changed=a"
    assert [(one["series"], one["mean"][0]) for one in hear(2)] == [("a/x/b", 2)]
    assert [one["series"] for one in hear(3)] == ["a/x/b", "a/x/c"]
    await made.reload(asked("c"))
    assert [(one["series"], one["mean"][0]) for one in hear(4)] == [("a/x/c", -4)]
    assert made.fast.streams[0].counts.rejected == {}
    made.fast.journal.close()


async def test_untouched_streams_do_not_notice(tmp_path: Path) -> None:
    """A stream that stays as it was keeps its very stream; others come and go beside it; training is taken over."""
    made = Running(config(tmp_path, stream("a"), stream("b")))
    (kept, _) = made.fast.streams
    made.hear("a", "b", at=range(20))
    changes = await made.reload(config(tmp_path, stream("c"), stream("a"), training=Training(epochs=3)))
    assert changes == "added=c removed=b changed=none"
    assert made.fast.streams[1] is kept
    heard = made.hear("a", "b", "c", at=range(20, 22))
    assert [one["series"] for one in heard] == ["c/x", "a/x", "a/x"]
    assert made.fast.unrouted == 2
    assert made.slow.config.training.epochs == 3
    made.fast.journal.close()


async def test_a_changed_stream_goes_on_from_its_states(tmp_path: Path) -> None:
    """With other topics and another rate of publishing, known series forecast as if nothing had been."""
    plain, changed = (
        Running(config(tmp_path / name, stream("a", season=5, publish={"model": "linear-5"})))
        for name in ("plain", "changed")
    )
    assert plain.hear("a", at=range(40)) == changed.hear("a", at=range(40))
    (before,) = changed.fast.streams
    new = stream("a", season=5, publish={"model": "linear-5", "every": 2, "retain": False}, lowest=-5.0)
    assert await changed.reload(config(tmp_path / "changed", new)) == "added=none removed=none changed=a"
    (after,) = changed.fast.streams
    assert before.retired
    assert not after.retired
    assert after.counts.samples == 40
    every = plain.hear("a", at=range(40, 60))
    fewer = changed.hear("a", at=range(40, 60))
    assert fewer[0] == every[0]
    for forecast in (*every, *fewer):
        del forecast["quantiles"]  # from then on they learn from half as many forecasts
    assert fewer == every[::2]
    for one in (plain, changed):
        one.fast.journal.close()


async def test_a_removed_stream_that_returns_goes_on(tmp_path: Path) -> None:
    """What a removed stream had learnt waits in the state directory."""
    made = Running(config(tmp_path, stream("a"), stream("b")))
    made.hear("a", "b", at=range(30))
    await made.reload(config(tmp_path, stream("a")))
    made.hear("a", at=range(30, 35))
    await made.reload(config(tmp_path, stream("a"), stream("b")))
    (_, again) = made.fast.streams
    assert [(one.topic, one.tick) for one in again.series] == [("b/x", 29)]
    assert again.panel.scores.weight[0].max() > 0
    made.fast.journal.close()


@pytest.mark.parametrize(
    "changes", [{"mqtt": Mqtt(url="mqtt://elsewhere")}, {"metrics": {"port": 1}}, {"state": {"path": "/elsewhere"}}]
)
async def test_what_needs_a_restart_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    """A change of broker, metrics or state directory is refused by name, and nothing else of the file is taken."""
    made = Running(config(tmp_path, stream("a")))
    before = made.fast.streams
    with pytest.raises(ConfigError, match=f"^{next(iter(changes))}: changed.*restart"):
        await made.reload(config(tmp_path, stream("a"), stream("b"), **changes))
    assert made.fast.streams is before
    made.fast.journal.close()


async def test_hanging_up_reloads_the_file(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """SIGHUP: a bad file changes nothing and is told with its key; a good one subscribes to the new stream's topics."""
    document = configuration(mosquitto, tmp_path, retrain=QUIET["retrain"], model=SMALL)
    good = {
        **document,
        "streams": [*document["streams"], {**document["streams"][0], "name": "more", "topics": ["more/+"]}],
    }
    bad = {**document, "streams": [{**document["streams"][0], "interval": -1}]}
    ears = mosquitto.config(client_id="ears", session_expiry=0)
    async with Link(ears, ["forecast/#"]) as link, running(document, tmp_path) as daemon:
        await link.ready()
        await daemon.logged("subscribed to waves/+")
        YAML().dump(bad, tmp_path / "config.yaml")
        daemon.process.send_signal(signal.SIGHUP)
        assert "streams.0.interval" in await daemon.logged("not reloaded, nothing has changed")
        YAML().dump(good, tmp_path / "config.yaml")
        daemon.process.send_signal(signal.SIGHUP)
        await daemon.logged("reloaded added=more removed=none changed=none")
        await daemon.logged("subscribed to")
        async with Publisher(mosquitto.config(client_id="mouth", session_expiry=0)) as publisher:
            for topic in ("waves/a", "more/b"):
                for t in range(2):
                    await publisher.publish(topic, json.dumps({"time": t, "value": t}).encode(), 1)
        heard = set()
        async with asyncio.timeout(10):
            async for batch in link.batches():
                heard |= {message.topic for message in batch.messages}
                if len(heard) == 2:
                    break
        assert await daemon.stop() == 0
    assert heard == {"forecast/waves/a", "forecast/more/b"}
