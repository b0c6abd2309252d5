"""Arguments and environment in, what connects to a broker out.

The variables are those of the daemon, so that one set of them serves both: STREAMER_MQTT__URL, …__USERNAME,
…__PASSWORD, …__PASSWORD_FILE, …__TLS__CA_FILE, …__TLS__CERT_FILE and …__TLS__KEY_FILE.
"""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

PREFIX = "STREAMER_MQTT__"
PORTS = {"mqtt": 1883, "mqtts": 8883}


class CannotListen(Exception):
    """The broker is not to be had, or does not let this client in; it says what to do."""


@dataclass(frozen=True, slots=True)
class Access:
    """A broker, and how it lets one in. tls is None for mqtt://. The password is not shown."""

    url: str
    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None


def access(
    url: str | None,
    username: str | None,
    password: str | None,
    tls: ssl.SSLContext | None,
    environment: Mapping[str, str] = os.environ,
) -> Access:
    """What is not given comes from the environment. Raises CannotListen."""
    given = {name.removeprefix(PREFIX): value for name, value in environment.items() if name.startswith(PREFIX)}
    url = url or given.get("URL")
    if not url:
        raise CannotListen(f"no broker: give a url, such as mqtt://localhost, or set {PREFIX}URL")
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/"):
        raise CannotListen(f"{url!r} is no address of a broker: write mqtt://host[:port] or mqtts://host[:port]")
    if parts.username or parts.password:
        raise CannotListen(f"no credentials in the URL: give username and password, or set {PREFIX}PASSWORD")
    try:
        port = parts.port or PORTS[parts.scheme]
        if password is None and "PASSWORD_FILE" in given:
            password = Path(given["PASSWORD_FILE"]).read_text(encoding="utf-8").removesuffix("\n")
        if parts.scheme == "mqtts" and tls is None:
            tls = ssl.create_default_context(cafile=given.get("TLS__CA_FILE"))
            if "TLS__CERT_FILE" in given:
                tls.load_cert_chain(given["TLS__CERT_FILE"], given.get("TLS__KEY_FILE"))
    except ValueError as error:
        raise CannotListen(f"{url!r} is no address of a broker: {error}") from None
    except OSError as error:
        raise CannotListen(f"a file that a {PREFIX}… variable names cannot be read: {error}") from None
    user, secret = username or given.get("USERNAME"), password if password is not None else given.get("PASSWORD")
    return Access(url, parts.hostname, port, user, secret, tls if parts.scheme == "mqtts" else None)
