"""What stands before all answers: the certificate of the port, and the prefix of a proxy."""

import ssl

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from streamer.config import Metrics
from streamer.errors import StartError


def secured(metrics: Metrics) -> ssl.SSLContext | None:
    """The TLS of the port, None without. Raises StartError."""
    tls = metrics.tls
    if tls.cert_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, password="")
    except (OSError, ValueError) as error:
        files = f"{tls.cert_file}, {tls.key_file}"
        raise StartError(
            f"metrics.tls.cert_file and key_file cannot be used: {files}: {error}; they must be PEM files that the "
            "daemon may read, the key that of the certificate, without a passphrase"
        ) from error
    return context


class Below:
    """Takes a prefix off the path of requests that have it; others are answered as well, such as probes."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self.app, self.prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path == self.prefix:
            await RedirectResponse(f"{self.prefix}/")(scope, receive, send)
            return
        if path.startswith(f"{self.prefix}/"):
            scope = {**scope, "path": path[len(self.prefix) :]}
        await self.app(scope, receive, send)
