"""`streamer study`: networks beside those of the daemon, and what cells remember."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from streamer.errors import StartError
from streamer.study.registry import STUDIES

LIST = "\n\n".join(f"`{name}`: {entry.asks}" for name, entry in STUDIES.items())


def study(
    name: Annotated[str, typer.Argument(metavar="NAME", help=f"{', '.join(STUDIES)}, or all.")],
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, one seed: all of them in minutes.")] = False,
    seeds: Annotated[int | None, typer.Option(min=1, help="Repetitions, each with its own data and weights.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Measure only what has this in its name. May be repeated.")
    ] = None,
    csv: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Series to forecast too: the first column is the time, the last the value."),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for tables and results. What was measured already is not measured again.")
    ] = Path("studies"),
    png: Annotated[bool, typer.Option("--png", help="Draw pictures too: pip install 'streamer[study]'.")] = False,
) -> None:
    """placeholder"""
    if name != "all" and name not in STUDIES:
        raise typer.BadParameter(f"there is no {name}; there are all, {', '.join(STUDIES)}")
    names = [one for one, entry in STUDIES.items() if name == one or (name == "all" and not entry.missing)]
    needed = [STUDIES[one].needs for one in names] + (["matplotlib"] if png else [])
    for library in filter(None, needed):
        if find_spec(library) is None:
            raise StartError(f"{library} is missing: pip install 'streamer[study]'")
    for entry in STUDIES.values() if name == "all" else ():
        if entry.missing:
            typer.echo(f"{entry.module} is left out: pip install 'streamer[study]'", err=True)
    from streamer.study.run import Wish, run

    for path in run(names, Wish(quick, seeds, only or (), csv or (), out, png), typer.echo):
        typer.echo(path)


study.__doc__ = f"""Train networks that the daemon does not run, and test what its cells remember; one study each:

{LIST}

Each prints a table, and writes it with all results to a folder of its own. A study that was stopped continues when
started again with the same options. streamer/study/README.md has the tables, and what follows from them.
"""
