"""`streamer replay`: samples of a source, published."""

import asyncio
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class PayloadStyle(StrEnum):
    """How a replayed sample is written."""

    json = "json"
    number = "number"


def replay(
    source: Annotated[
        str,
        typer.Argument(help="sine, trapezoid or waterflow; a .csv file; a .jsonl recording (either may end in .gz)."),
    ],
    broker: Annotated[str, typer.Option(help="mqtt://host[:port] or mqtts://host[:port].")] = "mqtt://localhost:1883",
    topic: Annotated[str | None, typer.Option(help="Topic to publish on; recordings have their own.")] = None,
    rate: Annotated[float | None, typer.Option(help="Samples per second.")] = None,
    speed: Annotated[float | None, typer.Option(help="Times faster than the samples' own time.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Repeat for ever, time going on.")] = False,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many samples.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="CSV column by name or position; several make one sample of d > 1.")
    ] = None,
    time_column: Annotated[
        str | None, typer.Option(help="CSV column of the time; without it --interval counts.")
    ] = None,
    interval: Annotated[float, typer.Option(help="Seconds between samples that have no time of their own.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the waves' noise.")] = 0,
    payload: Annotated[
        PayloadStyle, typer.Option(help='json: {"time": …, "value": …}; number: bare.')
    ] = PayloadStyle.json,
    qos: Annotated[int, typer.Option(min=0, max=1, help="Quality of service.")] = 1,
    username: Annotated[str | None, typer.Option(help="User on the broker.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File with the password.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="Authority of the broker's certificate, for mqtts://.")] = None,
) -> None:
    """Publish a test stream or a recording: as fast as the broker takes it, or at --rate, or at --speed.

    Examples: `streamer replay waterflow --topic plant/flow --speed 3600`,
    `streamer replay data.csv --column OT --time-column date --topic lab/ot --rate 100`.
    """
    from itertools import islice

    from streamer.config.loader import broker as broker_of
    from streamer.observe import logs
    from streamer.tools.replay.play import Form, Pace, Summary, play
    from streamer.tools.replay.sources import SourceOptions, open_source

    logs.configure("text", "info")
    login = {"username": username, "password_file": password_file}
    mqtt = broker_of({"url": broker, **login, "tls": {"ca_file": ca_file}, "client_id": f"replay-{os.getpid()}"})
    options = SourceOptions(tuple(column or ()), time_column, interval, seed=seed, loop=loop)
    samples = islice(open_source(source, options), count)

    def progress(summary: Summary) -> None:
        typer.echo(f"\r{summary.samples} samples, {summary.seconds:.0f} s", nl=False, err=True)

    async def publish_all() -> Summary:
        from streamer.mqtt.publisher import Publisher

        async with Publisher(mqtt) as publisher:
            summary = await play(
                samples, publisher.publish, Pace(rate, speed), Form(topic, payload.value, qos), progress
            )
            await publisher.flush()
            return summary

    done = asyncio.run(publish_all())
    typer.echo(f"\r{done.samples} samples published in {done.seconds:.1f} s", err=True)
