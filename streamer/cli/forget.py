"""`streamer forget`: series that are no more."""

import asyncio
from typing import Annotated

import typer

from streamer.cli.options import ConfigPath


def forget(
    config: ConfigPath,
    series: Annotated[str, typer.Option(metavar="PATTERN", help="MQTT topic filter: plant/old/+, rogue/#.")],
) -> None:
    """Forget series for good: their samples and states, and their retained forecasts, threshold messages and Home
    Assistant devices on the broker.

    A running daemon does it itself, within a few seconds; without one this command does. Afterwards max_series counts
    what is left. A series that sends again begins anew. What was learned of others stays. To have it done by age, set
    streams[].forget_after.
    """
    from streamer.config.loader import load
    from streamer.tools.forget import forget_series

    count = asyncio.run(forget_series(load(config), series, typer.echo))
    typer.echo(f"{count} series forgotten")
