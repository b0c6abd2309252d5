"""`streamer import`: history, before the daemon goes live."""

import signal
from pathlib import Path

import typer

from streamer.cli.options import Columns, ConfigPath, HistoryFile, TimeColumn, Topics


def import_(
    config: ConfigPath,
    source: HistoryFile,
    topic: Topics = None,
    column: Columns = None,
    time_column: TimeColumn = None,
) -> None:
    """Import the past of series into the state of CONFIG, by the rules that live messages go by, and train on it.

    Stop the daemon first. Of a topic only messages are taken that are newer than its newest sample, so an import that
    was stopped goes on when it is run again. Each column of a CSV file becomes messages of its topic:
    `streamer import lab.yaml ETTh1.csv --time-column date --column OT --topic lab/oil --column HUFL --topic lab/load`
    """
    from streamer.config.loader import load
    from streamer.errors import SourceError
    from streamer.observe import logs
    from streamer.tools.history.bring import bring
    from streamer.tools.history.table import messages
    from streamer.tools.progress import progressing
    from streamer.tools.replay.lines import count
    from streamer.tools.replay.sources import SourceOptions, open_source

    logs.configure("text", "warning")
    parsed = load(config)
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: asked.append(got))
    if source.endswith((".csv", ".csv.gz")) and time_column is None:
        raise SourceError(f"{source}: name the column of the time: --time-column")
    samples = open_source(source, SourceOptions(tuple(column or ()), time_column, gaps=True))
    rows = count(Path(source))
    with progressing("messages", rows and rows * len(topic or [""])) as told:
        done = bring(parsed, messages(samples, topic or (), parsed), told, lambda: bool(asked))
    typer.echo(f"{done.messages:,} messages read, {done.old:,} of them older than what is there")
    for stream, count_ in done.samples.items():
        refused = ", ".join(f"{reason} {n}" for reason, n in done.rejected[stream].items()) or "none"
        trained = ", ".join(f"{what} {n}" for what, n in done.trainings[stream].items()) or "none"
        typer.echo(f"{stream}: {count_:,} samples; rejected: {refused}; trainings: {trained}")
    if done.unrouted:
        typer.echo(f"{done.unrouted:,} messages were on topics that no stream selects")
    if done.stopped:
        typer.echo("Stopped. Run the same command to go on.")
