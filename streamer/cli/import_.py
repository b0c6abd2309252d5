"""`streamer import`: history, before the daemon goes live."""

import signal
from typing import Annotated

import typer

from streamer.cli.options import Columns, ConfigPath, TimeColumn, Topics


def import_(
    config: ConfigPath,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A file, or an URL of Prometheus' query_range.")],
    topic: Topics = None,
    column: Columns = None,
    time_column: TimeColumn = None,
) -> None:
    """Import the past of series into the state of CONFIG, by the rules that live messages go by, and train on it.

    Stop the daemon first. SOURCE is a recording (.jsonl), a .csv file, line protocol (.lp), a .csv file that InfluxDB 2
    answered a query with, or what Prometheus' query_range answered: a .json file, or the URL that it is asked with. Of
    a topic only messages are taken that are newer than its newest sample, so an import that was stopped goes on when it
    is run again.

    Each column of a CSV file becomes messages of its topic:
    `streamer import lab.yaml ETTh1.csv --time-column date --column OT --topic lab/oil --column HUFL --topic lab/load`.
    Elsewhere one --topic names labels or tags: `streamer import home.yaml rooms.lp --topic 'home/{room}/{field}'`.
    """
    from streamer.config.loader import load
    from streamer.observe import logs
    from streamer.tools.history.bring import bring
    from streamer.tools.history.sources import Asked, history
    from streamer.tools.progress import progressing

    logs.configure("text", "warning")
    parsed = load(config)
    with progressing("read", None) as told:
        messages, total = history(source, Asked(topic or (), column or (), time_column), parsed, told)
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: asked.append(got))
    with progressing("messages", total) as told:
        done = bring(parsed, messages, told, lambda: bool(asked))
    typer.echo(f"{done.messages:,} messages read, {done.old:,} of them older than what is there")
    for stream, count_ in done.samples.items():
        refused = ", ".join(f"{reason} {n}" for reason, n in done.rejected[stream].items()) or "none"
        trained = ", ".join(f"{what} {n}" for what, n in done.trainings[stream].items()) or "none"
        typer.echo(f"{stream}: {count_:,} samples; rejected: {refused}; trainings: {trained}")
    if done.unrouted:
        typer.echo(f"{done.unrouted:,} messages were on topics that no stream selects")
    if done.stopped:
        typer.echo("Stopped. Run the same command to go on.")
