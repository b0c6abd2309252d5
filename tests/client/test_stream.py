"""The client against a real mosquitto, and the real daemon."""

import asyncio
import gc
import json
import logging
import ssl
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from streamer.client import CannotListen, Forecast, forecasts
from streamer.client.access import access
from streamer.mqtt.publisher import Publisher
from streamer.tools.replay.play import Form, Pace, play
from streamer.tools.replay.sources import signal as wave
from tests.broker import Mosquitto, free_port, until, write_password
from tests.client.test_forecast import GOOD
from tests.daemon.test_tls import make_authority, sign
from tests.process import configuration, running
from tests.scripted import CONNECT, SUBSCRIBE, Expect, Send, Stall, scripted

pytestmark = pytest.mark.filterwarnings("ignore:.*ssl.SSLSocket")  # paho leaves one open when the handshake fails
README = Path("README.md").read_text(encoding="utf-8")


def publisher(broker: Mosquitto) -> Publisher:
    return Publisher(broker.config(client_id="mouth", session_expiry=0))


def message(i: float, **changes: Any) -> bytes:
    return json.dumps({**GOOD, "mean": [i, i, i], **changes}).encode()


async def first(stream: Any, count: int) -> list[Forecast]:
    """The next so many forecasts."""
    async with asyncio.timeout(20):
        return [await anext(stream) for _ in range(count)]


