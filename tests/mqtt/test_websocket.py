"""MQTT over WebSockets: through mosquitto's own listener, and through a proxy that ends TLS and has a path."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from streamer.config import Mqtt, Tls
from streamer.config.loader import broker
from streamer.errors import ConfigError, StartError
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from tests.broker import Mosquitto, free_port, program, until
from tests.mqtt.links import linked, payloads, receive, watcher

PATH = "/edge/mqtt"
OTHER = "broker.example"


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for another name than the host's."""

    pem: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem, self.key)
        return context


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("keys")
    made = Certificate(folder / "a.pem", folder / "a.key")
    command = [
        program("openssl"),
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    names = ["-subj", f"/CN={OTHER}", "-addext", f"subjectAltName=DNS:{OTHER}", "-days", "1"]
    subprocess.run([*command, *names, "-keyout", made.key, "-out", made.pem], check=True, capture_output=True)
    return made


@asynccontextmanager
async def gateway(
    target: int, certificate: Certificate | None = None, protocols: tuple[str, ...] = ("mqtt",), chunk: int = 1 << 20
) -> AsyncIterator[int]:
    """A server of WebSockets at PATH in front of a broker's port; it splits what the broker sends into chunks."""

    async def refuse(connection: ServerConnection, request: Request) -> Response | None:
        return None if request.path == PATH else connection.respond(HTTPStatus.NOT_FOUND, "nothing here\n")

    async def handle(client: ServerConnection) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", target)

        async def down() -> None:
            while data := await reader.read(chunk):
                await client.send(data)
            await client.close()

        task = asyncio.create_task(down())
        with suppress(ConnectionClosed):
            async for data in client:
                assert isinstance(data, bytes)
                writer.write(data)
        writer.close()
        task.cancel()
        with suppress(asyncio.CancelledError, ConnectionClosed):
            await task

    context = certificate.server() if certificate else None
    async with serve(
        handle, "127.0.0.1", 0, ssl=context, subprotocols=[Subprotocol(one) for one in protocols] or None,
        process_request=refuse,
    ) as server:  # fmt: skip
        yield next(iter(server.sockets)).getsockname()[1]


async def there_and_back(config: Mqtt, count: int = 300) -> list[bytes]:
    """What a link receives of so many messages, of which some are large."""
    async with linked(watcher(config), "ws/#") as watching, Publisher(config) as publisher:
        sent = [b"%d" % i + b"x" * (5000 if i % 50 == 0 else 0) for i in range(count)]
        for i, payload in enumerate(sent):
            await publisher.publish(f"ws/{i % 7}", payload)
        found = payloads(await receive(watching, count))
    assert sorted(found) == sorted(sent)
    return found


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("chunk", [1 << 20, 7])
async def test_through_a_gateway(mosquitto: Mosquitto, protocol: str, chunk: int) -> None:
    """All messages come through a WebSocket, whatever frames a packet is split into."""
    async with gateway(mosquitto.port, chunk=chunk) as port:
        await there_and_back(mosquitto.config(url=f"ws://127.0.0.1:{port}{PATH}", protocol=protocol))


async def test_through_a_proxy_that_ends_tls(mosquitto: Mosquitto, certificate: Certificate) -> None:
    """All messages come through a proxy with TLS and a path, whose certificate is of another name."""
    async with gateway(mosquitto.port, certificate) as port:
        tls = Tls(ca_file=certificate.pem, server_name=OTHER)
        await there_and_back(mosquitto.config(url=f"wss://127.0.0.1:{port}{PATH}", tls=tls))


async def test_through_mosquitto_itself(tmp_path: Path) -> None:
    """All messages come through mosquitto's own listener of WebSockets, beside its plain one."""
    port = free_port()
    try:
        async with Mosquitto(tmp_path, protocol=f"mqtt\nlistener {port}\nprotocol websockets") as broker:
            await there_and_back(broker.config(url=f"ws://127.0.0.1:{port}/mqtt"))
    except RuntimeError:
        pytest.skip("this mosquitto is built without WebSockets")


@pytest.mark.parametrize(
    ("path", "protocols", "words"),
    [
        ("/elsewhere", ("mqtt",), "answered the WebSocket request with HTTP 404; check the path in mqtt.url"),
        (PATH, (), "is not one of MQTT; check the path in mqtt.url"),
    ],
)
async def test_what_is_no_mqtt(mosquitto: Mosquitto, path: str, protocols: tuple[str, ...], words: str) -> None:
    """A server that has no MQTT at the path is told with the remedy."""
    async with gateway(mosquitto.port, protocols=protocols) as port:
        with pytest.raises(StartError, match=words):
            async with Publisher(mosquitto.config(url=f"ws://127.0.0.1:{port}{path}")):
                pass


async def test_a_broker_without_websockets(mosquitto: Mosquitto) -> None:
    """A port of plain MQTT that is taken for one of WebSockets is told."""
    with pytest.raises(StartError, match="WebSocket"):
        async with Publisher(mosquitto.config(url=f"ws://127.0.0.1:{mosquitto.port}/mqtt")):
            pass


async def test_a_certificate_of_another_name(mosquitto: Mosquitto, certificate: Certificate) -> None:
    """Without server_name a certificate of another name is refused, and the remedy is told."""
    async with gateway(mosquitto.port, certificate) as port:
        config = mosquitto.config(url=f"wss://127.0.0.1:{port}{PATH}", tls=Tls(ca_file=certificate.pem))
        with pytest.raises(StartError, match=r"mqtt\.tls\.server_name"):
            async with Publisher(config):
                pass


async def test_a_restart_of_the_broker(mosquitto: Mosquitto) -> None:
    """A link over a WebSocket comes back by itself once its broker does."""
    async with gateway(mosquitto.port) as port:
        config = mosquitto.config(url=f"ws://127.0.0.1:{port}{PATH}")
        async with Link(config, ["a/#"], ()) as link:
            await link.ready()
            await mosquitto.kill()
            await mosquitto.start()
            async with asyncio.timeout(10):
                await until(lambda: link.subscribed)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mqtt://h/path", "mqtt:// has no path: remove it, or write ws:// or wss://"),
        ("mqtts://h?x=1", "mqtts:// has no path"),
        ("ws://h/p#x", "remove #"),
    ],
)
def test_what_an_url_cannot_have(url: str, problem: str) -> None:
    """A path where there is none is an error, not ignored."""
    with pytest.raises(ConfigError, match=problem):
        broker({"url": url})


def test_what_an_url_has() -> None:
    """WebSockets have the ports of the web, and a path."""
    assert [(one.port, one.path) for one in (Mqtt(url="ws://h"), Mqtt(url="wss://h/mqtt"))] == [
        (80, "/"),
        (443, "/mqtt"),
    ]
    assert Mqtt(url="mqtt://h/").path is None
