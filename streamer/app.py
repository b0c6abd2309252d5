"""Start, serve, stop: a configuration in, a running daemon out."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from streamer.config import Config
from streamer.errors import StateBlocked, StateError, StreamerError
from streamer.lanes import unused
from streamer.lanes.checkpoints import checkpoints
from streamer.lanes.fast import FastLane
from streamer.lanes.forgetting import forgetting
from streamer.lanes.machine import prepare
from streamer.lanes.reload import Reloader, filters_of
from streamer.lanes.slow import SlowLane
from streamer.mqtt.broker import embedded_broker
from streamer.mqtt.link import Link
from streamer.observe.access import announce
from streamer.observe.entrance import secured
from streamer.observe.http import serve
from streamer.observe.lag import LoopLag
from streamer.observe.metrics import Readings, registry
from streamer.observe.site import site
from streamer.observe.systemd import READY, STOPPING, WATCHDOG, Progress, notify
from streamer.observe.window import Window
from streamer.records import Outgoing
from streamer.resume.fold import Untold, resumed
from streamer.store.journal import Journal
from streamer.store.snapshots import write
from streamer.stream.state import StreamState
from streamer.turns import Turns

log = logging.getLogger("streamer")

DRAIN_SECONDS = 2.0
"""How long a stop works on what had already been received."""
RETRY_SECONDS = 0.5
"""Between two attempts at a journal that cannot be written."""
SNAPSHOT_SHARE = 20
"""Snapshots take at most one part in so many of the time."""
STALL_SECONDS = 30.0
"""Silence of the event loop after which /healthz says so."""


@dataclass(slots=True)
class Daemon:
    """The parts of a running daemon; `mqtt_url` and `metrics_port` are the ones really in use.

    `file` is read again when `hung_up` is set. `covered`: the newest batch that the newest snapshot holds.
    `worked`: turns of the event loop that the fast lane has worked in.
    """

    config: Config
    journal: Journal
    link: Link
    fast: FastLane
    slow: SlowLane
    reloader: Reloader
    mqtt_url: str
    metrics_port: int = 0
    beat: float = field(default_factory=time.monotonic)
    stopping: float | None = None
    worked: int = 0
    covered: int = 0
    progress: Progress = field(default_factory=Progress)
    lag: LoopLag = field(default_factory=LoopLag)
    file: Path | None = None
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    writer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))  # one: snapshots never overlap

    def healthy(self) -> str | None:
        silent = time.monotonic() - self.beat
        return f"the event loop has not turned for {silent:.0f} s" if silent > STALL_SECONDS else None

    def ready(self) -> str | None:
        return None if self.link.subscribed else "not connected to the broker, or not subscribed"

    def stop(self) -> None:
        """Receive no more; what has been received is worked off for DRAIN_SECONDS."""
        if self.stopping is None:
            log.info("stopping")
            notify(STOPPING)
            self.stopping = time.monotonic()
            self.link.stop()

    async def fast_lane(self) -> None:
        """Batches through the fast lane, acknowledged when they are journaled and their forecasts handed over."""
        async for batch in self.link.batches(idle=lambda: self.fast.patience):
            async with self.fast.lock:
                done = False
                if not self.overdue():
                    self.journal.handover.done(self.link.handed_over)
                    self.fast.accept(batch)
                    done = await self.written() and await self.advanced()
                if not done:
                    log.warning("stopped with messages unprocessed; the broker repeats those of QoS 1")
                    break
                self.link.ack(batch)
                for stream in self.fast.take_due():
                    self.slow.request(stream)

    async def advanced(self) -> bool:
        """What was written down has led to its forecasts, which are handed over; False if a stop left no time for it.

        One message can lead to a thousand ticks: every turn of the loop works off some. A start makes the rest good.
        """
        turns, waiting, published = Turns(), list[Outgoing](), 0
        for forecasts in self.fast.pieces():
            waiting += forecasts
            if turns.over:
                if self.overdue():
                    return False
                self.link.publish(waiting)
                published += len(waiting)
                waiting.clear()
                self.worked += 1
                await turns.end()
        waiting += self.fast.take_commands()
        self.link.publish(waiting)
        self.journal.hand_over(published + len(waiting))
        self.worked += 1
        return True

    def publish(self, messages: Sequence[Outgoing]) -> None:
        """Hand over what the batches up to the newest one led to."""
        self.link.publish(messages)
        self.journal.hand_over(len(messages))

    async def written(self) -> bool:
        """The open batch is committed, perhaps after a wait for a full disk; False if a stop did not leave the time.

        Meanwhile nothing is acknowledged and the link lets the broker wait. Raises StateError where waiting is no use.
        """
        while True:
            was_blocked = self.fast.blocked
            try:
                self.fast.write()
            except StateBlocked as blocked:
                if not was_blocked:
                    log.error("journal blocked: %s; nothing is acknowledged until it can be written", blocked)
            else:
                if was_blocked:
                    log.info("journal writes again")
                return True
            if self.overdue():
                return False
            await asyncio.sleep(RETRY_SECONDS)

    def overdue(self) -> bool:
        return self.stopping is not None and time.monotonic() - self.stopping > DRAIN_SECONDS

    async def snapshots(self) -> None:
        """A snapshot now, and then one every so often; one that fails is told and made good by the next."""
        while True:
            begun = time.monotonic()
            try:
                await self.save()
            except StateError as failed:
                log.warning("no snapshot: %s", failed)
            await asyncio.sleep(max(self.config.state.snapshot, SNAPSHOT_SHARE * (time.monotonic() - begun)))

    def end_handover(self) -> None:
        """Write down what the broker has of the last batches; else a start would publish it again."""
        with contextlib.suppress(StateError):
            self.journal.handover.done(self.link.handed_over)
            self.journal.end_handover()

    async def heartbeat(self) -> None:
        while True:
            self.beat = time.monotonic()
            if self.progress.made(self.worked, 0 if self.fast.blocked else self.link.waiting):
                notify(WATCHDOG)
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
                    tasks.create_task(self.lag.watch(), name="lag"),
                    tasks.create_task(self.snapshots(), name="snapshots"),
                    tasks.create_task(checkpoints(self.journal), name="checkpoints"),
                    tasks.create_task(
                        forgetting(self.reloader, self.config.state.path, self.publish), name="forgetting"
                    ),
                ]
                if self.file:
                    others.append(tasks.create_task(self.reloader.run(self.file, self.hung_up), name="reloads"))
                for stream in self.fast.take_due():
                    self.slow.request(stream)
                await self.fast_lane()
                for task in others:
                    task.cancel()
        except* StreamerError as known:
            raise known.exceptions[0] from None

    async def save(self) -> None:
        """Write down the streams as they stand between two batches. Raises StateError.

        Not while the broker lacks forecasts from before the newest snapshot: the one before it would go, from which a
        start would make them anew.
        """
        self.journal.handover.done(self.link.handed_over)
        async with self.fast.lock:
            if not self.journal.handover.reaches(self.covered):
                return
            captured, self.covered = self.fast.snapshots(), self.journal.samples.batch
        loop = asyncio.get_running_loop()
        for name, snapshot in captured.items():
            await loop.run_in_executor(self.writer, write, self.config.state.path, name, snapshot)
        self.fast.saved(captured)


@asynccontextmanager
async def daemon(config: Config) -> AsyncIterator[Daemon]:
    """A daemon whose parts are up: journal read, broker link connecting, metrics served. `serve` runs it.

    Raises StartError or StateError where a part cannot be had.
    """
    prepare()
    async with AsyncExitStack() as stack:
        journal = Journal.open(config.state.path, config.state.durability)
        stack.callback(journal.close)
        mqtt = config.mqtt
        if mqtt.scheme == "embedded":
            port = await stack.enter_async_context(embedded_broker(mqtt.host, mqtt.port))
            mqtt = mqtt.model_copy(update={"url": f"embedded://{mqtt.host}:{port}"})
        streams = [StreamState(one, config.metrics, mqtt.availability) for one in config.streams]
        fast = FastLane(streams, journal, mqtt.max_payload, time.time)
        untold = Untold(journal.begin_handover(), mqtt.outbox)
        newest = [(stream, await resumed(stream, fast.known(stream, streams), journal, untold)) for stream in streams]
        fast.take_over(streams)
        unused.warn(journal, config.streams)
        filters = filters_of(config)
        link = Link(mqtt, filters, journal.filters(mqtt.client_id))
        journal.add_filters(mqtt.client_id, filters)
        slow = SlowLane(config, journal, fast.lock, time.time)
        reloader = Reloader(config, fast, slow, link)
        made = Daemon(config, journal, link, fast, slow, reloader, mqtt.url, covered=journal.samples.batch)
        stack.callback(made.writer.shutdown)
        if config.metrics.enabled:
            readings = registry(Readings(fast, link, reloader.results, config.metrics.per_series))
            readings.register(made.lag)
            window = Window(fast, slow, config.state.path, asyncio.get_running_loop())
            metrics = config.metrics
            served = site(readings, made.healthy, made.ready, window, metrics.token(), metrics.path_prefix)
            made.metrics_port = stack.enter_context(serve(metrics.host, metrics.port, served, secured(metrics)))
            announce(metrics, made.metrics_port)
        stack.callback(made.end_handover)
        await stack.enter_async_context(link)
        made.publish(untold.messages)
        for stream, forecasts in newest:
            made.publish(stream.encode(forecasts, time.time()) if forecasts else ())
        yield made
        await link.close()  # before the snapshot, which is not taken while the broker lacks forecasts
        if fast.open is None:
            await made.save()
    log.info("stopped")


async def run(config: Config, file: Path) -> None:
    """The daemon until SIGTERM or SIGINT, also one that comes while it starts; SIGHUP reads the file again."""
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
            running.file = file
            loop.add_signal_handler(signal.SIGHUP, running.hung_up.set)
            known = sum(len(stream.series) for stream in running.fast.streams)
            log.info("started streams=%d series=%d state=%s", len(config.streams), known, config.state.path)
            notify(READY)
            await running.serve()
    except asyncio.CancelledError:
        if parts:
            raise
        log.info("stopped while starting")
