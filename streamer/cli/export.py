"""`streamer export`: the samples of a state, as CSV."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from streamer.cli.options import ConfigPath


def export(
    config: ConfigPath,
    series: Annotated[str, typer.Option(metavar="PATTERN", help="MQTT topic filter: plant/+/temperature.")] = "#",
    out: Annotated[Path | None, typer.Option(help="CSV file to write. Default: standard output.")] = None,
) -> None:
    """Write the samples that the state of CONFIG holds as CSV: series, time and value, a row for each.

    It only reads, and may run beside the daemon. The state holds the newest `retrain.window` ticks of each series.
    """
    from streamer.config.loader import load
    from streamer.errors import StartError
    from streamer.observe import logs
    from streamer.tools.history.export import export as write
    from streamer.tools.history.export import total
    from streamer.tools.plot.curve import opened
    from streamer.tools.progress import progressing

    logs.configure("text", "warning")
    state = load(config).state.path
    with opened(state):
        pass
    try:
        with (
            nullcontext(sys.stdout) if out is None else out.open("w", encoding="utf-8") as file,
            progressing("samples", total(state, series)) as told,
        ):
            count = write(state, series, file, told)
    except OSError as error:
        raise StartError(f"{out}: cannot be written ({error.strerror or error})") from error
    typer.echo(f"{count:,} samples written", err=True)
