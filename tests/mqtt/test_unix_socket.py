"""MQTT over a Unix socket, with a real mosquitto that listens on one."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.records import Outgoing
from tests.broker import Mosquitto, until
from tests.mqtt.links import linked, payloads, receive, watcher


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_both_ways_over_a_socket(tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture) -> None:
    """Over unix:///path messages go both ways, and come again after the broker has come again; the log names the path
    while it is away."""
    path = tmp_path / "socket"
    async with Mosquitto(tmp_path, **{"listener 0": str(path)}) as broker:
        config = broker.config(url=f"unix://{path}", protocol=protocol)
        async with linked(watcher(config), "f") as watch, linked(config, "a") as link:
            async with Publisher(broker.config(client_id="mouth", session_expiry=0)) as publisher:
                await publisher.publish("a", b"in", qos=1)
            assert payloads(await receive(link, 1)) == [b"in"]
            link.publish([Outgoing("f", b"out", 1, False)])
            assert payloads(await receive(watch, 1)) == [b"out"]
            await broker.kill()
            await until(lambda: f"not connected: {path}: " in caplog.text)
            await broker.start()
            for one in (watch, link):
                await one.ready()
            link.publish([Outgoing("f", b"again", 1, False)])
            assert payloads(await receive(watch, 1)) == [b"again"]


async def test_no_socket(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where there is no socket, the line says so."""
    config = Mosquitto(tmp_path).config(url=f"unix://{tmp_path}/none")
    async with Link(config, []):
        await until(lambda: "/none: No such file or directory; is the broker running there?" in caplog.text)


@pytest.mark.parametrize("url", ["unix://", "unix:///", "unix://run/socket", "unix:///run/socket?x", "unix:///a#b"])
def test_what_names_no_socket(tmp_path: Path, url: str) -> None:
    """A URL without an absolute path, or with more than that, is refused."""
    with pytest.raises(ValidationError, match="write unix:///path, with three slashes"):
        Mosquitto(tmp_path).config(url=url)
