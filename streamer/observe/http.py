"""Serves /metrics, /healthz and /readyz over HTTP, in threads, so that a scrape does not delay the fast lane."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from streamer.errors import StartError

Check = Callable[[], str | None]
"""Returns None if all is well, else one line that says what is wrong."""


class Server(ThreadingMixIn, WSGIServer):
    """Serves each request in a thread; a stop does not wait for requests under way."""

    daemon_threads = True
    block_on_close = False


class Silent(WSGIRequestHandler):
    """Writes no access log, which would get a line per scrape."""

    timeout = 10

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
