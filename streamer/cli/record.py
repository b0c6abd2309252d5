"""`streamer record`: live messages, in a file."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from streamer.cli.options import LOCAL_BROKER, BrokerUrl, CaFile, PasswordFile, QoS, Username, mqtt_section


def record(
    topics: Annotated[list[str], typer.Option("--topics", "--topic", help="Topic filter. May be repeated.")],
    out: Annotated[Path, typer.Option(help="File to write: .jsonl, or .jsonl.gz to compress it.")],
    broker: BrokerUrl = LOCAL_BROKER,
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", min=0, help="Stop after this many seconds.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many messages.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    qos: QoS = 1,
    username: Username = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
) -> None:
    """Record live messages for `streamer replay` and `streamer backtest`, until SIGTERM or Ctrl-C.

    Each is recorded with its topic, payload, QoS, retain flag and time. Example:
    `streamer record --topics 'plant/#' --out plant.jsonl.gz --for 3600`.
    Exit codes: 0 stopped, 69 no broker, 73 file exists or cannot be written.
    """
    from streamer.config.loader import broker as broker_of
    from streamer.observe import logs
    from streamer.tools.replay.live import record_from
    from streamer.tools.replay.record import Limit, Recorded, Writer

    logs.configure("text", "info")
    mqtt = broker_of(mqtt_section(broker, username, password_file, ca_file) | {"client_id": "record", "qos": qos})

    def progress(summary: Recorded) -> None:
        typer.echo(f"\r{summary.messages} messages, {summary.seconds:.0f} s", nl=False, err=True)

    done = asyncio.run(record_from(mqtt, topics, Writer(out, force=force), Limit(count, seconds), progress))
    hint = "" if done.messages else "; is anything published on these topics, and may this user read them?"
    typer.echo(f"\r{done.messages} messages recorded in {done.seconds:.1f} s to {out}{hint}", err=True)
