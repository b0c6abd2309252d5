"""The certificate of the port, and the prefix of a proxy."""

import socket
import ssl
import urllib.error
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from streamer.config import Metrics
from streamer.config.metrics import ServerTls
from streamer.errors import ConfigError, StartError
from streamer.lanes.fast import FastLane
from streamer.observe import http
from streamer.observe.access import announce
from streamer.observe.entrance import secured
from tests.observe.site import certificate, got, looked_at
from tests.observe.test_http import is_closed
from tests.streams import fast_lane, feed, sample, timed

TOKEN = "a token of more than 16 characters"


@pytest.fixture
async def fast(tmp_path: Path) -> AsyncIterator[FastLane]:
    made = fast_lane(tmp_path, timed(max_ahead=None))
    feed(made, [sample("plant/a", t, t) for t in range(3)])
    yield made
    made.journal.close()


async def test_the_port_speaks_tls_alone(fast: FastLane, tmp_path: Path) -> None:
    """With a certificate clients that verify it are answered; plain HTTP and TLS 1.1 are not; the cookie is secure."""
    tls = certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(tls.cert_file))
    with looked_at(fast, tmp_path, TOKEN, tls=tls) as url:
        assert (await got(f"{url}/healthz", context=trusting)).body == "ok\n"
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert (await got(f"{url}/api/v1/series/1", None, bearer, trusting)).json["name"] == "plant/a"
        entered = await got(f"{url}/login", b"token=a+token+of+more+than+16+characters", None, trusting)
        assert "Secure" in entered.headers["set-cookie"]
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            await got(url.replace("https", "http") + "/healthz")
        with pytest.raises(urllib.error.URLError, match="verify failed"):
            await got(f"{url}/healthz", context=ssl.create_default_context())
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(urllib.error.URLError, match=r"(?i)alert|protocol"):
            await got(f"{url}/healthz", context=old)


async def test_handshakes_take_places_too(fast: FastLane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that never shake hands are as few as others, have their time, and leave a probe its answer."""
    monkeypatch.setattr(http, "REQUEST_SECONDS", 2.0)
    tls = certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=str(tls.cert_file))
    with looked_at(fast, tmp_path, tls=tls) as url, ExitStack() as stack:
        address = "127.0.0.1", int(url.rpartition(":")[2])
        clients = [stack.enter_context(socket.create_connection(address)) for _ in range(100)]
        assert all(is_closed(client) for client in clients[: -http.MOST_CONNECTIONS])
        assert (await got(f"{url}/healthz", context=trusting)).status == 200
        assert all(is_closed(client) for client in clients)


@pytest.mark.parametrize("wrong", ["missing", "text", "key"])
def test_a_certificate_that_cannot_be_used_ends_the_start(tmp_path: Path, wrong: str) -> None:
    """A file that is missing, no PEM, or of another certificate is told with the key to change."""
    tls, cert_file = certificate(tmp_path), tmp_path / "certificate.pem"
    if wrong == "key":
        (tmp_path / "other").mkdir()
        tls = ServerTls(cert_file=cert_file, key_file=certificate(tmp_path / "other").key_file)
    elif wrong == "text":
        cert_file.write_text("certificate")
    else:
        cert_file.unlink()
    with pytest.raises(StartError, match=r"metrics\.tls\.cert_file and key_file"):
        secured(Metrics(tls=tls))


async def test_all_is_below_the_prefix(fast: FastLane, tmp_path: Path) -> None:
    """Behind a proxy that passes a prefix on, page, files, API and login are below it; probes are there without too."""
    with looked_at(fast, tmp_path, TOKEN, prefix="/lab/streamer") as url:
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        for path in ("/", "/metrics", "/api/v1/streams", "/static/app.js"):
            assert (await got(url + path, headers=bearer)).status == 200
        moved = await got(url)
        assert (moved.status, moved.headers["location"]) == (307, "/lab/streamer/")
        assert (await got(url + "/api/v1/streams")).status == 401
        for path in ("/lab/streamerx/", "/lab/", "/lab/streamer/lab/streamer/"):
            assert (await got(url.replace("/lab/streamer", path), headers=bearer)).status == 404
        entered = await got(f"{url}/login", b"token=a+token+of+more+than+16+characters")
        assert "Path=/lab/streamer/;" in entered.headers["set-cookie"]
        assert (await got(url.replace("/lab/streamer", "/healthz"))).status == 200


@pytest.mark.parametrize("prefix", ["streamer", "/", "/a/", "/a b", "/../x?", "//a"])
def test_prefixes_that_are_none_are_refused(prefix: str) -> None:
    """A prefix begins with a slash, ends without one, and holds nothing that an address has to escape."""
    with pytest.raises((ConfigError, ValueError), match="path_prefix"):
        Metrics(path_prefix=prefix)


def test_a_token_on_an_open_network_is_warned_of(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Who asks for a token beyond this machine without TLS is told that it can be read on the way."""
    announce(Metrics(host="0.0.0.0", token_file=tmp_path / "token"), 1)
    assert "metrics.tls" in caplog.text
    caplog.clear()
    tls = ServerTls(cert_file=tmp_path / "c", key_file=tmp_path / "k")
    announce(Metrics(host="0.0.0.0", token_file=tmp_path / "token", tls=tls), 1)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
