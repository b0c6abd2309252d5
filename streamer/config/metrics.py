"""The keys below `metrics`: what the daemon serves over HTTP, and to whom."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from streamer.config.base import Section, Ticks, together
from streamer.errors import StartError

SHORTEST_TOKEN = 16
"""Characters of the shortest metrics.token_file: shorter ones can be guessed."""
PREFIX = r"^(/[A-Za-z0-9._~-]+)*$"


class ServerTls(Section):
    """TLS 1.2 or newer on the HTTP port. The files are read at the start."""

    cert_file: Path | None = None
    """PEM file of the certificate, with those of the authorities between it and the root."""
    key_file: Path | None = None
    """PEM file of the private key of cert_file, without a passphrase."""

    @together
    def pair(self) -> Iterator[str]:
        if (self.cert_file is None) != (self.key_file is None):
            yield "cert_file and key_file go together: give both or neither"


class Metrics(Section):
    """The HTTP port: page at /, API at /api/v1/, Prometheus metrics at /metrics, health checks /healthz and /readyz."""

    enabled: bool = True
    """Whether the daemon serves them."""
    host: str = "127.0.0.1"
    """Address to listen on. 0.0.0.0 accepts connections from other machines."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9464
    """Port to listen on. 0 takes a free port, which the log names."""
    leads: tuple[Ticks, ...] | None = None
    """Leads shown, in ticks; null shows 1, k and k·p. One that is not in the grid takes 44·d·lead bytes per series."""
    window: Ticks = 1000
    """Time constant of the rolling errors (exponential means), in ticks."""
    per_series: Annotated[int, Field(ge=0)] = 0
    """Series per stream with metrics of their own: value, prediction, bounds, errors. Each adds many time series."""
    token_file: Path | None = None
    """File with a token that all but health checks must carry; people log in with it. Without it everybody may look."""
    tls: ServerTls = ServerTls()
    """Certificate with which the port speaks https, and nothing else."""
    path_prefix: Annotated[str, Field(pattern=PREFIX)] = ""
    """Path below which a reverse proxy passes requests on, such as /streamer. Without it they are answered as well."""

    def files(self) -> list[tuple[str, Path]]:
        """(key, path) of every file that the port needs."""
        given = [
            ("token_file", self.token_file),
            ("tls.cert_file", self.tls.cert_file),
            ("tls.key_file", self.tls.key_file),
        ]
        return [(key, path) for key, path in given if path is not None]

    def token(self) -> str | None:
        """The token, read from its file; None without one. Raises StartError."""
        if self.token_file is None:
            return None
        try:
            found = self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise StartError(f"metrics.token_file: cannot read {self.token_file} ({error})") from error
        if len(found) < SHORTEST_TOKEN:
            raise StartError(f"metrics.token_file: {self.token_file} holds fewer than {SHORTEST_TOKEN} characters")
        return found
