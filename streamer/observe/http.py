"""Serves /metrics, /healthz and /readyz over HTTP, in threads, so that a scrape does not delay the fast lane."""

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from streamer.errors import StartError

log = logging.getLogger("streamer.observe")

Check = Callable[[], str | None]
"""Returns None if all is well, else one line that says what is wrong."""


MOST_CONNECTIONS = 32
"""At once; a further one ends the oldest, so that a probe gets its answer. Each takes a thread and a descriptor."""
REQUEST_SECONDS = 10.0
"""Longest time from accepting a connection to the end of its answer."""


class Server(ThreadingMixIn, WSGIServer):
    """Serves each request in a thread, a few at once and for a bounded time; a stop does not wait for those under way.

    open: the end of the time of each connection.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, *args: Any) -> None:
        self.open: dict[socket.socket, float] = {}
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        while len(self.open) >= MOST_CONNECTIONS:
            self.end(next(iter(self.open)))
        self.open[request] = time.monotonic() + REQUEST_SECONDS
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Between two polls: ends connections whose time is up, however they drip."""
        now = time.monotonic()
        for request, end in list(self.open.items()):
            if now > end:
                self.end(request)

    def end(self, request: socket.socket) -> None:
        """Ends a connection; its thread notices and closes it."""
        self.open.pop(request, None)
        with suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, or nonsense: no traceback on standard error."""
        log.debug("metrics: a request of %s failed", client_address)


class Silent(WSGIRequestHandler):
    """Writes no access log, which would get a line per scrape."""

    timeout = REQUEST_SECONDS

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serve(host: str, port: int, registry: CollectorRegistry, healthy: Check, ready: Check) -> Iterator[int]:
    """Serves inside the `with` block; yields the port, which the system chooses if `port` is 0.

    Raises StartError if it cannot listen on the address.
    """
    metrics = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return metrics(environ, start_response)
        checks = {"/healthz": healthy, "/readyz": ready}
        if path in checks:
            wrong = checks[path]()
            status, body = ("503 Service Unavailable", wrong) if wrong else ("200 OK", "ok")
        else:
            status, body = "404 Not Found", "try /metrics, /healthz or /readyz"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{body}\n".encode()]

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound: type[Server] = type("Bound", (Server,), {"address_family": family})
    try:
        server = make_server(host, port, app, bound, Silent)
    except OSError as error:
        problem = f"metrics: cannot listen on {host}:{port} ({error.strerror})"
        raise StartError(f"{problem}; set metrics.host and metrics.port") from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="http", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
