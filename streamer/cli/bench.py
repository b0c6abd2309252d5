"""`streamer bench`: what this machine can take."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer


def bench(
    quick: Annotated[
        bool, typer.Option("--quick", help="Shorter loads and fewer series; takes less than a minute.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="SECTION", help="end-to-end, stages, sizes, memory or training. May be repeated."),
    ] = None,
    cell: Annotated[str, typer.Option(help="Cell of the networks, as in `model.cell`.")] = "lstm",
    series: Annotated[int, typer.Option(min=1, help="Number of series that send samples.")] = 1000,
    as_json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="File to write all figures and a description of the machine to."),
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Show ratios to the figures of an earlier --json file.")
    ] = None,
) -> None:
    """Measure what this machine can take: the daemon behind a broker, its stages, its memory, a retraining.

    The end-to-end section starts a daemon with random networks behind mosquitto, or behind the embedded broker where
    mosquitto is not installed. Other work on the machine affects every figure: on a busy machine, trust only ratios
    within one run. To compare two versions, run `streamer bench --json before.json` with the first and
    `streamer bench --compare before.json` with the second.
    """
    from streamer.models.cells import CELLS
    from streamer.observe import logs
    from streamer.tools.bench.run import bench as measure
    from streamer.tools.bench.section import Settings

    named = {str(name): name for name in CELLS}.get(cell)
    if named is None:
        raise typer.BadParameter(f"{cell!r} is no cell: choose one of {', '.join(CELLS)}", param_hint="--cell")
    logs.configure("text", "error")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # daemon, broker and clients end with it
    measure(Settings(series, named, quick), only or (), as_json, compare)
