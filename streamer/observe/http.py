"""Serves an ASGI application over HTTP, on a loop of its own thread, so that no request delays the fast lane.

A connection has its time, and gives way to newer ones: whatever clients do, the daemon keeps its memory, its file
descriptors, and an answer for the next probe.
"""

import asyncio
import logging
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from streamer.errors import StartError

log = logging.getLogger("streamer.observe")
logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)  # nonsense from clients is no line of the log

Check = Callable[[], str | None]
"""Returns None if all is well, else one line that says what is wrong."""
MOST_CONNECTIONS = 32
"""At once, besides streams of events; a further one ends the oldest that is not being answered: a probe gets its
answer."""
REQUEST_SECONDS = 10.0
"""Longest time from accepting a connection, or from the answer before, to the end of an answer; and longest time in
which a client reads nothing of a stream of events."""
IDLE_SECONDS = 5
"""How long a connection is kept for a next request."""
HEADER_BYTES = 16_384
"""Longest request without its body."""
SEND_BYTES = 131_072
"""What the kernel holds of an answer that is not read."""
DROP = struct.pack("ii", 1, 0)
"""SO_LINGER that does not wait for what is unsent."""
EVENTS = "/api/v1/events"
"""Where answers have no end."""


class Bounded(H11Protocol):
    """A connection that is ended when its time is up, however it drips.

    since: when it was accepted, in seconds of the loop. limit: ends it.
    """

    since = 0.0
    limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self.take_place()
        super().connection_made(transport)

    def take_place(self) -> None:
        """Its time begins, and where there is no place the oldest of the others is ended."""
        others = [one for one in self.connections if isinstance(one, Bounded) and not one.streams and one is not self]
        if len(others) >= MOST_CONNECTIONS:
            min(others, key=lambda one: (one.answers, one.since)).abort()
        self.since = self.loop.time()
        self.begin()

    @property
    def streams(self) -> bool:
        """Whether it is being sent events."""
        cycle = self.cycle
        ends = cycle is None or cycle.response_complete or not cycle.response_started
        return not ends and self.scope["path"].endswith(EVENTS)

    @property
    def answers(self) -> bool:
        """Whether it has asked for something that it has not got yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def begin(self) -> None:
        """Its time begins."""
        self.cancel()
        self.limit = self.loop.call_later(REQUEST_SECONDS, self.end)

    def cancel(self) -> None:
        if self.limit is not None:
            self.limit.cancel()

    def end(self) -> None:
        """Its time is up."""
        if not self.streams or self.flow.write_paused:
            self.abort()

    def abort(self) -> None:
        """It is ended at once; what a client does not read is dropped by the kernel too."""
        if self.flow and self.flow.write_paused:
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, DROP)
        self.connections.discard(self)
        self.transport.abort()

    def on_response_complete(self) -> None:
        self.begin()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.streams:
            self.begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self.cancel()
        super().connection_lost(exc)


class Secured(Bounded):
    """The same below TLS: it takes its place, and its time begins, before the handshake.

    early: what came with the end of the handshake, which is `done` then. handshake: under way.
    """

    context: ssl.SSLContext
    early = b""
    done = False
    handshake: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.connections.add(self)
        self.take_place()
        transport.pause_reading()
        self.handshake = self.loop.create_task(self.secure(transport))

    async def secure(self, transport: asyncio.Transport) -> None:
        try:
            made = await self.loop.start_tls(transport, self, self.context, server_side=True)
        except OSError:
            made = None
        if made is None:  # it speaks no TLS, or it has gone
            self.connections.discard(self)
            self.cancel()
            return
        super().connection_made(made)
        self.done = True
        if self.early:
            super().data_received(self.early)

    def data_received(self, data: bytes) -> None:
        if self.done:
            super().data_received(data)
        else:
            self.early += data


@contextmanager
def serve(host: str, port: int, app: ASGIApp, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serves inside the `with` block, below TLS if there is a context; yields the port (for 0 a free one).

    A stop does not wait for requests under way. Raises StartError if it cannot listen on the address.
    """
    listener = listen(host, port)
    config = Config(
        app,
        http=type("Served", (Secured,), {"context": context}) if context else Bounded,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=MOST_CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        h11_max_incomplete_event_size=HEADER_BYTES,
    )
    server = Server(config)

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(quietly)
        await server.serve([listener])
        for one in [*server.server_state.connections]:  # such as those that are shaking hands
            one.transport.abort()
        await asyncio.sleep(0)

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="http", daemon=True)
    taken = int(listener.getsockname()[1])
    thread.start()
    try:
        yield taken
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections. Raises StartError."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
            listener.bind((host, port))
            listener.listen(MOST_CONNECTIONS)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        problem = f"metrics: cannot listen on {host}:{port} ({error.strerror})"
        raise StartError(f"{problem}; set metrics.host and metrics.port") from error
    return listener


def quietly(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What goes wrong beside a request: without a free file descriptor, asyncio tries again a second later."""
    log.debug("http: %s", context.get("exception") or context["message"])
