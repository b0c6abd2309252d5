"""`streamer purge`: state that no stream uses."""

from typing import Annotated

import typer

from streamer.cli.options import ConfigPath


def purge(
    config: ConfigPath,
    stream: Annotated[
        list[str] | None, typer.Option(help="Only that of the stream of this name. May be repeated.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """Delete the state that no stream of CONFIG uses: of streams that are not configured, of another `interval` or
    `payload`, of topics that are no longer selected.

    Stop the daemon first. What is deleted is told, and asked. Retained messages stay on the broker: `forget` clears
    them while the stream is still configured. Where a stream has another name now, `rename` keeps its state.
    """
    from streamer.config.loader import load
    from streamer.tools import streams

    parsed = load(config)
    with streams.stopped(parsed) as journal:
        found = streams.waste(parsed, journal, stream or ())
        lines = list(streams.described(found, journal))
        typer.echo("\n".join(lines) or "nothing that no stream uses")
        if lines and (yes or typer.confirm("Delete this?", abort=True)):
            streams.purge(found, journal)
            typer.echo("deleted")
