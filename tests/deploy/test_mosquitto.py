"""deploy/mosquitto as mosquitto reads it: TLS, a password for everybody, and no more rights than a user needs."""

import asyncio
import stat
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamer.config import Mqtt, Tls
from streamer.config.loader import load
from streamer.errors import StartError
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.records import Outgoing
from tests.broker import Mosquitto, program, until
from tests.deploy.prometheus import DEPLOY

FILES = {"mosquitto_cert": "server.crt", "mosquitto_key": "server.key", "mosquitto_passwords": "passwords"}


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    generate(folder)
    return folder


def generate(folder: Path) -> None:
    program("mosquitto_passwd", "mosquitto")
    program("openssl")
    subprocess.run([DEPLOY / "mosquitto" / "generate.sh", folder, "localhost", "127.0.0.1"], check=True, timeout=60)


def settings(secrets: Path) -> dict[str, str]:
    """deploy/mosquitto/mosquitto.conf with the paths of the container replaced by those of the test."""
    lines = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8").splitlines()
    found = dict(line.split(maxsplit=1) for line in lines if line and not line.startswith("#"))
    for name, file in FILES.items():
        found = {key: value.replace(f"/run/secrets/{name}", str(secrets / file)) for key, value in found.items()}
    acl = {"acl_file": str(DEPLOY / "mosquitto" / "acl")}
    return {**found, **acl, "persistence_location": f"{secrets.parent}/"}


@pytest.fixture
async def broker(secrets: Path, tmp_path: Path) -> AsyncIterator[Mosquitto]:
    given = settings(secrets)
    del given["listener"]  # a free port
    async with Mosquitto(tmp_path, **given) as made:
        yield made


def access(broker: Mosquitto, secrets: Path, user: str, password: str = "") -> Mqtt:
    return Mqtt(
        url=f"mqtts://localhost:{broker.port}",
        client_id=user,
        username=user,
        password_file=secrets / (password or f"{user}_password"),
        tls=Tls(ca_file=secrets / "ca.crt"),
        reconnect_max=0.2,
    )


async def received(link: Link) -> list[tuple[str, bytes]]:
    """The next messages of a link."""
    async with asyncio.timeout(10):
        batch = await anext(link.batches())
    return [(message.topic, message.payload) for message in batch.messages]


async def test_the_daemon_and_the_sensors_get_in(broker: Mosquitto, secrets: Path) -> None:
    """Over TLS and with their passwords, the daemon's user receives what sensors publish, and they the forecasts; a
    forecast that a sensor publishes itself reaches nobody."""
    topics = load(DEPLOY / "streamer.yaml").streams[0].topics
    daemon, sensor = access(broker, secrets, "streamer"), access(broker, secrets, "sensor")
    async with Link(daemon, topics) as fast_lane, Link(sensor, ["forecast/#"]) as reader, Publisher(sensor) as writer:
        async with asyncio.timeout(10):
            await fast_lane.ready()
            await reader.ready()
        assert fast_lane.subscribed
        assert reader.subscribed
        await writer.publish("forecast/sensors/hall", b"false", 1)
        await writer.publish("sensors/hall", b"21.5", 1)
        assert await received(fast_lane) == [("sensors/hall", b"21.5")]
        fast_lane.publish([Outgoing("forecast/sensors/hall", b"true", 1, False)])
        assert await received(reader) == [("forecast/sensors/hall", b"true")]


def add_user(secrets: Path, user: str, password: str) -> None:
    (secrets / f"{user}_password").write_text(password)
    subprocess.run(["mosquitto_passwd", "-b", secrets / "passwords", user, password], check=True)


async def test_a_sensor_with_its_own_user_speaks_for_itself_alone(secrets: Path, tmp_path: Path) -> None:
    """User `hall` writes below sensors/hall/ and nowhere else, and reads the forecasts of that and no others."""
    add_user(secrets, "hall", "secret")
    given = settings(secrets)
    del given["listener"]  # a free port
    async with Mosquitto(tmp_path, **given) as broker:
        daemon, hall = access(broker, secrets, "streamer"), access(broker, secrets, "hall")
        async with Link(daemon, ["sensors/#"]) as fast_lane, Link(hall, ["forecast/#"]) as reader:
            async with asyncio.timeout(10):
                await fast_lane.ready()
                await reader.ready()
            async with Publisher(hall) as writer:
                for topic in ("sensors/roof/a", "sensors/hallway", "forecast/sensors/hall/a", "sensors/hall/a"):
                    await writer.publish(topic, b"21.5", 1)
                assert await received(fast_lane) == [("sensors/hall/a", b"21.5")]
            some = [Outgoing(f"forecast/sensors/{name}/a", b"1", 1, False) for name in ("roof", "hall")]
            fast_lane.publish(some)
            assert await received(reader) == [("forecast/sensors/hall/a", b"1")]


def rights(folder: Path, *, announcing: bool) -> str:
    """A copy of deploy/mosquitto/acl, the line for Home Assistant's discovery uncommented where wanted."""
    line, text = "topic write homeassistant/device/#", (DEPLOY / "mosquitto" / "acl").read_text(encoding="utf-8")
    assert f"\n#{line}\n" in text
    copy = folder / "acl"
    copy.write_text(text.replace(f"#{line}", line) if announcing else text, encoding="utf-8")
    return str(copy)


@pytest.mark.parametrize("uncommented", [False, True])
async def test_announcing_takes_a_line_more(secrets: Path, tmp_path: Path, uncommented: bool) -> None:
    """Home Assistant's discovery topics are refused to the daemon until the line for it is uncommented."""
    given = settings(secrets) | {"acl_file": rights(tmp_path, announcing=uncommented)}
    del given["listener"]
    async with Mosquitto(tmp_path, **given) as broker, Link(access(broker, secrets, "streamer"), ["sensors/#"]) as link:
        async with asyncio.timeout(10):
            await link.ready()
        link.publish([Outgoing("homeassistant/device/streamer_a/config", b"{}", 1, True)])
        await until(lambda: link.unsent == 0)
        assert link.counts.refused == (not uncommented)


def test_the_broker_is_known_by_name_and_by_address(secrets: Path) -> None:
    """Clients that connect to the IP address given to generate.sh find it in the certificate, as such."""
    for question, known in (("-checkhost", "localhost"), ("-checkip", "127.0.0.1")):
        command = ["openssl", "x509", "-noout", "-in", str(secrets / "server.crt"), question, known]
        told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
        assert "does match" in told, told


async def test_nobody_else_gets_in(broker: Mosquitto, secrets: Path) -> None:
    """A wrong password is refused, and so is a client without a password, and one without TLS."""
    with pytest.raises(StartError):
        async with Publisher(access(broker, secrets, "sensor", "grafana_password")):
            pass
    with pytest.raises(StartError):
        async with Publisher(Mqtt(url=f"mqtts://localhost:{broker.port}", tls=Tls(ca_file=secrets / "ca.crt"))):
            pass
    with pytest.raises(StartError):
        async with Publisher(Mqtt(url=broker.url)):
            pass


def test_secrets_are_made_once_and_for_their_owner_alone(secrets: Path) -> None:
    """A second run changes nothing, no one else can enter the folder, and no password is in the broker's file."""
    before = {file.name: file.read_bytes() for file in secrets.iterdir()}
    generate(secrets)
    assert {file.name: file.read_bytes() for file in secrets.iterdir()} == before
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    for user in ("streamer", "sensor"):
        assert before[f"{user}_password"].strip() not in before["passwords"]
    assert len({before[f"{user}_password"] for user in ("streamer", "sensor", "grafana")}) == 3
