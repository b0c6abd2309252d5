"""`streamer inspect`: what a state directory holds."""

from pathlib import Path
from typing import Annotated

import typer


def inspect(
    state: Annotated[Path, typer.Argument(metavar="STATE", help="State directory: state.path of the configuration.")],
    series: Annotated[int, typer.Option(min=0, help="Largest number of series listed.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON document.")] = False,
) -> None:
    """Show what a state directory holds: series, samples, networks and their errors, snapshots, ages and sizes.

    It only reads, and may run beside the daemon. Exit code 73 if there is no state.
    """
    from streamer.tools.inspect import show

    show(state, series, as_json)
