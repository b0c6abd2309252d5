"""`streamer demo`: the daemon at work, without a broker or a sensor."""

import asyncio
from typing import Annotated

import typer


def demo(
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="Stop after this many seconds.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port of the broker. Default: 1883, or a free port if it is taken.")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Port of page and metrics. Default: 9464, or a free port if it is taken.")
    ] = None,
    browse: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """See Streamer work: an embedded broker, a simulated building, two test waves, and their forecasts.

    Subscribe with any MQTT client to `forecast/#` on the port shown. Nothing is kept afterwards.
    """
    from streamer.observe import logs
    from streamer.tools.demo import demo as show

    logs.configure("text", "error")
    asyncio.run(show(seconds, port, metrics_port, browse))
