"""TLS and passwords: what the daemon says when it is not let in, and where its secrets are not to be found."""

import asyncio
import stat
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from streamer.config import Tls
from streamer.errors import StartError
from streamer.mqtt.access import tls_context
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.tools.replay.sample import Sample, encode
from tests.broker import Mosquitto, program, until, write_password
from tests.mqtt.links import linked, payloads, receive
from tests.process import configuration, get, running, served

SECRET = "hunter2-hunter2"
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run([program("openssl"), *arguments], cwd=folder, check=True, capture_output=True)


def make_authority(folder: Path, name: str) -> None:
    """`name`.pem and `name`.key: a self-signed certificate."""
    files = f"-subj /CN={name} -days 1 -keyout {name}.key -out {name}.pem".split()
    openssl(folder, "req", "-x509", *NEW_KEY, *files)


def sign(folder: Path, name: str, alternative: str = "IP:127.0.0.1", days: int = 1, authority: str = "ca") -> None:
    """`name`.pem and `name`.key: a certificate for a host, signed by the authority."""
    openssl(folder, "req", "-new", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    (folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\n")
    signing = f"-CA {authority}.pem -CAkey {authority}.key -CAcreateserial -days {days}".split()
    files = f"-in {name}.csr -extfile {name}.ext -out {name}.pem".split()
    openssl(folder, "x509", "-req", *signing, *files)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of certificates: two authorities, servers of several kinds, clients of both, one password file."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ca", "other"):
        make_authority(folder, name)
    sign(folder, "server")
    sign(folder, "expired", days=-1)
    sign(folder, "elsewhere", "DNS:elsewhere.example")
    sign(folder, "client")
    sign(folder, "stranger", authority="other")
    write_password(folder / "passwords", "streamer", SECRET)
    (folder / "text.pem").write_text("no certificate")
    openssl(folder, "ec", "-in", "client.key", "-aes128", "-passout", "pass:x", "-out", "locked.key")
    return folder


@dataclass(frozen=True)
class Case:
    """Who meets whom; `words` are in the one line that says why it did not work."""

    words: str
    server: str = "server"
    ca: str | None = "ca.pem"
    client: str | None = "client"
    password: str = SECRET


CASES = {
    "unknown authority": Case("mqtt.tls.ca_file must hold the authority", ca="other.pem"),
    "the system's authorities": Case("mqtt.tls.ca_file must hold the authority", ca=None),
    "expired": Case("certificate has expired); renew the broker's certificate", server="expired"),
    "another host": Case("give mqtt.url the host's name as in the certificate", server="elsewhere"),
    "wrong password": Case("check mqtt.username, mqtt.password_file", password="wrong-" + SECRET),
    "no client certificate": Case("set mqtt.tls.cert_file and key_file", client=None),
    "an unknown client": Case("the authority that signed mqtt.tls.cert_file", client="stranger"),
}


def secured(folder: Path, keys: Path, server: str = "server") -> Mosquitto:
    """A broker that wants TLS, a certificate of the client's, and the password."""
    files = {"cafile": keys / "ca.pem", "certfile": keys / f"{server}.pem", "keyfile": keys / f"{server}.key"}
    settings = {"require_certificate": "true", "allow_anonymous": "false", "password_file": str(keys / "passwords")}
    return Mosquitto(folder, **{name: str(path) for name, path in files.items()}, **settings)


def access(keys: Path, case: Case) -> dict[str, Any]:
    """The keys below `mqtt` of a client."""
    tls = {"ca_file": case.ca, "cert_file": case.client and f"{case.client}.pem"}
    tls["key_file"] = case.client and f"{case.client}.key"
    files = {name: str(keys / file) for name, file in tls.items() if file}
    return {"username": "streamer", "password": case.password, "tls": files}


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_who_has_everything_is_let_in(tmp_path: Path, keys: Path, protocol: str) -> None:
    """With the right authority, client certificate and password messages pass."""
    async with secured(tmp_path, keys) as broker:
        login = access(keys, Case(""))
        config = broker.config(url=f"mqtts://127.0.0.1:{broker.port}", protocol=protocol, **login)
        async with linked(config, "a") as link, Publisher(config) as publisher:
            await publisher.publish("a", b"1")
            assert payloads(await receive(link, 1)) == [b"1"]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_who_is_not_let_in_is_told_the_remedy(
    tmp_path: Path, keys: Path, case: Case, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is wrong is one line, once, that names the setting or what to renew, and never the password."""
    caplog.set_level("DEBUG")
    async with secured(tmp_path, keys, case.server) as broker:
        url = f"mqtts://127.0.0.1:{broker.port}"
        config = broker.config(url=url, protocol=protocol, reconnect_max=0.01, **access(keys, case))
        async with Link(config, ["a"]) as link:
            await until(lambda: case.words in caplog.text)
            await broker.attempts(3)  # which say nothing new
            assert not link.subscribed
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("streamer")]
    assert len(lines) == 1
    assert "\n" not in lines[0]
    assert SECRET not in caplog.text


async def test_the_wrong_port_is_told(
    mosquitto: Mosquitto, tmp_path: Path, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """TLS to a plain port, and plain to a TLS port, are told as such and not as a wrong certificate."""
    tls = access(keys, Case(""))
    async with secured(tmp_path, keys) as other:
        async with Link(mosquitto.config(url=f"mqtts://127.0.0.1:{mosquitto.port}", **tls), ["a"]):
            await until(lambda: "is this its TLS port? see mqtt.url" in caplog.text)
        async with Link(other.config(protocol="3.1.1"), ["a"]):
            await until(lambda: "and not its TLS port? see mqtt.url" in caplog.text)


@pytest.mark.parametrize(
    ("setting", "files"),
    [
        ("mqtt.tls.ca_file", {"ca_file": "missing.pem"}),
        ("mqtt.tls.ca_file", {"ca_file": "text.pem"}),
        ("mqtt.tls.cert_file", {"cert_file": "missing.pem", "key_file": "client.key"}),
        ("mqtt.tls.cert_file", {"cert_file": "client.pem", "key_file": "stranger.key"}),
        ("mqtt.tls.cert_file", {"cert_file": "client.pem", "key_file": "locked.key"}),
    ],
)
def test_files_that_cannot_be_used_are_named(keys: Path, setting: str, files: dict[str, str]) -> None:
    """A file that is missing, no PEM, of another key or locked by a passphrase stops the start with one line that
    names the setting and the file; nothing is asked for on a terminal."""
    tls = Tls.model_validate({name: keys / file for name, file in files.items()})
    with pytest.raises(StartError, match=setting) as raised:
        tls_context(tls)
    assert all(str(keys / file) in str(raised.value) for file in files.values())
    assert "\n" not in str(raised.value)


async def test_the_daemon_does_not_start_without_its_authority(tmp_path: Path, keys: Path) -> None:
    """`run` with a ca_file that cannot be read ends with 69 and one line that names it."""
    config = configuration(Mosquitto(tmp_path), tmp_path)
    config["mqtt"] |= {"url": "mqtts://127.0.0.1", **access(keys, Case("", ca="missing.pem"))}
    async with running(config, tmp_path) as daemon:
        _, said = await daemon.process.communicate()
    (line,) = [one for one in said.decode().splitlines() if one.startswith("streamer: ")]
    assert daemon.process.returncode == 69
    assert "mqtt.tls.ca_file cannot be used" in line
    assert "Traceback" not in said.decode()


async def check(file: Path) -> str:
    """What `streamer check` says of a configuration."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamer", "check", str(file), stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


def readable_by_others(state: Path) -> list[Path]:
    return [path for path in (state, *state.rglob("*")) if stat.S_IMODE(path.stat().st_mode) & 0o077]


async def test_secrets_stay_where_they_are(tmp_path: Path, keys: Path) -> None:
    """A password is in no line of the log, in no output of check or of /metrics, and on no
    command line, the training process's among them; the state directory and all in it is its owner's alone."""
    async with secured(tmp_path, keys) as broker:
        config = configuration(broker, tmp_path, retrain={"every": 60, "minimum": 60, "window": 200})
        config["mqtt"] |= {"url": f"mqtts://127.0.0.1:{broker.port}", **access(keys, Case(""))}
        mouth = broker.config(url=config["mqtt"]["url"], client_id="mouth", **access(keys, Case("")))
        async with running(config, tmp_path) as daemon:
            url = await served(daemon)
            await daemon.logged("subscribed to")
            async with Publisher(mouth) as publisher:
                for tick in range(120):
                    await publisher.publish("waves/a", encode(Sample(float(tick), (float(tick % 7),))), 1)
            process = psutil.Process(daemon.process.pid)
            await until(lambda: bool(process.children()), seconds=30)  # the training
            public = [" ".join(one.cmdline()) for one in (process, *process.children(recursive=True))]
            _, exposed = await asyncio.to_thread(get, f"{url}/metrics")
            checked = await check(tmp_path / "config.yaml")
            assert readable_by_others(tmp_path / "state") == []
            assert await daemon.stop() == 0
    assert "streamer_samples_total" in exposed
    assert "streamer" in checked
    assert SECRET not in "".join([*public, *daemon.lines, exposed, checked])
    assert readable_by_others(tmp_path / "state") == []
