"""Other topic filters while the link runs, as after a changed configuration."""

import logging

import pytest

from streamer.config import Mqtt
from streamer.mqtt.broker import embedded_broker
from streamer.mqtt.publisher import Publisher
from tests.broker import Mosquitto, until
from tests.mqtt.gate import GATED
from tests.mqtt.links import linked, payloads, receive, watcher

PROTOCOLS = pytest.mark.parametrize("protocol", ["3.1.1", "5"])


async def publish(config: Mqtt, *topics: str, retain: bool = False) -> None:
    """One message each, whose payload is the topic."""
    async with Publisher(watcher(config)) as publisher:
        for topic in topics:
            await publisher.publish(topic, topic.encode(), retain=retain)


@PROTOCOLS
async def test_a_connected_link_changes_its_filters(
    mosquitto: Mosquitto, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    """New filters deliver, gone ones do not, and a retained message of one that stays is not delivered again."""
    caplog.set_level(logging.INFO)
    config = mosquitto.config(protocol=protocol)
    await publish(config, "stays", "new", retain=True)
    async with linked(config, "stays", "old") as link:
        assert payloads(await receive(link, 1)) == [b"stays"]
        link.refilter(["stays", "new"])
        subscribed = [link.subscribed]
        await link.ready()
        assert [*subscribed, link.subscribed] == [False, True]
        await publish(config, "old", "new", "stays")
        assert payloads(await receive(link, 3)) == [b"new", b"new", b"stays"]
        assert link.counts.connects == 1
    assert "subscribed to new" in caplog.text
    assert "unsubscribed from old" in caplog.text


@PROTOCOLS
async def test_a_link_that_is_away_changes_them_at_its_return(mosquitto: Mosquitto, protocol: str) -> None:
    """Filters changed, twice, while the broker is gone hold from the next connection on; only the last ones count."""
    config = mosquitto.config(protocol=protocol)
    async with linked(config, "old") as link:
        await mosquitto.stop()
        await until(lambda: not link.connected)
        link.refilter(["between"])
        link.refilter(["new"])
        await mosquitto.start()
        await link.ready()
        await publish(config, "old", "between", "new")
        assert payloads(await receive(link, 1)) == [b"new"]


async def test_changes_in_a_row_end_with_the_last(mosquitto: Mosquitto) -> None:
    """A change while another one is under way is not lost, nor is a filter that goes and comes back."""
    config = mosquitto.config()
    async with linked(config, "a", "b") as link:
        for filters in (["b"], ["c"], ["b", "d"], ["a", "d"]):
            link.refilter(filters)
            await until(lambda: True)
        await link.ready()
        await publish(config, "b", "c", "a", "d")
        assert payloads(await receive(link, 2)) == [b"a", b"d"]


@PROTOCOLS
async def test_a_kept_session_forgets_what_was_changed(mosquitto: Mosquitto, protocol: str) -> None:
    """What is published to a gone filter while the link is away does not wait for it in its session."""
    config = mosquitto.config(protocol=protocol)
    async with linked(config, "old") as link:
        link.refilter(["new"])
        await link.ready()
    await publish(config, "old", "new")
    async with linked(config, "new") as link:
        assert payloads(await receive(link, 1)) == [b"new"]


async def test_a_refused_change_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """A new filter that the broker refuses is named, the link does not call itself subscribed, and taking it back
    makes good."""
    async with (
        embedded_broker("127.0.0.1", 0, GATED) as port,
        linked(Mqtt(url=f"embedded://127.0.0.1:{port}"), "free/#") as link,
    ):
        link.refilter(["free/#", "secret/#"])
        await link.ready()
        assert (link.connected, link.subscribed) == (True, False)
        link.refilter(["free/#"])
        await link.ready()
        assert link.subscribed
    assert "'secret/#' refused" in caplog.text
