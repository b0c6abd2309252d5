"""`streamer demo`: embedded broker, daemon and replays in one process, shown live in the terminal."""

import asyncio
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text
from ruamel.yaml import YAML

from streamer.app import Daemon, daemon
from streamer.config import Config, Mqtt
from streamer.config.loader import parse
from streamer.errors import StreamerError
from streamer.forecast.mix import MIX
from streamer.mqtt.publisher import Publisher
from streamer.stream.state import StreamState
from streamer.tools.replay.play import Form, Pace, play
from streamer.tools.replay.sources import SourceOptions, open_source
from streamer.tools.words import NO_CHANGE, lasting, multiple

SOURCES = {
    "demo/building/temperature": ("building", SourceOptions(interval=900.0, seed=3), 50.0),
    "demo/waves/sine": ("sine", SourceOptions(interval=0.01, seed=1), 50.0),
    "demo/waves/trapezoid": ("trapezoid", SourceOptions(interval=0.01, seed=2), 50.0),
}
"""Topic -> source, its options, rate in samples per second."""

REFRESH_SECONDS = 0.5
"""Time between two views on a terminal."""
PLAIN_SECONDS = 5.0
"""Time between two views where the output is not a terminal."""


async def demo(seconds: float | None, port: int | None, metrics_port: int | None) -> None:
    """Run until SIGTERM, Ctrl-C or the end of `seconds`.

    Raises StartError if a given port is not free.
    """
    console = Console()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="streamer-demo-") as state:
        async with daemon(configured(port, metrics_port, Path(state))) as running:
            console.print(*introduction(running), sep="\n", soft_wrap=True)
            try:
                await play_and_watch(running, console, stop, seconds)
            except* StreamerError as known:
                raise known.exceptions[0] from None
    console.print(*tables(running))
    console.print(*conclusion(running), sep="\n", soft_wrap=True)
    swapped = [f"{stream.name} {'+'.join(stream.panel.networks) or 'none yet'}" for stream in running.fast.streams]
    console.print(f"Networks live at the end: {', '.join(swapped)}. Next: your own broker, see README.md.")


async def play_and_watch(running: Daemon, console: Console, stop: asyncio.Event, seconds: float | None) -> None:
    """Run daemon, replays and view as tasks until `stop` is set or `seconds` are over."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(running.serve(), name="daemon")
        others = [tasks.create_task(replay(running, topic), name=f"replay {topic}") for topic in SOURCES]
        others.append(tasks.create_task(watch(running, console), name="view"))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stop.wait()
        for task in others:
            task.cancel()
        running.stop()


def configured(port: int | None, metrics_port: int | None, state: Path) -> Config:
    """The packaged configs/demo.yaml with the given ports, or else its own, or free ones if those are taken."""
    document: dict[str, Any] = YAML(typ="safe").load(files("streamer.tools").joinpath("demo.yaml").read_text("utf-8"))
    usual = Mqtt(**document["mqtt"])
    document["mqtt"]["url"] = f"embedded://{usual.host}:{free_or(usual.port) if port is None else port}"
    document["metrics"]["port"] = free_or(document["metrics"]["port"]) if metrics_port is None else metrics_port
    document["state"] = {"path": str(state)}
    return parse(document, "configs/demo.yaml")


def free_or(port: int) -> int:
    """The port if it is free on the loopback address, else 0, which lets the system choose one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


def introduction(running: Daemon) -> Iterator[str]:
    """The lines printed first: addresses of the page, of broker and metrics, how to stop."""
    broker = Mqtt(url=running.mqtt_url)
    yield f"See the forecasts in a browser:  http://127.0.0.1:{running.metrics_port}/"
    yield f"Broker on {broker.host}:{broker.port}; watch the forecasts:  mosquitto_sub -p {broker.port} -t 'forecast/#'"
    yield f"Metrics on http://127.0.0.1:{running.metrics_port}/metrics"
    yield f"{NO_CHANGE} is the forecast that the newest value stays. No data repeat. Stop with Ctrl-C.\n"


async def replay(running: Daemon, topic: str) -> None:
    """Publish the source of a topic through the broker, for ever."""
    source, options, rate = SOURCES[topic]
    port = Mqtt(url=running.mqtt_url).port
    async with Publisher(
        Mqtt(url=f"mqtt://127.0.0.1:{port}", protocol="3.1.1", client_id=f"demo {source}")
    ) as publisher:
        await play(open_source(source, options), publisher.publish, Pace(rate=rate), Form(topic))


async def watch(running: Daemon, console: Console) -> None:
    """Show the view again and again: redrawn in place on a terminal, printed every PLAIN_SECONDS elsewhere."""
    if not console.is_terminal:
        while True:
            await asyncio.sleep(PLAIN_SECONDS)
            console.print(picture(running))
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(picture(running), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)


def picture(running: Daemon) -> RenderableType:
    """The view: the tables, and what the slow lane is doing."""
    shown = tables(running)
    busy = running.slow.activity
    doing = "waiting for samples" if not shown else "collecting samples until a training is due"
    if busy.stream:
        doing = f"training {busy.stream}: {busy.kind or 'starting'} epoch {busy.epoch}/{busy.epochs}"
    return Group(*shown, Text(f"now: {doing}\n"))


def tables(running: Daemon) -> list[Table]:
    """A table of errors for each stream that has series."""
    return [errors_of(stream) for stream in running.fast.streams if stream.series]


def errors_of(stream: StreamState) -> Table:
    """A table with a row per series: the error of the mixture by lead, as a multiple of that of persistence."""
    title = f"stream {stream.name}: times the error of {NO_CHANGE}, by lead"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("series", no_wrap=True)
    for name in ("samples", *(f"{lead} ahead" for lead in stream.panel.leads)):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("networks", no_wrap=True)
    networks = ", ".join(stream.panel.networks) or "none yet"
    for series in stream.series:
        cells = [multiple(*both) for both in zip(*mean_errors(stream, series.row), strict=True)]
        table.add_row(series.topic.removeprefix("demo/"), str(series.tick + 1), *cells, networks)
    return table


def mean_errors(stream: StreamState, row: int) -> tuple[list[float], list[float]]:
    """Mean absolute errors of the mixture and of persistence, at each lead shown, over the same samples."""
    panel, scores = stream.panel, stream.panel.scores
    with np.errstate(invalid="ignore"):
        mean = scores.sums[row, :, 2] / scores.sums[row, :, 0]
    shown = mean[panel.shown].T
    mixture: list[float] = shown[panel.models.index(MIX)].tolist()
    return mixture, shown[scores.reference].tolist()


def conclusion(running: Daemon) -> Iterator[str]:
    """What was found, a line for each series, of the nearest lead and of the farthest."""
    yield "Mean absolute errors of the mixture over the newest samples, each forecast before it came:"
    for stream in running.fast.streams:
        leads, interval = stream.panel.leads, stream.config.interval or 1.0
        for series in stream.series:
            mixture, reference = mean_errors(stream, series.row)
            near, far = (multiple(mixture[i], reference[i]) for i in (0, -1))
            name, soon, late = series.topic.removeprefix("demo/"), lasting(interval), lasting(leads[-1] * interval)
            yield f"  {name}: {near} times the error of {NO_CHANGE} {soon} ahead, {far} times {late} ahead"
