"""`streamer rename`: a stream's history under another name."""

import asyncio
from typing import Annotated

import typer

from streamer.cli.options import ConfigPath


def rename(
    config: ConfigPath,
    old: Annotated[str, typer.Argument(help="Name of the stream so far.")],
    new: Annotated[str, typer.Argument(help="Its name in CONFIG.")],
    replace: Annotated[bool, typer.Option("--replace", help="Drop the samples that NEW has by now.")] = False,
) -> None:
    """Keep the history of a stream under another name: samples, states, errors and networks.

    Stop the daemon, give the stream its new name in CONFIG, then run this. Retained messages on topics that hold the
    old name are cleared.
    """
    from streamer.config.loader import load
    from streamer.tools.streams import rename_stream

    count = asyncio.run(rename_stream(load(config), old, new, replace))
    typer.echo(f"{old} is {new} now: {count} series")
