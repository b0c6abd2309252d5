"""`streamer inspect`: what a state directory holds."""

from pathlib import Path
from typing import Annotated

import typer


def inspect(
    state: Annotated[
        Path, typer.Argument(metavar="STATE", help="Directory that state.path of the configuration names.")
    ],
    series: Annotated[int, typer.Option(min=0, help="Series to list at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as one JSON document.")] = False,
) -> None:
    """Show what a state directory holds: series, samples, networks and their errors, snapshots, ages and sizes.

    It only reads, and may run beside the daemon. Exit code 73 where there is no state.
    """
    from streamer.tools.inspect import show

    show(state, series, as_json)
