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
from streamer.mqtt.publisher import Publisher
from streamer.stream.state import StreamState
from streamer.tools.replay.play import Form, Pace, play
from streamer.tools.replay.sources import SourceOptions, open_source

SOURCES = {
    "demo/pipeline/flow": ("waterflow", SourceOptions(loop=True), 30.0),
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
    console.print(picture(running))
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
    """The lines printed first: addresses of broker and metrics, how to stop."""
    broker = Mqtt(url=running.mqtt_url)
    yield f"Broker on {broker.host}:{broker.port}; watch the forecasts:  mosquitto_sub -p {broker.port} -t 'forecast/#'"
    yield f"Metrics on http://127.0.0.1:{running.metrics_port}/metrics"
    yield "Series are named without demo/ below. Stop with Ctrl-C.\n"


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
    """The view: a table of errors for each stream, and what the slow lane is doing."""
    tables = [errors_of(stream) for stream in running.fast.streams if stream.series]
    busy = running.slow.activity
    doing = "waiting for samples" if not tables else "collecting samples until a training is due"
    if busy.stream:
        doing = f"training {busy.stream}: {busy.kind or 'starting'} epoch {busy.epoch}/{busy.epochs}"
    return Group(*tables, Text(f"now: {doing}\n"))


def errors_of(stream: StreamState) -> Table:
    """A table with a row per series: the published forecaster, and for each lead its RMSE and that of persistence."""
    panel, scores = stream.panel, stream.panel.scores
    leads, reference, last = panel.leads, scores.reference, len(panel.models) - 1
    title = f"stream {stream.name}: RMSE by lead/of persistence"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("series", no_wrap=True)
    table.add_column("samples", justify="right", no_wrap=True, min_width=7)
    table.add_column("model", no_wrap=True)
    for lead in leads:
        table.add_column(f"{lead} ahead", justify="right", no_wrap=True)
    speakers = panel.speakers()
    for series in stream.series:
        row = series.row
        with np.errstate(invalid="ignore", divide="ignore"):
            rmse = np.sqrt(scores.squared[row] / scores.weight[row])
        model, version = speakers[last]
        cells = [f"{rmse[last, i]:.3g}/{rmse[reference, i]:.3g}" for i in panel.shown]
        who = f"{model} v{version}" if version else model
        table.add_row(series.topic.removeprefix("demo/"), str(series.tick + 1), who, *cells)
    return table
