"""What users type: arguments parsed, errors in one line, exit codes of sysexits.h.

One file per command, and one line in COMMANDS. A file imports at its top only what parsing the arguments needs.
Everything that does the work is imported inside the command, because torch alone takes seconds, and `--help` and a
mistyped option should answer at once.
"""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from streamer.cli import (
    backtest,
    bench,
    check,
    demo,
    export,
    forget,
    import_,
    inspect,
    plot,
    purge,
    record,
    rename,
    replay,
    reproduce,
    run,
    schema,
    study,
)
from streamer.errors import StreamerError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Forecast live sensor series: MQTT in, forecasts out, errors to Prometheus.\n\n"
    "Start with `streamer demo`. For your own broker, copy configs/minimal.yaml, `streamer check` it, then `run` it.",
)

COMMANDS: tuple[Callable[..., None], ...] = (
    run.run,
    check.check,
    schema.schema,
    demo.demo,
    replay.replay,
    record.record,
    backtest.backtest,
    import_.import_,
    export.export,
    bench.bench,
    inspect.inspect,
    plot.plot,
    forget.forget,
    rename.rename,
    purge.purge,
    reproduce.reproduce,
    study.study,
)
"""In the order of `--help`."""

for command in COMMANDS:
    app.command(command.__name__.removesuffix("_"))(command)


def print_version(wanted: bool) -> None:
    """Print it and end, where it is asked for."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"streamer {version('streamer')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What may stand before any command; the help is that of `app`."""


def main() -> None:
    """Run the command line; a known error becomes a line (or a list) on standard error and an exit code of its own."""
    try:
        app(standalone_mode=True)
    except StreamerError as error:
        sys.stderr.write(f"streamer: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
