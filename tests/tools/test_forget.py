"""`streamer forget` on a real state directory and a real broker."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from streamer.config import Config, Stream
from streamer.errors import StateError
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.records import MessageBatch
from streamer.store import requests
from streamer.store.journal import Journal
from streamer.store.samples import Limits
from streamer.tools.forget import forget_series
from streamer.tools.replay.sample import Sample, encode
from tests.broker import Mosquitto
from tests.mqtt.links import linked, payloads, receive, watcher
from tests.process import configuration, running
from tests.streams import fast_lane, feed, resumed, sample, save, timed

NAMES = ("plant/good", "plant/rogue/1", "plant/rogue/2")


def config_of(stream: Stream, state: Path, url: str = "embedded://127.0.0.1:0") -> Config:
    return Config.model_validate(
        {
            "mqtt": {"url": url},
            "streams": [{**stream.model_dump(), "retrain": {"minimum": 100}}],
            "state": {"path": str(state)},
        }
    )


@pytest.mark.parametrize("settle", [2**15, 8])
async def test_the_others_go_on_bit_by_bit(tmp_path: Path, settle: int) -> None:
    """At max_series, after two of three series are forgotten, from the log or from chunks, a new one is accepted, one
    of the forgotten begins anew, and the one that is left is forecast as if nothing had happened."""
    config = timed(max_series=3)
    fast, twin = (fast_lane(tmp_path / name, config, limits=Limits(settle=settle)) for name in ("a", "twin"))
    for one in (fast, twin):
        feed(one, [sample(name, t, t % 7) for t in range(40) for name in NAMES])
        save(one)
        feed(one, [sample(name, t, t % 7) for t in range(40, 60) for name in NAMES])
    fast.journal.close()
    said: list[str] = []
    assert await forget_series(config_of(config, tmp_path / "a"), "plant/rogue/#", said.append) == 2
    assert said == ["plant: plant/rogue/1", "plant: plant/rogue/2"]
    again = resumed(tmp_path / "a", config)
    assert [one.name for one in again.streams[0].series] == ["plant/good"]
    feed(again, [sample(name, 60, 1) for name in ("plant/new", "plant/rogue/2")])
    assert [(one.ident, one.tick) for one in again.streams[0].series] == [(1, 59), (4, 0), (5, 0)]
    for t in range(60, 80):
        some = [sample("plant/good", t, t % 7)]
        assert feed(again, some) == feed(twin, some)
    for lane in (again, twin):
        lane.journal.close()


async def test_what_the_broker_keeps_is_cleared(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """The retained forecast, threshold message and Home Assistant device of a forgotten series are gone, those of
    another one stay."""
    publish = {"retain": True, "home_assistant": {}}
    config = timed(thresholds=[{"name": "high", "above": 3}], publish=publish)
    fast = fast_lane(tmp_path / "state", config, availability="streamer/streamer/availability")
    batch = [sample(name, t, t % 7) for t in range(20) for name in NAMES[:2]]
    async with Publisher(watcher(mosquitto.config())) as publisher:
        for some in ([one] for one in batch):
            for out in fast.process(MessageBatch(some, 1)).forecasts:
                await publisher.publish(out.topic, out.payload, 1, retain=True)
    fast.journal.close()
    assert await forget_series(config_of(config, tmp_path / "state", mosquitto.url), "+/rogue/#", lambda _: None) == 1
    async with linked(watcher(mosquitto.config()), "forecast/#", "homeassistant/#") as link:
        kept = await receive(link, 3)
    assert sorted(message.topic.split("/")[-1] for message in kept) == ["config", "good", "high"]
    assert all(b"good" in payload for payload in payloads(kept))


async def test_without_a_journal(tmp_path: Path) -> None:
    """Where there is no state nothing is forgotten, and the error says why."""
    with pytest.raises(StateError, match="holds no journal"):
        await forget_series(config_of(timed(), tmp_path / "state"), "#", print)


async def test_beside_a_daemon(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A running daemon forgets the series and clears what the broker keeps of it; the other one is forecast on, and the
    one that is gone begins anew."""
    config = configuration(mosquitto, tmp_path)
    async with (
        running(config, tmp_path) as daemon,
        Publisher(mosquitto.config(client_id="mouth", session_expiry=0)) as publisher,
        Link(watcher(mosquitto.config()), ["forecast/#"]) as ears,
    ):
        await ears.ready()
        await daemon.logged("subscribed to")

        async def send(*ticks: int) -> list[tuple[str, bytes]]:
            for t in ticks:
                for name in ("waves/a", "waves/b"):
                    await publisher.publish(name, encode(Sample(float(t), (float(t % 5),))))
            return [(one.topic, one.payload) for one in await receive(ears, 2 * len([t for t in ticks if t]))]

        await send(0, 1, 2)
        said: list[str] = []
        asking = asyncio.create_task(forget_series(Config(**config), "waves/b", said.append))
        assert await asking == 1
        assert said == ["waves: waves/b"]
        assert [(one.topic, one.payload) for one in await receive(ears, 1)] == [("forecast/waves/b", b"")]
        for name, t in (("waves/a", 3), ("waves/b", 4), ("waves/b", 5)):
            await publisher.publish(name, encode(Sample(float(t), (0.0,))))
        heard = await receive(ears, 2)
        assert [one.topic for one in heard] == ["forecast/waves/a", "forecast/waves/b"]
        assert await forget_series(Config(**config), "nobody", said.append) == 0
        assert await daemon.stop() == 0
    with closing(Journal.read(Path(config["state"]["path"]))) as journal:
        (source,) = journal.sources()
        assert [(row.topic, row.ident, row.tick) for row in journal.series(source)] == [
            ("waves/a", 1, 3),
            ("waves/b", 3, 1),
        ]


async def test_a_second_request(tmp_path: Path) -> None:
    """Of two requests at a time the second is refused and names the file; one that was taken makes room."""
    requests.ask(tmp_path, "a/#")
    with pytest.raises(StateError, match=f"{requests.FILE}: another request waits"):
        requests.ask(tmp_path, "b/#")
    assert requests.take(tmp_path) == "a/#"
    assert requests.take(tmp_path) is None
    requests.ask(tmp_path, "b/#")
    assert requests.take(tmp_path) == "b/#"
