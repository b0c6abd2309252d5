"""Start, serve, stop: a configuration in, a running daemon out."""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import torch

from streamer.config import Config
from streamer.errors import StreamerError
from streamer.fastlane import FastLane
from streamer.http import serve
from streamer.ingest.topics import widest
from streamer.lane import Lane
from streamer.metrics import Readings, registry
from streamer.mqtt.broker import embedded_broker
from streamer.mqtt.link import Link
from streamer.slowlane import SlowLane
from streamer.store.journal import Journal
from streamer.swap.promote import restore, snapshot

log = logging.getLogger("streamer")

DRAIN_SECONDS = 2.0
"""How long a stop works on what had already been received."""
STALL_SECONDS = 30.0
"""Silence of the event loop after which /healthz says so."""


@dataclass(slots=True)
class Daemon:
    """The parts of a running daemon; `mqtt_url` and `metrics_port` are the ones really in use."""

    config: Config
    journal: Journal
    link: Link
    fast: FastLane
    slow: SlowLane
    mqtt_url: str
    metrics_port: int = 0
    beat: float = field(default_factory=time.monotonic)
    stopping: float | None = None

    def healthy(self) -> str | None:
        silent = time.monotonic() - self.beat
        return f"the event loop has not turned for {silent:.0f} s" if silent > STALL_SECONDS else None

    def ready(self) -> str | None:
        return None if self.link.subscribed else "not connected to the broker, or not subscribed"

    def stop(self) -> None:
        """Receive no more; what has been received is worked off for DRAIN_SECONDS."""
        if self.stopping is None:
            log.info("stopping")
            self.stopping = time.monotonic()
            self.link.stop()

    async def fast_lane(self) -> None:
        """Batches through the fast lane, acknowledged when they are journaled and their forecasts handed over."""
        async for batch in self.link.batches():
            if self.stopping is not None and time.monotonic() - self.stopping > DRAIN_SECONDS:
                log.warning("stopped with messages unprocessed; the broker repeats those of QoS 1")
                break
            self.link.publish(self.fast.process(batch))
            self.link.ack(batch)
            for lane in self.fast.lanes:
                if lane.due():
                    self.slow.request(lane)

    async def heartbeat(self) -> None:
        while True:
            self.beat = time.monotonic()
            await asyncio.sleep(1)

    async def serve(self) -> None:
        """Both lanes until `stop`; a bug in either ends the daemon, loudly.

        Raises StateError where the journal cannot be written.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                others = [
                    tasks.create_task(self.slow.run(), name="slow lane"),
                    tasks.create_task(self.heartbeat(), name="heartbeat"),
                ]
                await self.fast_lane()
                for task in others:
                    task.cancel()
        except* StreamerError as known:
            raise known.exceptions[0] from None

    def save(self) -> None:
        """The states as they stand, for the next start."""
        self.journal.save_snapshots(
            [
                (lane.stream.name, kind, bank.version, snapshot(lane, bank))
                for lane in self.fast.lanes
                for kind, bank in lane.live.items()
            ]
        )


@asynccontextmanager
async def daemon(config: Config) -> AsyncIterator[Daemon]:
    """A daemon whose parts are up: journal read, broker link connecting, metrics served. `serve` runs it.

    Raises StartError or StateError where a part cannot be had.
    """
    torch.set_num_threads(1)
    async with AsyncExitStack() as stack:
        journal = Journal.open(config.state.path)
        stack.callback(journal.close)
        mqtt = config.mqtt
        if mqtt.scheme == "embedded":
            port = await stack.enter_async_context(embedded_broker(mqtt.host, mqtt.port))
            mqtt = mqtt.model_copy(update={"url": f"embedded://{mqtt.host}:{port}"})
        lanes = [Lane(stream, config.metrics) for stream in config.streams]
        fast = FastLane(lanes, journal, mqtt.max_payload, time.time)
        fast.restore()
        for lane in lanes:
            await restore(lane, journal)
        filters = widest(topic for stream in config.streams for topic in stream.topics)
        link = Link(mqtt, filters, journal.filters(mqtt.client_id))
        journal.add_filters(mqtt.client_id, filters)
        made = Daemon(config, journal, link, fast, SlowLane(config, journal, time.time), mqtt.url)
        if config.metrics.enabled:
            readings = registry(Readings(fast, link, config.metrics.per_series))
            http = serve(config.metrics.host, config.metrics.port, readings, made.healthy, made.ready)
            made.metrics_port = stack.enter_context(http)
            log.info("metrics on http://%s:%d/metrics", config.metrics.host, made.metrics_port)
        await stack.enter_async_context(link)
        yield made
        made.save()
    log.info("stopped")


async def run(config: Config) -> None:
    """The daemon until SIGTERM or SIGINT, also one that comes while it starts."""
    starting = asyncio.current_task()
    parts: list[Daemon] = []

    def stop() -> None:
        if parts:
            parts[0].stop()
        elif starting:
            starting.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        async with daemon(config) as running:
            parts.append(running)
            known = sum(len(lane.series) for lane in running.fast.lanes)
            log.info("started streams=%d series=%d state=%s", len(config.streams), known, config.state.path)
            await running.serve()
    except asyncio.CancelledError:
        if parts:
            raise
        log.info("stopped while starting")
