"""The daemon as a process behind a real broker: its highest rate, and its latency at shares of that rate."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from streamer.errors import StartError
from streamer.records import CellName
from streamer.tools.bench import subject
from streamer.tools.bench.broker import Broker, broker
from streamer.tools.bench.clients import Clients, Heard, Sent, Site, clients
from streamer.tools.bench.machine import cpu_seconds, resident_bytes
from streamer.tools.bench.section import Row, Settings, Tell

SHARES = (0.1, 0.5, 0.9)
"""Shares of the saturation rate at which latency is measured."""
READY = "subscribed to"
"""Words that a program under test writes to standard error when it is ready for samples."""
RELOADED, TRAINING = "reloaded added", "training on"
"""Words that the daemon logs after a reload, and when a training has read its buffer."""
READY_SECONDS = 60.0
LOG = "subject.log"
"""Standard error of the program under test."""
TRAINED_SERIES, TRAINED_TICKS = 50, 400
"""Series and ticks of each in the journal from the start, for the training."""
ENOUGH_EPOCHS = 10_000


@dataclass(frozen=True, slots=True)
class Load:
    """How long samples are sent, in seconds: warm (not measured), at saturation, and at each rate.

    shares: rates as shares of the saturation rate; rates: further ones, in samples per second; training: the share at
    which latency is measured again while both networks are trained.
    """

    warm: float
    saturation: float
    rate: float
    shares: tuple[float, ...] = SHARES
    rates: tuple[float, ...] = ()
    training: float | None = None


QUICK = Load(0.5, 2.0, 2.0, training=0.5)
WHOLE = Load(2.0, 10.0, 10.0, training=0.5)


def measure(settings: Settings, tell: Tell) -> list[Row]:
    """The rows of QoS 0 and 1, each with a new broker, state and daemon."""
    load = QUICK if settings.quick else WHOLE
    return [row for qos in (0, 1) for row in daemon(settings.series, settings.cell, qos, load, tell)]


def daemon(series: int, cell: CellName, qos: int, load: Load, tell: Tell) -> list[Row]:
    """The rows of `streamer run` on a temporary state with random networks of this cell. Raises StartError."""
    with tempfile.TemporaryDirectory(prefix="streamer-bench-") as folder, broker(Path(folder)) as there:
        site, place = Site(there.url, there.protocol, qos, series), Path(folder)
        document = prepared(place, there, site, cell)
        file = written(place, document)
        command = [sys.executable, "-m", "streamer", "run", str(file)]
        rows = against(command, place, site, load, tell, lambda pid: train(pid, place, document))
        return [{**row, "broker": there.name} for row in rows]


def against(
    command: Sequence[str],
    folder: Path,
    site: Site,
    load: Load,
    tell: Tell,
    train: Callable[[int], None] | None = None,
) -> list[Row]:
    """The rows of any program that answers each sample with a forecast, as the daemon does. Raises StartError.

    `train` is called with the id of its process and must make it train at the next sample.
    """
    with started(command, folder) as pid, clients(site) as both:
        rows = phases(both, pid, load, lambda text: tell(f"QoS {site.qos}, {text}"))
        if train is not None and load.training is not None:
            tell(f"QoS {site.qos}, {load.training:.0%} while it trains")
            train(pid)
            both.phase(None, load.warm)  # a training begins only when a sample arrives
            until_said(TRAINING, folder)
            found = phase(both, pid, load.training * rows[0]["rate"], load.rate)
            rows.append({"load": f"{load.training:.0%}, training", **found})
    return [{"qos": site.qos, **row} for row in rows]


def train(pid: int, folder: Path, document: dict[str, Any]) -> None:
    """Make the daemon train both networks from its next sample on, for longer than the measurement lasts."""
    (stream,) = document["streams"]
    ticks = {"every": TRAINED_TICKS, "minimum": TRAINED_TICKS}
    written(folder, {**document, "streams": [{**stream, "retrain": ticks}], "training": {"epochs": ENOUGH_EPOCHS}})
    os.kill(pid, signal.SIGHUP)
    until_said(RELOADED, folder)


def prepared(folder: Path, there: Broker, site: Site, cell: CellName) -> dict[str, Any]:
    """Fill a state directory with series and networks, and return the configuration of a daemon that starts on it."""
    stream = subject.settings(site.series, cell) | {"publish": {"qos": site.qos}}
    document = {
        "mqtt": {"url": there.url, "protocol": there.protocol, "qos": site.qos},
        "streams": [stream],
        "metrics": {"port": 0},
        "state": {"path": str(folder / "state")},
    }
    parsed = subject.stream(site.series, cell)
    trained = min(site.series, TRAINED_SERIES)
    subject.fill(folder / "state", parsed, range(trained), TRAINED_TICKS)
    subject.fill(folder / "state", parsed, range(trained, site.series), ticks=2)
    subject.seed(folder / "state", parsed)
    return document


def written(folder: Path, document: dict[str, Any]) -> Path:
    """Write the configuration to a file, and return its path."""
    file = folder / "bench.yaml"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


@contextmanager
def started(command: Sequence[str], folder: Path) -> Iterator[int]:
    """Run the program under test, and yield its process id when it is ready. Raises StartError."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")}
    with (folder / LOG).open("wb") as out:
        process = subprocess.Popen(command, stderr=out, env=environment)  # noqa: S603
    try:
        until_said(READY, folder, lambda: process.poll() is None)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def until_said(words: str, folder: Path, alive: Callable[[], bool] = lambda: True) -> None:
    """Wait until the log of the program under test has these words. Raises StartError."""
    deadline = time.monotonic() + READY_SECONDS
    while words not in (said := (folder / LOG).read_text(encoding="utf-8", errors="replace")):
        if not alive() or time.monotonic() > deadline:
            raise StartError(f"the program measured never said {words!r}: {said.strip() or 'it says nothing'}")
        time.sleep(0.02)


def phases(both: Clients, pid: int, load: Load, tell: Tell) -> list[Row]:
    """A row for saturation and one for each rate."""
    tell("warming up")
    both.phase(None, load.warm)
    tell("saturation")
    saturated = phase(both, pid, None, load.saturation)
    rows = [{"load": "saturation", **saturated, "p50_ms": None, "p99_ms": None}]  # here latency depends on WINDOW alone
    rates = {f"{share:.0%}": share * saturated["rate"] for share in load.shares}
    for name, rate in (rates | {f"{rate:g}/s": rate for rate in load.rates}).items():
        tell(f"{rate:.0f} samples/s")
        rows.append({"load": name, **phase(both, pid, rate, load.rate)})
    return rows


def phase(both: Clients, pid: int, rate: float | None, seconds: float) -> Row:
    """The figures of sending at a rate, or, without one, as fast as forecasts come back."""
    before = cpu_seconds(pid)
    sent, heard = both.phase(rate, seconds)
    used = cpu_seconds(pid) - before
    return {**figures(sent, heard), "cpu_us": 1e6 * used / sent.samples, "resident_mib": resident_bytes(pid) / 2**20}


def figures(sent: Sent, heard: Heard) -> dict[str, Any]:
    """Samples per second up to the last forecast, percentiles of latency and of the lateness of the sender, losses."""
    answered = len(heard.latency)
    p50, p99 = 1e3 * np.percentile(heard.latency, [50, 99]) if answered else (None, None)
    return {
        "rate": answered / (heard.ended - sent.began) if answered else 0.0,
        "p50_ms": p50 and float(p50),
        "p99_ms": p99 and float(p99),
        "late_ms": float(1e3 * np.percentile(sent.late, 99)),
        "lost": sent.samples - answered,
    }
