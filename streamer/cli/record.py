"""`streamer record`: live messages, in a file."""

import asyncio
import logging
import signal
from pathlib import Path
from typing import Annotated

import typer

log = logging.getLogger("streamer")


def record(
    topics: Annotated[list[str], typer.Option("--topics", "--topic", help="Topic filter; may be given again.")],
    out: Annotated[Path, typer.Option(help="File to write: .jsonl, or .jsonl.gz to pack it.")],
    broker: Annotated[str, typer.Option(help="mqtt://host[:port] or mqtts://host[:port].")] = "mqtt://localhost:1883",
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", min=0, help="Stop after this long.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many messages.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    qos: Annotated[int, typer.Option(min=0, max=1, help="Quality of service of the subscriptions.")] = 1,
    username: Annotated[str | None, typer.Option(help="User on the broker.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="File with the password.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="Authority of the broker's certificate, for mqtts://.")] = None,
) -> None:
    """Record live messages, for `streamer replay`, until SIGTERM or Ctrl-C: topic, payload, QoS, retain flag, time.

    Example: `streamer record --topics 'plant/#' --out plant.jsonl.gz --for 3600`. Exit codes: 0 stopped, 69 no broker,
    73 the file is there already or cannot be written.
    """
    from streamer.config.loader import broker as broker_of
    from streamer.observe import logs
    from streamer.tools.replay.record import Limit, Recorded, Writer
    from streamer.tools.replay.record import record as write

    logs.configure("text", "info")
    login = {"username": username, "password_file": password_file}
    mqtt = broker_of({"url": broker, **login, "tls": {"ca_file": ca_file}, "client_id": "record", "qos": qos})

    def progress(summary: Recorded) -> None:
        typer.echo(f"\r{summary.messages} messages, {summary.seconds:.0f} s", nl=False, err=True)

    async def record_all() -> Recorded:
        from streamer.mqtt.subscriber import Subscriber

        async with Subscriber(mqtt, topics) as subscriber:
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, subscriber.stop)
            with Writer(out, force=force) as writer:
                summary = await write(subscriber, writer, Limit(count, seconds), progress)
            if subscriber.dropped:
                log.warning("%d messages came faster than they could be written and are missing", subscriber.dropped)
            return summary

    done = asyncio.run(record_all())
    hint = "" if done.messages else "; is anything published on these topics, and may this user read them?"
    typer.echo(f"\r{done.messages} messages recorded in {done.seconds:.1f} s to {out}{hint}", err=True)
