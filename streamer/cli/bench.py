"""`streamer bench`: what this machine can take."""

import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Cell(StrEnum):
    """Recurrent cell of the networks."""

    rnn = "rnn"
    gru = "gru"
    lstm = "lstm"


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Shorter loads and fewer series: within a minute.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PART", help="end-to-end, stages, sizes, memory or training; may be repeated."),
    ] = None,
    cell: Annotated[Cell, typer.Option(help="Cell of the networks.")] = Cell.lstm,
    series: Annotated[int, typer.Option(min=1, help="Series that samples come from.")] = 1000,
    as_json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all figures here, and what machine it was.")
    ] = None,
    compare: Annotated[Path | None, typer.Option(metavar="FILE", help="Show ratios to an earlier --json file.")] = None,
) -> None:
    """Measure what this machine holds: the daemon behind a broker, its stages, its memory, a retraining.

    End to end, a daemon of its own runs with random networks behind mosquitto where that is installed, else behind the
    embedded broker. Other work on the machine shows in every figure; ratios within one run are the most that one can
    trust then: `streamer bench --json before.json`, and later `streamer bench --compare before.json`.
    """
    from streamer.observe import logs
    from streamer.tools.bench.part import Settings
    from streamer.tools.bench.run import bench as measure

    logs.configure("text", "error")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # daemon, broker and clients end with it
    measure(Settings(series, cell.value, quick), only or (), as_json, compare)
