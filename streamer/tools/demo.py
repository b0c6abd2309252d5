"""`streamer demo`: embedded broker, daemon and replays in one process, shown live in the terminal."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from ruamel.yaml import YAML

from streamer.app import Daemon, daemon
from streamer.config import Config, Mqtt
from streamer.config.loader import parse
from streamer.errors import StreamerError
from streamer.mqtt.publisher import Publisher
from streamer.observe.views import detail
from streamer.tools.replay.play import Form, Pace, play
from streamer.tools.replay.sources import SourceOptions, open_source
from streamer.tools.view import View, said
from streamer.tools.words import NO_CHANGE, lasting

SOURCES = {
    "demo/building/temperature": ("building", SourceOptions(interval=900.0, seed=3), 50.0),
    "demo/waves/sine": ("sine", SourceOptions(interval=0.01, seed=1), 50.0),
    "demo/waves/trapezoid": ("trapezoid", SourceOptions(interval=0.01, seed=2), 50.0),
}
"""Topic -> source, its options, rate in samples per second."""
UNITS = {"demo/building/temperature": "°C"}

REFRESH_SECONDS = 0.5
"""Time between two views on a terminal."""
PLAIN_SECONDS = 5.0
"""Time between two views where the output is not a terminal."""


async def demo(seconds: float | None, port: int | None, metrics_port: int | None, browse: bool) -> None:
    """Run until SIGTERM, Ctrl-C or the end of `seconds`; browse: open the page.

    Raises StartError if a given port is not free.
    """
    console = Console()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with tempfile.TemporaryDirectory(prefix="streamer-demo-") as state:
        async with daemon(configured(port, metrics_port, Path(state))) as running:
            console.print(*introduction(running), sep="\n", soft_wrap=True)
            if browse:
                await open_page(page(running), console.print)
            try:
                await play_and_watch(running, console, stop, seconds)
            except* StreamerError as known:
                raise known.exceptions[0] from None
    console.print(*conclusion(running), sep="\n", soft_wrap=True)


async def play_and_watch(running: Daemon, console: Console, stop: asyncio.Event, seconds: float | None) -> None:
    """Run daemon, replays and view as tasks until `stop` is set or `seconds` are over."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(running.serve(), name="daemon")
        others = [tasks.create_task(replay(running, topic), name=f"replay {topic}") for topic in SOURCES]
        others.append(tasks.create_task(watch(View(running, UNITS), console), name="view"))
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


def page(running: Daemon) -> str:
    """Address of the page."""
    return f"http://127.0.0.1:{running.metrics_port}/"


def introduction(running: Daemon) -> Iterator[str]:
    """The lines printed first: addresses of the page, of broker and metrics, how to stop."""
    port = Mqtt(url=running.mqtt_url).port
    yield f"See the forecasts in a browser:  {page(running)}"
    yield f"or in any MQTT client:           mosquitto_sub -p {port} -t 'forecast/#'"
    yield f"Metrics for Prometheus:          {page(running)}metrics"
    yield "No data repeat. Ctrl-C stops it.\n"


async def replay(running: Daemon, topic: str) -> None:
    """Publish the source of a topic through the broker, for ever."""
    source, options, rate = SOURCES[topic]
    port = Mqtt(url=running.mqtt_url).port
    async with Publisher(
        Mqtt(url=f"mqtt://127.0.0.1:{port}", protocol="3.1.1", client_id=f"demo {source}")
    ) as publisher:
        await play(open_source(source, options), publisher.publish, Pace(rate=rate), Form(topic))


async def watch(view: View, console: Console) -> None:
    """Show the view again and again: redrawn in place on a terminal, printed every PLAIN_SECONDS elsewhere."""
    if not console.is_terminal:
        while True:
            await asyncio.sleep(PLAIN_SECONDS)
            console.print(*await view.lines(console.width), sep="\n", soft_wrap=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(Group(*await view.lines(console.width)), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)


async def open_page(url: str, say: Callable[[str], None]) -> None:
    """Show the page in a browser, where there is a screen for one."""
    screen = sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")))
    if not screen or not await asyncio.to_thread(webbrowser.open, url):
        say(f"No browser found here. Open {url} in one that reaches this machine.")


def conclusion(running: Daemon) -> Iterator[str]:
    """What was found, a line for each series, of the nearest lead and of the farthest."""
    yield f"At the end, errors of the forecasts over those of {NO_CHANGE}, each made before:"
    for stream in running.fast.streams:
        interval = stream.config.interval or 1.0
        for series in stream.series:
            one = detail(stream, series.row)
            near, *_, far = (multiple for multiple, _ in said(one))
            soon, late = lasting(interval), lasting(one.shown[-1] * interval)
            yield f"  {one.name.removeprefix('demo/')}: {near} times {soon} ahead, {far} times {late} ahead"
    live = (f"{stream.name} {'+'.join(stream.panel.networks) or 'none yet'}" for stream in running.fast.streams)
    yield f"Networks live at the end: {', '.join(live)}."
    yield "Next: your own broker, see README.md."
