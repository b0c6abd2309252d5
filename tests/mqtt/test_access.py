"""Getting in: what the link and the publisher say when they are refused, and what they leave behind."""

import asyncio
import logging
import re
import subprocess
from pathlib import Path

import pytest

from streamer.config import Mqtt, Tls
from streamer.errors import StartError
from streamer.mqtt.access import Access
from streamer.mqtt.broker import embedded_broker
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from tests.broker import Mosquitto, until
from tests.mqtt.gate import GATED
from tests.mqtt.links import linked, payloads, receive


async def test_leaving_while_connecting(caplog: pytest.LogCaptureFixture) -> None:
    """A link that waits for a silent server is closed at once and leaves nothing behind."""
    taken, left = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.set()
        await reader.read()
        writer.close()
        left.set()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server, asyncio.timeout(2):
        async with Link(Mqtt(url=f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"), ["a"]):
            await taken.wait()
        await left.wait()
    assert not caplog.records


async def test_refused_credentials_are_told_without_the_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal is told once, with the settings to check, and after a while again, with how often there was one; the
    password is in no log, at any level."""
    caplog.set_level(logging.DEBUG)
    async with Mosquitto(tmp_path, allow_anonymous="false") as broker:
        config = broker.config(username="user", password="hunter2", reconnect_max=0.01)
        async with Link(config, ["a"]) as link:
            await until(lambda: "refused" in caplog.text)
            await broker.attempts(3)  # which say nothing new
            assert caplog.text.count("refused") == 1
            for kind in link._failures.kinds.values():
                kind.told -= kind.pause
            await until(lambda: caplog.text.count("refused") == 2)
            assert re.search(r"and so on \(\d+ more in \d+ s\)\n", caplog.text)
        with pytest.raises(StartError, match=r"mqtt\.username"):
            await Publisher(config).__aenter__()
    assert "mqtt.password_file" in caplog.text
    assert "hunter2" not in caplog.text + repr(Access.of(config)) + repr(config)


async def test_a_refused_subscription_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """A filter that the broker refuses is named, the others are subscribed, and the link does not call itself so."""
    async with embedded_broker("127.0.0.1", 0, GATED) as port:
        config = Mqtt(url=f"embedded://127.0.0.1:{port}")
        async with linked(config, "secret/#", "free/#") as link, Publisher(config) as publisher:
            assert (link.connected, link.subscribed) == (True, False)
            await publisher.publish("free/a", b"1")
            assert payloads(await receive(link, 1)) == [b"1"]
    assert "'secret/#' refused" in caplog.text
    assert "free/#" not in caplog.text


async def test_state_changes_are_logged(mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    """One line says connected, with host, port, protocol and session; one says lost, why and when it tries again."""
    caplog.set_level(logging.INFO)
    async with linked(mosquitto.config(), "a") as link:
        await mosquitto.kill()
        await until(lambda: not link.connected)
    lines = [record.getMessage() for record in caplog.records if record.name == "streamer.mqtt"]
    assert lines[0] == f"connected to 127.0.0.1:{mosquitto.port}, MQTT 5, new session"
    assert lines[1] == "subscribed to a"
    assert "connection lost" in lines[2]
    assert "next attempt in" in lines[2]


async def test_tls_verifies_the_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """mqtts connects to a server whose authority is configured, and tells the remedy where it is not."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost \
        -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    await asyncio.to_thread(subprocess.run, command.split(), check=True, capture_output=True)
    async with Mosquitto(tmp_path, certfile=str(certificate), keyfile=str(key)) as broker:
        url = f"mqtts://127.0.0.1:{broker.port}"
        async with Link(broker.config(url=url), ["a"]):
            await until(lambda: "mqtt.tls.ca_file" in caplog.text)
        config = broker.config(url=url, tls=Tls(ca_file=certificate))
        async with linked(config, "a") as link, Publisher(config) as publisher:
            for i in range(300):
                await publisher.publish("a", 100 * (b"%d" % i))
            assert payloads(await receive(link, 300)) == [100 * (b"%d" % i) for i in range(300)]


async def test_files_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    """A password file or a certificate that is not there raises StartError, naming the setting."""
    missing = tmp_path / "missing"
    with pytest.raises(StartError, match=r"mqtt\.password_file"):
        await Link(Mqtt(url="mqtt://127.0.0.1", password_file=missing), []).__aenter__()
    with pytest.raises(StartError, match=r"mqtt\.tls"):
        await Link(Mqtt(url="mqtts://127.0.0.1", tls=Tls(ca_file=missing)), []).__aenter__()


async def test_a_server_that_speaks_no_mqtt_is_told() -> None:
    """A server that answers something else is not waited for, and the remedy names the URL."""

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" + 400 * b"x")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(web, "127.0.0.1", 0) as server, asyncio.timeout(2):
        config = Mqtt(url=f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}", protocol="3.1.1")
        with pytest.raises(StartError, match=r"is this an MQTT broker.*mqtt\.url"):
            await Publisher(config).__aenter__()


def test_a_password_in_latin_1_is_told(tmp_path: Path) -> None:
    """A password file that is not UTF-8 ends the start with one line that names it, and not what is in it."""
    file = tmp_path / "password"
    file.write_bytes("gehäim".encode("latin-1"))
    with pytest.raises(StartError, match=r"mqtt\.password_file is not UTF-8") as told:
        Access.of(Mqtt(url="mqtt://localhost", username="me", password_file=file))
    assert "geh" not in str(told.value)
