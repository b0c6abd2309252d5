"""The two client processes of an end-to-end run: one sends samples, the other receives forecasts and times them."""

import asyncio
import logging
import multiprocessing as mp
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_int64
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import numpy as np

from streamer.config import Mqtt
from streamer.mqtt.link import Link
from streamer.records import Floats, Outgoing
from streamer.tools.bench.subject import topic
from streamer.tools.replay.signals import Signal

WINDOW = 2048
"""Samples without a forecast at saturation: two of the daemon's largest batches, so that it never has to wait."""
AT_ONCE = 64
"""Most samples sent in one turn of the event loop."""
PAUSE = 0.0005
"""Seconds between two checks whether the window has room."""
SILENCE = 5.0
"""Seconds without a forecast after which the missing ones count as lost."""
LIMIT = 1_000_000
"""Most messages that may wait in a client."""


@dataclass(frozen=True, slots=True)
class Site:
    """What clients and daemon share: broker, quality of service of samples and forecasts, number of series."""

    url: str
    protocol: str
    qos: int
    series: int

    def mqtt(self, client_id: str) -> Mqtt:
        """The connection settings of a client, which leaves no session behind."""
        fixed = {"url": self.url, "protocol": self.protocol, "session_expiry": 0, "queue": LIMIT, "outbox": LIMIT}
        return Mqtt.model_validate({**fixed, "client_id": client_id, "qos": self.qos})


@dataclass(frozen=True, slots=True)
class Sent:
    """Number of samples sent, wall clock at the first, and lateness of each burst in seconds, [bursts]."""

    samples: int
    began: float
    late: Floats


@dataclass(frozen=True, slots=True)
class Heard:
    """Seconds from sample to forecast, [forecasts], and the wall clock at the last forecast."""

    latency: Floats
    ended: float


@dataclass(slots=True)
class Sender:
    """Sends samples of all series in turn; the time in a sample is the time at which it is sent."""

    link: Link
    site: Site
    heard: "Synchronized[int]"
    values: list[float] = field(default_factory=lambda: Signal().noisy(1009, seed=0).tolist())
    number: int = 0

    def burst(self, count: int) -> None:
        """Send `count` samples now."""
        out = []
        for number in range(self.number, self.number + count):
            payload = b'{"time":%.6f,"value":%.4f}' % (time.time(), self.values[number % len(self.values)])
            out.append(Outgoing(topic(number % self.site.series), payload, self.site.qos, retain=False))
        self.number += count
        self.link.publish(out)

    async def at_rate(self, rate: float, seconds: float) -> Sent:
        """Open loop: send each sample when it is due, whether or not earlier ones have been answered."""
        count, sent, late = max(1, round(rate * seconds)), 0, []
        begun, clock = time.time(), time.perf_counter
        zero = clock()
        while sent < count:
            due = min(count, sent + AT_ONCE, int((clock() - zero) * rate) + 1)
            if due > sent:
                late.append(clock() - zero - sent / rate)
                self.burst(due - sent)
                sent = due
            await asyncio.sleep(max(0.0, zero + sent / rate - clock()))
        return Sent(count, begun, np.array(late))

    async def at_once(self, seconds: float) -> Sent:
        """Closed loop: keep WINDOW samples ahead of the forecasts that have come back."""
        sent, begun = 0, time.time()
        while time.time() - begun < seconds:
            room = min(AT_ONCE, WINDOW - sent + self.heard.value)
            if room > 0:
                self.burst(room)
                sent += room
            await asyncio.sleep(0.0 if room > 0 else PAUSE)
        return Sent(sent, begun, np.zeros(1))


@dataclass(slots=True)
class Listener:
    """Receives forecasts; `heard` counts them for the sender."""

    link: Link
    heard: "Synchronized[int]"
    arrived: list[float] = field(default_factory=list)
    times: list[bytes] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Receive for ever; retained messages are skipped, as they answer no sample of this run."""
        async for batch in self.link.batches():
            for message in batch.messages:
                if not message.retain:
                    self.arrived.append(message.arrived)
                    self.times.append(message.payload.partition(b'"time":"')[2].partition(b'"')[0])
            self.heard.value = len(self.arrived)
            self.link.ack(batch)
            self.news.set()

    def begin(self) -> None:
        """Start counting from 0."""
        self.arrived.clear()
        self.times.clear()
        self.heard.value = 0

    async def end(self, count: int) -> Heard:
        """Wait for `count` forecasts, or until no more come, and return what was received."""
        try:
            while len(self.arrived) < count:
                self.news.clear()
                async with asyncio.timeout(SILENCE):
                    await self.news.wait()
        except TimeoutError:
            pass  # the caller sees the loss from the count
        sent = [datetime.fromisoformat(at.decode()).timestamp() for at in self.times]
        return Heard(np.array(self.arrived) - np.array(sent), self.arrived[-1] if self.arrived else 0.0)


def send(orders: Connection, site: Site, heard: "Synchronized[int]") -> None:
    """The process of the sender: each order (rate or None, seconds) is answered with Sent, until the pipe closes."""

    async def run() -> None:
        async with Link(site.mqtt("bench-sender"), []) as link:
            await link.ready()
            orders.send(None)
            sender = Sender(link, site, heard)
            while (order := await asyncio.to_thread(received, orders)) is not None:
                rate, seconds = order
                orders.send(await (sender.at_rate(rate, seconds) if rate else sender.at_once(seconds)))

    quiet()
    asyncio.run(run())


def listen(orders: Connection, site: Site, heard: "Synchronized[int]") -> None:
    """The process of the listener, until the pipe closes.

    An order below 0 starts counting from 0 and is answered with None; a number of forecasts is answered with Heard.
    """

    async def run() -> None:
        async with Link(site.mqtt("bench-listener"), ["forecast/#"]) as link:
            await link.ready()
            orders.send(None)
            listener = Listener(link, heard)
            running = asyncio.create_task(listener.run())
            while (order := await asyncio.to_thread(received, orders)) is not None:
                if order < 0:
                    listener.begin()
                    orders.send(None)
                else:
                    orders.send(await listener.end(order))
            running.cancel()

    quiet()
    asyncio.run(run())


def quiet() -> None:
    """Ignore Ctrl-C, which ends the measurement and thereby its clients, and log nothing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable()


def received(orders: Connection) -> Any:
    """The next order, or None when the pipe is closed."""
    try:
        return orders.recv()
    except EOFError:
        return None


@dataclass(slots=True)
class Clients:
    """The pipes to both client processes."""

    sender: Connection
    listener: Connection

    def phase(self, rate: float | None, seconds: float) -> tuple[Sent, Heard]:
        """Send samples for `seconds`, and return what was sent and the forecasts received."""
        self.listener.send(-1)
        self.listener.recv()
        self.sender.send((rate, seconds))
        sent: Sent = self.sender.recv()
        self.listener.send(sent.samples)
        return sent, self.listener.recv()


@contextmanager
def clients(site: Site) -> Iterator[Clients]:
    """Start both clients; they are connected and subscribed."""
    context = mp.get_context("spawn")
    heard = context.Value(c_int64, 0)
    pipes, processes = [], []
    for work in (send, listen):
        here, there = context.Pipe()
        processes.append(context.Process(target=work, args=(there, site, heard), daemon=True))
        processes[-1].start()
        there.close()
        pipes.append(here)
    try:
        for pipe in pipes:
            pipe.recv()
        yield Clients(*pipes)
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.join(SILENCE)
            process.terminate()
