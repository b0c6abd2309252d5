"""`streamer bench`: parts asked for in, their tables and a file of all figures out."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from streamer.errors import ConfigError
from streamer.tools.bench import endtoend, memory, stages, sweeps, training
from streamer.tools.bench.machine import describe
from streamer.tools.bench.part import Part, Settings, Tell
from streamer.tools.bench.report import FORMAT, WIDTH, Results, compare, read, show, write

PARTS = {
    "end-to-end": Part(
        "End to end, through a broker",
        "CPU: of the daemon's process, per sample. Latency: from sending a sample to its forecast's arrival. "
        "Sender: how late it was itself, 99th percentile. Lost: samples dropped, or whose forecast gave way to a "
        "newer one, as a daemon that falls behind for long does.",
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
    "stages": Part(
        "Stages of the fast lane: CPU µs per sample, by samples in a batch",
        "Floor: the library calls alone that no implementation can do without. "
        "Reference: a fixed product of matrices, to compare runs by.",
        {"stage": "stage"},
        {name: head for b in stages.BATCHES for name, head in ((f"us_{b}", str(b)), (f"floor_{b}", "floor"))},
        stages.measure,
    ),
    "sizes": Part(
        "Number of series, and sizes of the networks: CPU µs per sample",
        "All stages, in batches of at most 256; networks: step and forecast of both, of these.",
        {"vary": "varied", "value": "to"},
        {
            "us": "all stages",
            "networks_us": "networks",
            "floor_us": "their floor",
            "bytes": "bytes of arrays per series",
        },
        sweeps.measure,
    ),
    "memory": Part(
        "Memory: bytes per series",
        "Resident: all that the process gains, names, routing and room to grow among it.",
        {"series": "series"},
        {"arrays": "arrays", "rings": "of them rings of forecasts to score", "resident": "resident"},
        memory.measure,
    ),
    "training": Part(
        "One retraining, in a process of its own: seconds",
        "Whole: an epoch times those of the default recipe. Start: until the buffer is read. "
        "Both: this training of both networks, start and gate included.",
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
    """Measure and show. Raises ConfigError for a part there is not, SourceError for a file that cannot be used."""
    unknown = [name for name in only if name not in PARTS]
    if unknown:
        raise ConfigError(f"--only {unknown[0]}: there is no such part; there are {', '.join(PARTS)}")
    before = None if earlier is None else read(earlier)
    results = measured(settings, only or list(PARTS))
    if file is not None:
        write(results, file)
    console = Console()
    if not console.is_terminal or console.width > WIDTH:
        console = Console(width=WIDTH)
    show(results, PARTS, console)
    if before is not None:
        compare(results, before, PARTS, console)


def measured(settings: Settings, names: Sequence[str]) -> Results:
    """All rows of these parts; progress on standard error."""
    machine, screen = describe(), Console(stderr=True)
    parts = {}
    with screen.status("") as status:

        def tell(name: str) -> Tell:
            if not screen.is_terminal:
                screen.print(f"{name} …", highlight=False)
            return lambda text: status.update(f"{name}: {text}")

        for name in names:
            parts[name] = list(PARTS[name].measure(settings, tell(name)))
    return {"format": FORMAT, "machine": machine, "settings": asdict(settings), "parts": parts}
