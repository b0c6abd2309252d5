"""`streamer replay`: samples of a source, published."""

import asyncio
import os
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from streamer.cli.options import LOCAL_BROKER, BrokerUrl, CaFile, PasswordFile, QoS, Username, mqtt_section


class PayloadStyle(StrEnum):
    """Payload of a replayed sample."""

    json = "json"
    number = "number"


def replay(
    source: Annotated[
        str,
        typer.Argument(
            help="sine, trapezoid, building, waterflow, a .csv file or a .jsonl recording; files may end in .gz."
        ),
    ],
    broker: BrokerUrl = LOCAL_BROKER,
    topic: Annotated[
        list[str] | None,
        typer.Option(help="Topic to publish on; repeat it for a topic for each --column. Recordings have their own."),
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Samples per second.")] = None,
    speed: Annotated[
        float | None, typer.Option(help="Speed relative to the samples' own times; 1 is real time.")
    ] = None,
    loop: Annotated[
        bool, typer.Option("--loop", help="Repeat for ever; the times continue from pass to pass.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many samples.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="CSV column, by name or position. Repeat it for samples of d > 1 elements.")
    ] = None,
    time_column: Annotated[
        str | None, typer.Option(help="CSV column of the time. Without it, samples are --interval apart.")
    ] = None,
    interval: Annotated[float, typer.Option(help="Seconds between samples that have no time of their own.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the waves' noise, or of the building.")] = 0,
    payload: Annotated[
        PayloadStyle, typer.Option(help='json: {"time": …, "value": …}. number: the bare value.')
    ] = PayloadStyle.json,
    qos: QoS = 1,
    username: Username = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
) -> None:
    """Publish test data, a CSV file or a recording: as fast as the broker takes it, or at --rate or --speed.

    Examples: `streamer replay waterflow --topic plant/flow --speed 3600`,
    `streamer replay data.csv --column OT --time-column date --topic lab/ot --rate 100`.
    """
    from streamer.config.loader import broker as broker_of
    from streamer.observe import logs
    from streamer.tools.progress import progressing
    from streamer.tools.replay.lines import count as lines
    from streamer.tools.replay.live import replay_to
    from streamer.tools.replay.play import Form, Pace
    from streamer.tools.replay.sources import SourceOptions, each_on_its_own, open_source

    logs.configure("text", "info")
    mqtt = broker_of(mqtt_section(broker, username, password_file, ca_file) | {"client_id": f"replay-{os.getpid()}"})
    options = SourceOptions(tuple(column or ()), time_column, interval, seed=seed, loop=loop)
    topics = topic or []
    samples = open_source(source, options)
    if len(topics) > 1:
        samples = each_on_its_own(samples, topics)
    samples = islice(samples, count)
    rows = None if loop else lines(Path(source))
    total = min(filter(None, (count, rows and rows * max(len(topics), 1))), default=None)
    with progressing("samples", total) as told:
        asked = replay_to(
            mqtt,
            samples,
            Pace(rate, speed),
            Form(topics[0] if topics else None, payload.value, qos),
            lambda summary: told(summary.samples, ""),
        )
        done = asyncio.run(asked)
    typer.echo(f"{done.samples} samples published in {done.seconds:.1f} s", err=True)
