"""`streamer reproduce`: the paper's experiments, repeated."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from streamer.errors import StartError


class NoiseName(StrEnum):
    """Distribution of the waves' noise."""

    gaussian = "gaussian"
    uniform = "uniform"


def reproduce(
    quick: Annotated[
        bool, typer.Option("--quick", help="One n, three ratios, two seeds: minutes on two cores.")
    ] = False,
    out: Annotated[
        Path, typer.Option(help="Folder for figures, results and summary. Results already there are kept.")
    ] = Path("reproduction"),
    n: Annotated[
        list[int] | None,
        typer.Option("--n", min=10, help="Number of neurons, instead of 50, 100 and 220. May be repeated."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of repetitions, each with its own noise and weights.")
    ] = None,
    noise: Annotated[NoiseName, typer.Option(help="Distribution of the waves' noise.")] = NoiseName.gaussian,
    device: Annotated[str | None, typer.Option(help="cpu or cuda. Default: a GPU if there is one.")] = None,
) -> None:
    """Repeat the paper's experiments and some beyond it: figures, results.json and a one-page SUMMARY.md.

    A study that was stopped continues when started again with the same options. It needs the extra `paper`:
    `pip install 'streamer[paper]'`.
    """
    try:
        from streamer.paper.study import study
    except ModuleNotFoundError as error:
        library = (error.name or str(error)).split(".")[0]
        raise StartError(f"{library} is missing: pip install 'streamer[paper]'") from error
    for path in study(quick, out, n, seeds, noise.value, device):
        typer.echo(path)
