"""`streamer replay`: samples of a source, published."""

import asyncio
import os
from enum import StrEnum
from itertools import islice
from typing import Annotated

import typer

from streamer.cli.options import LOCAL_BROKER, BrokerUrl, CaFile, PasswordFile, QoS, Username, mqtt_section


class PayloadStyle(StrEnum):
    """How a replayed sample is written."""

    json = "json"
    number = "number"


def replay(
    source: Annotated[
        str,
        typer.Argument(help="sine, trapezoid or waterflow; a .csv file; a .jsonl recording (either may end in .gz)."),
    ],
    broker: BrokerUrl = LOCAL_BROKER,
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
    qos: QoS = 1,
    username: Username = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
) -> None:
    """Publish a test stream or a recording: as fast as the broker takes it, or at --rate, or at --speed.

    Examples: `streamer replay waterflow --topic plant/flow --speed 3600`,
    `streamer replay data.csv --column OT --time-column date --topic lab/ot --rate 100`.
    """
    from streamer.config.loader import broker as broker_of
    from streamer.observe import logs
    from streamer.tools.replay.live import replay_to
    from streamer.tools.replay.play import Form, Pace, Summary
    from streamer.tools.replay.sources import SourceOptions, open_source

    logs.configure("text", "info")
    mqtt = broker_of(mqtt_section(broker, username, password_file, ca_file) | {"client_id": f"replay-{os.getpid()}"})
    options = SourceOptions(tuple(column or ()), time_column, interval, seed=seed, loop=loop)
    samples = islice(open_source(source, options), count)

    def progress(summary: Summary) -> None:
        typer.echo(f"\r{summary.samples} samples, {summary.seconds:.0f} s", nl=False, err=True)

    done = asyncio.run(replay_to(mqtt, samples, Pace(rate, speed), Form(topic, payload.value, qos), progress))
    typer.echo(f"\r{done.samples} samples published in {done.seconds:.1f} s", err=True)
