"""The keys below `mqtt`: how the daemon connects to the broker."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from streamer.config.base import QoS, Section, check_template, together

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443, "embedded": 1883}
WEB = ("ws", "wss")
"""Schemes of MQTT over WebSockets."""
UNIX = "unix"
"""Scheme of MQTT over a Unix socket."""
SCHEMES = "mqtt://, mqtts://, ws://, wss:// or embedded://, then host[:port]; or unix:///path"


class Tls(Section):
    """TLS to the broker, for URLs with the scheme mqtts or wss. The certificate of the broker is always verified."""

    ca_file: Path | None = None
    """PEM file of the authority that signed the broker's certificate; null trusts the authorities of the system."""
    cert_file: Path | None = None
    """PEM file of the daemon's own certificate, for brokers that require one."""
    key_file: Path | None = None
    """PEM file of the private key of cert_file."""
    server_name: Annotated[str, Field(min_length=1)] | None = None
    """Name that the broker's certificate must be of; null: that of the host in mqtt.url."""

    @together
    def pair(self) -> Iterator[str]:
        if (self.cert_file is None) != (self.key_file is None):
            yield "cert_file and key_file go together: give both or neither"


class Mqtt(Section):
    """The connection to the broker."""

    url: str
    """mqtt://host[:port], mqtts:// (TLS), ws://host[:port][/path] or wss://, unix:///path, or embedded://host:port."""
    client_id: Annotated[str, Field(min_length=1, max_length=64)] = "streamer"
    """Name of the daemon's session on the broker. Every client of a broker needs a different one."""
    username: str | None = None
    """User on the broker; null connects without a user."""
    password: SecretStr | None = None
    """Password of the user. Prefer password_file or STREAMER_MQTT__PASSWORD, which keep it out of this file."""
    password_file: Path | None = None
    """File that holds the password, such as a Docker or Kubernetes secret; one line end at its end is dropped."""
    tls: Tls = Tls()
    """Certificates, for mqtts:// and wss:// only."""
    protocol: Literal["3.1.1", "5"] = "5"
    """MQTT version; embedded:// always uses 3.1.1."""
    qos: QoS = 1
    """Quality of service of the subscriptions. With 1 the broker repeats messages that were not acknowledged."""
    session_expiry: Annotated[int, Field(ge=0, le=4294967295)] = 3600
    """Seconds for which the broker keeps session and queue without a connection. 0 always starts a new session."""
    keepalive: Annotated[int, Field(ge=5, le=65535)] = 30
    """MQTT keep-alive, in seconds: either side gives up a connection that stays silent."""
    linger: Annotated[float, Field(ge=0, le=1)] = 0.005
    """Longest wait, in seconds, for a batch of 8 messages. Batches cost less per message; 0 gives the least latency."""
    queue: Annotated[int, Field(ge=1)] = 20000
    """Received messages that may wait for the fast lane. Beyond it, the oldest of QoS 0 are dropped and counted."""
    outbox: Annotated[int, Field(ge=1)] = 20000
    """Forecasts that may wait for the broker. Beyond it, only the newest of each topic is kept; others are counted."""
    max_payload: Annotated[int, Field(ge=1)] = 65536
    """Largest payload, in bytes; a larger one is rejected unread."""
    reconnect_max: Annotated[float, Field(gt=0)] = 3.0
    """Longest pause between two attempts to connect, in seconds. Pauses double up to it, with jitter."""
    availability_topic: str = "streamer/{client_id}/availability"
    """Topic of a retained message, online or offline; the broker sends offline when the daemon dies."""

    @field_validator("url")
    @classmethod
    def known_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme == UNIX:
            if parts.netloc or parts.query or parts.fragment or parts.path in ("", "/"):
                raise ValueError("write unix:///path, with three slashes, of the broker's socket")
            return url
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise ValueError(f"write {SCHEMES}")
        if parts.username or parts.password:
            raise ValueError("no credentials in the URL: use mqtt.username and mqtt.password_file")
        if parts.scheme not in WEB and (parts.path.strip("/") or parts.query):
            raise ValueError(f"{parts.scheme}:// has no path: remove it, or write ws:// or wss:// for WebSockets")
        if parts.fragment:
            raise ValueError("remove # and what is after it: it names nothing on a broker")
        _ = parts.port
        return url

    @field_validator("client_id")
    @classmethod
    def plain_name(cls, name: str) -> str:
        if any(character in name for character in "+#\0"):
            raise ValueError("may hold no + and no #: the availability topic contains it")
        return name

    @field_validator("availability_topic")
    @classmethod
    def availability_placeholder(cls, topic: str) -> str:
        return check_template(topic, {"client_id"})

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        return DEFAULT_PORTS[self.scheme] if port is None else port

    @property
    def socket(self) -> str | None:
        """The path of a Unix socket, None where the connection is of a network."""
        return urlsplit(self.url).path if self.scheme == UNIX else None

    @property
    def where(self) -> str:
        """Where the broker is, for people."""
        return self.socket or f"{self.host}:{self.port}"

    @property
    def path(self) -> str | None:
        """The path of a WebSocket, None where the connection is none."""
        return (urlsplit(self.url).path or "/") if self.scheme in WEB else None

    @property
    def availability(self) -> str:
        return self.availability_topic.format(client_id=self.client_id)

    @together
    def one_password(self) -> Iterator[str]:
        if self.password is not None and self.password_file is not None:
            yield "password and password_file are both given: keep one"

    def secret(self) -> str | None:
        """The password, read from password_file when that is given.

        Raises OSError where the file cannot be read.
        """
        if self.password_file is not None:
            return self.password_file.read_text(encoding="utf-8").removesuffix("\n")
        return self.password.get_secret_value() if self.password else None

    def files(self) -> list[tuple[str, Path]]:
        """(key, path) of every file that connecting reads."""
        given = [("password_file", self.password_file)]
        given += [(f"tls.{key}", getattr(self.tls, key)) for key in ("ca_file", "cert_file", "key_file")]
        return [(key, path) for key, path in given if path is not None]
