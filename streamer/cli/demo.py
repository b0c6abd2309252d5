"""`streamer demo`: the daemon at work, without a broker or a sensor."""

import asyncio
from typing import Annotated

import typer


def demo(
    seconds: Annotated[float | None, typer.Option("--for", metavar="SECONDS", help="Stop after this long.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the broker; by default 1883, or a free one.")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Port of /metrics; by default 9464, or a free one.")] = None,
) -> None:
    """See it work: a broker in this process, a real sensor and two test waves through it, forecasts on the screen.

    Subscribe with any MQTT client to `forecast/#` on the port shown. Nothing is kept afterwards.
    """
    from streamer.observe import logs
    from streamer.tools.demo import demo as show

    logs.configure("text", "error")
    asyncio.run(show(seconds, port, metrics_port))
