"""A subscription in, forecasts one after the other out, over lost connections."""

import asyncio
import logging
import random
import ssl
from collections import Counter, deque
from types import TracebackType
from typing import Self

import aiomqtt

from streamer.client.access import CannotListen, access
from streamer.client.forecast import Forecast, NotAForecast, decode

log = logging.getLogger("streamer.client")

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds between two attempts to connect: they double, with jitter."""
QUIET = ("empty", "announcement")
"""Reasons that are no reason to worry: such messages come below the topics of forecasts."""


def forecasts(
    url: str | None = None,
    series: str = "#",
    *,
    topic: str = "forecast/{topic}",
    username: str | None = None,
    password: str | None = None,
    tls: ssl.SSLContext | None = None,
    qos: int = 0,
    queue: int = 1000,
) -> "Forecasts":
    """The forecasts of those series that a filter selects, for `async with`.

    url: mqtt://host[:port], or mqtts:// for TLS, by the authorities of the system or by `tls`. series: names, with +
    and # as in a topic filter. topic: as `publish.topic` has it. queue: forecasts that may wait for you; beyond it
    the oldest is dropped and counted. What is left out of url, username, password and tls comes from the environment:
    STREAMER_MQTT__URL and so on, by the names of the daemon's.

    Raises CannotListen for what can never work.
    """
    if topic.count("{topic}") != 1 or queue < 1:
        raise CannotListen("topic must hold {topic} once, as publish.topic does, and queue be 1 or more")
    wanted = topic.replace("{topic}", series)
    try:
        aiomqtt.Wildcard(wanted)
    except ValueError:
        raise CannotListen(f"{wanted!r} is no topic filter: # may only be the last level, + is one level") from None
    return Forecasts(url, wanted, username, password, tls, qos, queue)


class Forecasts:
    """An open subscription. Iterate over it.

    skipped: messages that were no forecasts, by reason (see NotAForecast). dropped: forecasts that were dropped because
    `queue` were waiting. connections: how often the broker was reached. Messages that come while there is no connection
    are lost, but for the newest of each series where the daemon retains them (`publish.retain`).
    """

    def __init__(
        self,
        url: str | None,
        wanted: str,
        username: str | None,
        password: str | None,
        tls: ssl.SSLContext | None,
        qos: int,
        queue: int,
    ) -> None:
        self.wanted, self.qos = wanted, qos
        self.skipped: Counter[str] = Counter()
        self.dropped = self.connections = 0
        self._access = access(url, username, password, tls)
        self._waiting: deque[Forecast] = deque()
        self._queue = queue
        self._news = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Connect and subscribe. Raises CannotListen where that fails at once; later it is tried again for ever."""
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def ended(listening: "asyncio.Task[None]") -> None:
            self._news.set()
            error = None if listening.cancelled() else listening.exception()
            if error and not begun.done():
                begun.set_exception(error)

        self._listening = asyncio.create_task(self._listen(begun), name="forecasts")
        self._listening.add_done_callback(ended)
        try:
            await begun
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Forecast:
        assert self._listening is not None, "use it with `async with`"
        while not self._waiting:
            if self._listening.cancelled():
                raise StopAsyncIteration
            if self._listening.done():
                self._listening.result()
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    async def _stop(self) -> None:
        assert self._listening is not None
        self._listening.cancel()
        await asyncio.wait([self._listening])

    async def _listen(self, begun: "asyncio.Future[None]") -> None:
        """Connections one after the other; `begun` is told how the first one went."""
        pause = FIRST_PAUSE
        while True:
            try:
                async with self._client() as client:
                    await self._subscribe(client)
                    self.connections += 1
                    pause = FIRST_PAUSE
                    if not begun.done():
                        begun.set_result(None)
                    await anext(client.messages)  # raises when the connection ends: _Inlet keeps nothing
            except (aiomqtt.MqttError, CannotListen) as lost:
                text = f"{self._access.url}: {lost}"
                if not begun.done():
                    raise CannotListen(f"{text}; check address, user, password and certificate") from None
                log.warning("%s; trying again in %.1f s at most", text, pause)
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 # jitter, no secret
            pause = min(2 * pause, LONGEST_PAUSE)

    def _client(self) -> aiomqtt.Client:
        """A connection that is not there yet, whose messages go to `_take`."""
        take, to = self._take, self._access

        class Inlet(asyncio.Queue[aiomqtt.Message]):
            """aiomqtt puts messages here, and would let them wait without limit, each with a task."""

            def put_nowait(self, message: aiomqtt.Message) -> None:
                take(message)

        return aiomqtt.Client(
            to.host, to.port, username=to.username, password=to.password, tls_context=to.tls, queue_type=Inlet
        )

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        """Raises CannotListen where the broker refuses."""
        granted = await client.subscribe(self.wanted, qos=self.qos)
        if any(getattr(code, "value", code) >= 128 for code in granted):
            raise CannotListen(f"the broker does not let this user subscribe to {self.wanted}")

    def _take(self, message: aiomqtt.Message) -> None:
        """A message more. What is no forecast is skipped and counted, told once for each reason."""
        try:
            forecast = decode(message.payload, message.topic.value)
        except NotAForecast as wrong:
            if not self.skipped[wrong.reason] and wrong.reason not in QUIET:
                log.warning("no forecast: %s; counted in skipped[%r] from now on", wrong, wrong.reason)
            self.skipped[wrong.reason] += 1
            return
        if len(self._waiting) == self._queue:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(forecast)
        self._news.set()