async def test_forecasts_of_the_real_daemon(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Every forecast of a running daemon arrives once, in order, with its moments, its bounds and the series asked
    for."""
    config = configuration(mosquitto, tmp_path, topics=["waves/+", "other/+"])
    async with (
        forecasts(mosquitto.url, "waves/#", qos=1) as stream,
        running(config, tmp_path) as daemon,
        publisher(mosquitto) as mouth,
    ):
        await daemon.logged("subscribed to")
        samples = list(islice(wave("sine", 0, 1.0), 30))
        await play(samples[:5], mouth.publish, Pace(), Form("other/b", qos=1))
        await play(samples, mouth.publish, Pace(), Form("waves/a", qos=1))
        heard = await first(stream, 29)
        assert await daemon.stop() == 0
    assert {forecast.series for forecast in heard} == {"waves/a"}
    assert [(forecast.time - heard[0].time).total_seconds() for forecast in heard] == [float(i) for i in range(29)]
    assert all(len(forecast.mean) == len(forecast.times) == 10 for forecast in heard)
    assert all(set(forecast.quantiles) <= {0.1, 0.9} for forecast in heard)
    assert heard[-1].to_pandas().shape == (10, 3)
    assert not stream.skipped


def example() -> str:
    """The README's program."""
    _, _, after = README.partition("## From Python")
    return after.partition("```python\n")[2].partition("```")[0]


async def test_the_readme_program(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """The program in the README prints a line for each forecast of the series it names."""
    program = example().replace("mqtt://localhost:1883", mosquitto.url)
    assert mosquitto.url in program
    (tmp_path / "program.py").write_text(program)
    async with publisher(mosquitto) as mouth:
        await mouth.publish("forecast/plant/a", message(21.5), 1, retain=True)
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-u", str(tmp_path / "program.py"), stdout=subprocess.PIPE
        )
        assert running.stdout
        try:
            async with asyncio.timeout(20):
                line = (await running.stdout.readline()).decode()
        finally:
            running.kill()
            await running.communicate()
    assert line == "plant/a 2026-03-01 12:00:00.750000+00:00 21.5 0.5\n"


async def test_what_is_no_forecast_is_counted_and_told_once(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    """Other messages below the same topics are skipped, counted by reason, and a strange one is told once."""
    async with forecasts(mosquitto.url, "plant/#") as stream, publisher(mosquitto) as mouth:
        for payload in (b"", b"21.4", b"21.5", b"{", json.dumps({"threshold": "full"}).encode(), message(1)):
            await mouth.publish("forecast/plant/a", payload, 1)
        (forecast,) = await first(stream, 1)
    assert forecast.mean[0] == 1
    assert stream.skipped == {"empty": 1, "field": 2, "syntax": 1, "announcement": 1}
    told = [line for line in caplog.messages if "no forecast" in line]
    assert len(told) == 2
    assert told[0] == "no forecast: forecast/plant/a: is no JSON object; counted in skipped['field'] from now on"


async def test_a_full_queue_drops_the_oldest(mosquitto: Mosquitto) -> None:
    """Of forecasts that nobody takes the newest wait, and those dropped are counted."""
    async with forecasts(mosquitto.url, "plant/#", queue=3) as stream, publisher(mosquitto) as mouth:
        for i in range(10):
            await mouth.publish("forecast/plant/a", message(i), 1)
        await mouth.publish("forecast/plant/end", b"", 1)
        await until(lambda: stream.skipped["empty"] == 1)
        assert [forecast.mean[0] for forecast in await first(stream, 3)] == [7, 8, 9]
    assert stream.dropped == 7


async def test_it_comes_back_after_an_outage(mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    """When the broker dies and returns, the iteration goes on by itself, and the log says so meanwhile."""
    async with forecasts(mosquitto.url, "plant/#") as stream:
        async with publisher(mosquitto) as mouth:
            await mouth.publish("forecast/plant/a", message(1), 1)
        (before,) = await first(stream, 1)
        await mosquitto.kill()
        await mosquitto.start()
        await until(lambda: stream.connections == 2)
        async with publisher(mosquitto) as mouth:
            await mouth.publish("forecast/plant/a", message(2), 1)
        (after,) = await first(stream, 1)
    assert [before.mean[0], after.mean[0]] == [1, 2]
    assert any("trying again" in line for line in caplog.messages)


async def test_a_stream_that_is_over_ends_its_iteration(mosquitto: Mosquitto) -> None:
    """Whoever waits in another task for the next forecast is let go when the stream is closed."""
    async with forecasts(mosquitto.url) as stream:
        waiting = asyncio.create_task(anext(stream, None))
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await waiting is None


async def test_nobody_there() -> None:
    """A broker that is not there is one error that names it, at once."""
    with pytest.raises(CannotListen, match=r"mqtt://127\.0\.0\.1:\d+: .*refused.*; check address"):
        async with forecasts(f"mqtt://127.0.0.1:{free_port()}"):
            pass


@pytest.mark.parametrize("source", ["arguments", "environment"])
async def test_tls_and_password(tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With certificate and password, given or from the environment, it is let in; without either it is not."""
    make_authority(tmp_path, "ca")
    sign(tmp_path, "server")
    write_password(tmp_path / "passwords", "reader", "s3cret")
    (tmp_path / "secret").write_text("s3cret\n")
    secured = {"cafile": "ca.pem", "certfile": "server.pem", "keyfile": "server.key", "password_file": "passwords"}
    settings = {key: str(tmp_path / name) for key, name in secured.items()}
    async with Mosquitto(tmp_path, **settings, allow_anonymous="false") as broker:
        url = broker.url.replace("mqtt:", "mqtts:")
        trust = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        with pytest.raises(CannotListen, match="certificate verify failed"):
            await forecasts(url, username="reader", password="s3cret").__aenter__()
        with pytest.raises(CannotListen, match=r"mqtts://.*[Nn]ot authori[sz]ed"):
            await forecasts(url, username="reader", password="wrong", tls=trust).__aenter__()
        if source == "arguments":
            stream = forecasts(url, username="reader", password="s3cret", tls=trust)
        else:
            files = {"PASSWORD_FILE": str(tmp_path / "secret"), "TLS__CA_FILE": str(tmp_path / "ca.pem")}
            for name, value in {"URL": url, "USERNAME": "reader", **files}.items():
                monkeypatch.setenv(f"STREAMER_MQTT__{name}", value)
            stream = forecasts()
        async with stream:
            assert stream.connections == 1
    gc.collect()  # what paho left open is told here, and not in another test


async def test_a_subscription_that_is_refused() -> None:
    """Where the broker refuses the subscription, the error says which filter it was."""
    no = Send(lambda heard: b"\x90\3%b\x80" % heard.mid)
    async with scripted([Expect(CONNECT), Send(b"\x20\2\0\0"), Expect(SUBSCRIBE), no, Stall()]) as broker:
        with pytest.raises(CannotListen, match="does not let this user subscribe to forecast/#"):
            await forecasts(f"mqtt://127.0.0.1:{broker.port}").__aenter__()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "no broker"),
        ("localhost", "no address of a broker"),
        ("http://localhost", "no address of a broker"),
        ("mqtt://localhost/path", "no address of a broker"),
        ("mqtt://localhost:99999", "no address of a broker"),
        ("mqtt://me:secret@localhost", "no credentials"),
    ],
)
def test_what_is_no_broker(url: str | None, words: str) -> None:
    """An address that can never work is refused with the remedy."""
    with pytest.raises(CannotListen, match=words):
        access(url, None, None, None, {})


def test_a_file_that_is_not_there() -> None:
    """So is a file of the environment that cannot be read; and the password is never shown."""
    with pytest.raises(CannotListen, match="/no/such"):
        access("mqtts://h", None, None, None, {"STREAMER_MQTT__PASSWORD_FILE": "/no/such"})
    assert "s3cret" not in repr(access("mqtt://h", None, None, None, {"STREAMER_MQTT__PASSWORD": "s3cret"}))


async def test_filters_that_cannot_be(caplog: pytest.LogCaptureFixture) -> None:
    """A # before the end of a filter is refused, as brokers would refuse it."""
    caplog.set_level(logging.INFO)
    with pytest.raises(CannotListen, match="# may only be the last level"):
        forecasts("mqtt://h", "plant/#", topic="f/{topic}/out")
    with pytest.raises(CannotListen, match=r"hold \{topic\} once"):
        forecasts("mqtt://h", topic="f/out")
