"""What users type: arguments parsed, errors in one line, exit codes of sysexits.h."""

import asyncio
import json
import logging
import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from streamer.errors import StartError, StreamerError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Forecast live sensor series: MQTT in, forecasts out, errors to Prometheus.\n\n"
    "Start with `streamer demo`. For your own broker: copy configs/minimal.yaml, `streamer check` it, then `run` it.",
)

log = logging.getLogger("streamer")


class LogFormat(StrEnum):
    """How a log line looks."""

    text = "text"
    json = "json"


class LogLevel(StrEnum):
    """The least that is logged."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


class PayloadStyle(StrEnum):
    """How a replayed sample is written."""

    json = "json"
    number = "number"


class NoiseName(StrEnum):
    """Distribution of the waves' noise."""

    gaussian = "gaussian"
    uniform = "uniform"


class Cell(StrEnum):
    """Recurrent cell of the networks."""

    rnn = "rnn"
    gru = "gru"
    lstm = "lstm"


ConfigPath = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="YAML file; configs/reference.yaml shows every key.")
]
Format = Annotated[LogFormat, typer.Option(help="text for people, json for log collectors.")]
Level = Annotated[LogLevel, typer.Option(help="The least that is logged.")]


@app.command()
def run(config: ConfigPath, log_format: Format = LogFormat.text, log_level: Level = LogLevel.info) -> None:
    """Forecast until SIGTERM or Ctrl-C; SIGHUP reads streams and training anew from CONFIG.

    Any key outside streams can be overridden by the environment: STREAMER_MQTT__PASSWORD for mqtt.password.
    Exit codes: 0 stopped, 78 bad configuration, 69 a port cannot be had, 73 the state cannot be written.
    """
    from streamer.config.loader import load
    from streamer.observe import logs

    # Until the daemon takes over: its imports take seconds.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logs.configure(log_format.value, log_level.value)
    parsed = load(config)
    from streamer.app import run as run_daemon

    asyncio.run(run_daemon(parsed, config))


@app.command()
def check(config: ConfigPath) -> None:
    """Check a configuration without connecting, and print it whole: defaults filled in, secrets masked.

    Every problem is listed at once, by dotted path; exit code 78 if there is any.
    """
    from streamer.config.loader import load

    parsed = load(config)
    typer.echo(json.dumps(parsed.model_dump(mode="json"), indent=2))
    typer.echo(f"{config}: good", err=True)
    for key, path in parsed.mqtt.files():
        if not path.exists():
            typer.echo(f"{config}: mqtt.{key}: there is no {path} on this machine; run needs it", err=True)


