"""`streamer plot`: one series, drawn."""

from pathlib import Path
from typing import Annotated

import typer


def plot(
    source: Annotated[
        Path, typer.Argument(metavar="CONFIG|STATE", help="The daemon's configuration, or its state directory.")
    ],
    series: Annotated[str, typer.Option(metavar="NAME", help="Name of the series, as `inspect` lists it.")],
    samples: Annotated[int, typer.Option(min=2, help="Newest samples that are drawn.")] = 200,
    element: Annotated[int, typer.Option(min=0, help="Element of a sample that is an array.")] = 0,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a picture instead.")] = None,
) -> None:
    """Draw the past of a series and, by its configuration, its forecast with the band, in the terminal or as PNG.

    It only reads, and may run beside the daemon. It needs the extra `plot`: `pip install 'streamer[plot]'`. A state
    directory alone shows the past.
    """
    from rich.console import Console

    from streamer.errors import SourceError
    from streamer.observe import logs
    from streamer.tools.plot.curve import curve
    from streamer.tools.plot.draw import in_terminal, to_file

    logs.configure("text", "error")
    with Console(stderr=True).status(f"reading {source}"):
        found = curve(source, series, samples, element)
    if not found.times:
        raise SourceError(f"{series}: has no samples any more")
    if png is not None:
        to_file(found, png)
        typer.echo(png)
        return
    console = Console()
    typer.echo(in_terminal(found, console.width, max(12, min(console.height - 2, 30)), console.is_terminal))
