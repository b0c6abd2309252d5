"""`streamer backtest`: a recording, run through the daemon offline."""

import json
from pathlib import Path
from typing import Annotated

import typer

from streamer.cli.options import Columns, ConfigPath, HistoryFile, TimeColumn, Topics


def backtest(
    config: ConfigPath,
    source: HistoryFile,
    topic: Topics = None,
    column: Columns = None,
    time_column: TimeColumn = None,
    models: Annotated[
        Path | None,
        typer.Option(metavar="STATE", help="Train nothing: use a live run's networks, from its state directory."),
    ] = None,
    forecasts: Annotated[
        Path | None, typer.Option(help="File to write the forecasts to, as a recording: .jsonl or .jsonl.gz.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="REPORT", help="File to write a page with charts to.")] = None,
    series: Annotated[int, typer.Option(min=0, help="Largest number of series listed per stream, worst first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON instead of tables.")] = False,
) -> None:
    """Run a recording through the whole daemon offline, and print the errors by series, model and lead.

    With --html they go to a page with charts instead, one file that needs no other.
    Trainings happen in event time, so that two runs give the same result. Skill is 1 - mean absolute error / that of
    persistence on the truths that both had predicted: above 0 is better than "nothing will change". A recording has
    topics of its own. Each column of a CSV file becomes JSON messages of time and value on its topic:
    `streamer backtest lab.yaml ETTh1.csv --time-column date --column OT --topic lab/oil --column HUFL --topic lab/load`
    """
    from streamer.config.loader import load
    from streamer.observe import logs
    from streamer.tools.backtest.page import page, write
    from streamer.tools.backtest.report import result, show
    from streamer.tools.backtest.run import backtest as run_all
    from streamer.tools.backtest.run import messages
    from streamer.tools.progress import progressing
    from streamer.tools.replay.lines import count
    from streamer.tools.replay.sources import SourceOptions, open_source

    logs.configure("text", "warning")
    parsed = load(config)
    samples = open_source(source, SourceOptions(tuple(column or ()), time_column))
    rows = count(Path(source))
    with progressing("messages", rows and rows * len(topic or [""])) as told:
        done = run_all(parsed, messages(samples, topic or ()), models, forecasts, told)
    found = result(done)
    if html is not None:
        write(html, page(found, series))
        typer.echo(f"report: {html}", err=True)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif html is None:
        show(found, series)