@app.command()
def schema(
    reference: Annotated[bool, typer.Option("--reference", help="Print configs/reference.yaml instead.")] = False,
) -> None:
    """Print the JSON Schema of the configuration, so that an editor completes and checks it.

    With the YAML extension of VS Code: `streamer schema > streamer.schema.json`, and as the first line of the file
    `# yaml-language-server: $schema=streamer.schema.json`.
    """
    from streamer import config
    from streamer.config import loader

    typer.echo(loader.reference().rstrip() if reference else json.dumps(config.schema(), indent=2))


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def backtest(
    config: ConfigPath,
    source: Annotated[str, typer.Argument(metavar="FILE", help="A recording (.jsonl), or a .csv file with --topic.")],
    topic: Annotated[list[str] | None, typer.Option(help="Topic of each --column of a CSV file, in its order.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="CSV column by name or position, a series each.")] = None,
    time_column: Annotated[str | None, typer.Option(help="CSV column of the time.")] = None,
    models: Annotated[
        Path | None, typer.Option(metavar="STATE", help="Train nothing: take a live run's networks from its state.")
    ] = None,
    forecasts: Annotated[Path | None, typer.Option(help="Write the forecasts here, as a recording.")] = None,
    series: Annotated[int, typer.Option(min=0, help="Series of a stream to list at most, the worst first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="The whole result as JSON instead of a table.")] = False,
) -> None:
    """Run a recording through the whole daemon offline, and print the errors by series, model and lead.

    Trainings happen in event time, so two runs are the same. Skill is 1 - RMSE / RMSE of persistence: above 0 is better
    than "nothing will change". Messages go on the topics of the recording; a CSV file makes a JSON message of time
    and value for each column:
    `streamer backtest lab.yaml ETTh1.csv --time-column date --column OT --topic lab/oil --column HUFL --topic lab/load`
    """
    from streamer.config.loader import load
    from streamer.observe import logs
    from streamer.tools.backtest.report import result, show
    from streamer.tools.backtest.run import backtest as run_all
    from streamer.tools.backtest.run import messages
    from streamer.tools.replay.sources import SourceOptions, open_source

    logs.configure("text", "warning")
    parsed = load(config)
    samples = open_source(source, SourceOptions(tuple(column or ()), time_column))

    def progress(count: int, training: str) -> None:
        typer.echo(f"\r{count} messages{f', training {training}' if training else '':40}", nl=False, err=True)

    done = run_all(parsed, messages(samples, topic or ()), models, forecasts, progress)
    typer.echo("", err=True)
    found = result(done)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        show(found, series)


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Shorter loads and fewer series: within a minute.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PART", help="end-to-end, stages, sizes, memory or training; may be repeated."),
    ] = None,
    cell: Annotated[Cell, typer.Option(help="Cell of the networks.")] = Cell.lstm,
    series: Annotated[int, typer.Option(min=1, help="Series that samples come from.")] = 1000,
    as_json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all figures here, and what machine it was.")
    ] = None,
    compare: Annotated[Path | None, typer.Option(metavar="FILE", help="Show ratios to an earlier --json file.")] = None,
) -> None:
    """Measure what this machine holds: the daemon behind a broker, its stages, its memory, a retraining.

    End to end, a daemon of its own runs with random networks behind mosquitto where that is installed, else behind the
    embedded broker. Other work on the machine shows in every figure; ratios within one run are the most that one can
    trust then: `streamer bench --json before.json`, and later `streamer bench --compare before.json`.
    """
    from streamer.observe import logs
    from streamer.tools.bench.part import Settings
    from streamer.tools.bench.run import bench as measure

    logs.configure("text", "error")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # daemon, broker and clients end with it
    measure(Settings(series, cell.value, quick), only or (), as_json, compare)


@app.command()
def inspect(
    state: Annotated[
        Path, typer.Argument(metavar="STATE", help="Directory that state.path of the configuration names.")
    ],
    series: Annotated[int, typer.Option(min=0, help="Series to list at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as one JSON document.")] = False,
) -> None:
    """Show what a state directory holds: series, samples, networks and their errors, snapshots, ages and sizes.

    It only reads, and may run beside the daemon. Exit code 73 where there is no state.
    """
    from streamer.tools.inspect import show

    show(state, series, as_json)


@app.command()
def reproduce(
    quick: Annotated[
        bool, typer.Option("--quick", help="One n, three ratios, two seeds: minutes on two cores.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder of figures, results and summary; what it holds is kept.")] = Path(
        "reproduction"
    ),
    n: Annotated[list[int] | None, typer.Option("--n", min=10, help="Neurons, instead of 50, 100 and 220.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Repetitions with noise and weights of their own.")] = None,
    noise: Annotated[NoiseName, typer.Option(help="Distribution of the waves' noise.")] = NoiseName.gaussian,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; by default a GPU where there is one.")] = None,
) -> None:
    """Repeat the paper's experiments, and what goes beyond them: figures, results.json and a one-page SUMMARY.md.

    Stopped, it goes on where it was when started again with the same options. It needs the extra `paper`:
    `pip install 'streamer[paper]'`.
    """
    try:
        from streamer.paper.study import study
    except ModuleNotFoundError as error:
        library = (error.name or str(error)).split(".")[0]
        raise StartError(f"{library} is missing: pip install 'streamer[paper]'") from error
    for path in study(quick, out, n, seeds, noise.value, device):
        typer.echo(path)


def main() -> None:
    """The command line; a known error is one line (or a list of problems) on standard error and its exit code."""
    try:
        app(standalone_mode=True)
    except StreamerError as error:
        sys.stderr.write(f"streamer: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
