"""`streamer bench`: names of sections in, their tables and a file of all figures out."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from streamer.errors import ConfigError
from streamer.tools.bench import endtoend, memory, stages, sweeps, training
from streamer.tools.bench.machine import describe
from streamer.tools.bench.report import FORMAT, WIDTH, Results, compare, read, show, write
from streamer.tools.bench.section import Section, Settings, Tell

SECTIONS = {
    "end-to-end": Section(
        "End to end, through a broker",
        "CPU: of the daemon's process, per sample. Latency: from sending a sample to the arrival of its forecast. "
        "Sender: its own lateness, 99th percentile. Lost: samples without a forecast; a daemon that falls far behind "
        "drops samples, or replaces a waiting forecast by a newer one.",
        {"qos": "QoS", "load": "load"},
        {
            "rate": "samples/s",
            "cpu_us": "CPU µs",
            "p50_ms": "p50 ms",
            "p99_ms": "p99 ms",
            "late_ms": "sender ms",
            "lost": "lost",
            "resident_mib": "MiB",
        },
        endtoend.measure,
    ),
    "stages": Section(
        "Stages of the fast lane: CPU µs per sample, by samples in a batch",
        "Step and forecast: of the networks; plain: both of the other forecasters. "
        "Floor: only the library calls that every implementation needs. "
        "Reference: a fixed product of matrices, by which runs can be compared.",
        {"stage": "stage"},
        {name: head for b in stages.BATCHES for name, head in ((f"us_{b}", str(b)), (f"floor_{b}", "floor"))},
        stages.measure,
    ),
    "sizes": Section(
        "Number of series, and sizes of the networks: CPU µs per sample",
        "All stages, in batches of at most 256. Networks: the share of step and forecast of both networks in it.",
        {"vary": "varied", "value": "to"},
        {
            "us": "all stages",
            "networks_us": "networks",
            "floor_us": "their floor",
            "bytes": "bytes of arrays per series",
        },
        sweeps.measure,
    ),
    "memory": Section(
        "Memory: bytes per series",
        "Resident: growth of the process, including names, routing and spare room.",
        {"series": "series"},
        {"arrays": "arrays", "rings": "of these: forecasts waiting to be scored", "resident": "resident"},
        memory.measure,
    ),
    "training": Section(
        "One retraining, in a process of its own: seconds",
        "Whole: an epoch times the epochs of the default recipe. Start: until the buffer is read. "
        "Both: this training of both networks, with start and gate.",
        {"device": "device", "model": "network"},
        {
            "threads": "threads",
            "windows": "windows",
            "epoch_s": "epoch",
            "whole_s": "whole",
            "start_s": "start",
            "total_s": "both",
        },
        training.measure,
    ),
}


def bench(settings: Settings, only: Sequence[str], file: Path | None, earlier: Path | None) -> None:
    """Measure and show. Raises ConfigError for an unknown section, SourceError for an unusable file."""
    unknown = [name for name in only if name not in SECTIONS]
    if unknown:
        raise ConfigError(f"--only {unknown[0]}: there is no such section; there are {', '.join(SECTIONS)}")
    before = None if earlier is None else read(earlier)
    results = measured(settings, only or list(SECTIONS))
    if file is not None:
        write(results, file)
    console = Console()
    if not console.is_terminal or console.width > WIDTH:
        console = Console(width=WIDTH)
    show(results, SECTIONS, console)
    if before is not None:
        compare(results, before, SECTIONS, console)


def measured(settings: Settings, names: Sequence[str]) -> Results:
    """The results of these sections; progress goes to standard error."""
    machine, screen = describe(), Console(stderr=True)
    sections = {}
    with screen.status("") as status:

        def tell(name: str) -> Tell:
            if not screen.is_terminal:
                screen.print(f"{name} …", highlight=False)
            return lambda text: status.update(f"{name}: {text}")

        for name in names:
            sections[name] = list(SECTIONS[name].measure(settings, tell(name)))
    return {"format": FORMAT, "machine": machine, "settings": asdict(settings), "parts": sections}
