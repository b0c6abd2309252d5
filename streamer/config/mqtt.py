"""The keys below `mqtt`: how to reach the broker, and as whom."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from streamer.config.base import QoS, Section, check_template

DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883, "embedded": 1883}


class Tls(Section):
    """TLS to the broker; used when the URL's scheme is mqtts. The server is verified, always."""

    ca_file: Path | None = None
    """PEM file of the authority that signed the broker's certificate; null trusts the system's authorities."""
    cert_file: Path | None = None
    """PEM file of this client's certificate, for brokers that ask for one."""
    key_file: Path | None = None
    """PEM file of the key to cert_file."""

    @model_validator(mode="after")
    def pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file go together: give both or neither")
        return self


class Mqtt(Section):
    """The broker."""

    url: str
    """mqtt://host[:port], mqtts://host[:port] (TLS), or embedded://host:port for a broker inside this process."""
    client_id: Annotated[str, Field(min_length=1, max_length=64)] = "streamer"
    """Name of the session on the broker; two daemons on one broker need two names."""
    username: str | None = None
    """User on the broker; null connects without."""
    password: SecretStr | None = None
    """Better given as STREAMER_MQTT__PASSWORD or by password_file than here."""
    password_file: Path | None = None
    """File that holds the password, as Docker and Kubernetes secrets do; its last line end is dropped."""
    tls: Tls = Tls()
    """Certificates; only for mqtts://."""
    protocol: Literal["3.1.1", "5"] = "5"
    """MQTT version; embedded:// always speaks 3.1.1."""
    qos: QoS = 1
    """Quality of service of the subscriptions: 1 has the broker repeat what was not acknowledged."""
    session_expiry: Annotated[int, Field(ge=0, le=4294967295)] = 3600
    """Seconds the broker keeps the session and its queue while the daemon is away; 0 starts clean each time."""
    keepalive: Annotated[int, Field(ge=5, le=65535)] = 30
    """Seconds of silence after which either side takes the connection for dead."""
    linger: Annotated[float, Field(ge=0, le=1)] = 0.005
    """Seconds that fewer than 8 messages wait for more at most: they cost little more together. 0: least latency."""
    queue: Annotated[int, Field(ge=1)] = 20000
    """Received messages that may wait for the fast lane; beyond it the oldest of QoS 0 are dropped and counted."""
    outbox: Annotated[int, Field(ge=1)] = 20000
    """Forecasts that may wait for the broker; beyond it only the newest of each topic is kept, the rest counted."""
    max_payload: Annotated[int, Field(ge=1)] = 65536
    """Bytes of a payload beyond which it is refused unread."""
    reconnect_max: Annotated[float, Field(gt=0)] = 3.0
    """Longest pause between two attempts to connect, in seconds; pauses double up to it, with jitter."""
    availability_topic: str = "streamer/{client_id}/availability"
    """Retained topic that says online or offline (by the will, when the daemon dies)."""

    @field_validator("url")
    @classmethod
    def known_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise ValueError("write mqtt://host[:port], mqtts://host[:port] or embedded://host:port")
        if parts.username or parts.password:
            raise ValueError("no credentials in the URL: use mqtt.username and mqtt.password_file")
        _ = parts.port
        return url

    @field_validator("client_id")
    @classmethod
    def plain_name(cls, name: str) -> str:
        if any(character in name for character in "+#\0"):
            raise ValueError("may hold no + and no #: it is a part of the availability topic")
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
    def availability(self) -> str:
        return self.availability_topic.format(client_id=self.client_id)

    @model_validator(mode="after")
    def one_password(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file are both given: keep one")
        return self

    def secret(self) -> str | None:
        """The password, read from password_file when that is given.

        Raises OSError where the file cannot be read.
        """
        if self.password_file is not None:
            return self.password_file.read_text(encoding="utf-8").removesuffix("\n")
        return self.password.get_secret_value() if self.password else None

    def files(self) -> list[tuple[str, Path]]:
        """(key, path) of every file that connecting takes."""
        given = [("password_file", self.password_file)]
        given += [(f"tls.{key}", getattr(self.tls, key)) for key in ("ca_file", "cert_file", "key_file")]
        return [(key, path) for key, path in given if path is not None]
