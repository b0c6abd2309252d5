"""`streamer reproduce`: runs the study, draws its figures and writes its summary, in one folder."""

from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from streamer.errors import StartError
from streamer.paper import report
from streamer.paper.experiments import reproduce
from streamer.paper.figures import draw
from streamer.paper.grid import Study
from streamer.paper.grid import quick as quick_study
from streamer.paper.waves import Noise


def study(
    quick: bool, folder: Path, n: list[int] | None, seeds: int | None, noise: Noise, device: str | None
) -> list[Path]:
    """Run the parts of the study that the folder lacks, and return the paths of all files written.

    Raises StateError if the folder holds another study, StartError if the device is not available.
    """
    chosen = replace(quick_study() if quick else Study(), noise=noise)
    if n:
        chosen = replace(chosen, n=tuple(n))
    if seeds is not None:
        chosen = replace(chosen, seeds=tuple(range(seeds)))
    return run(chosen, folder, on(device))


def on(device: str | None) -> torch.device:
    """The given device, or else a GPU if there is one.

    Raises StartError if the device is not available.
    """
    try:
        found = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError) as error:
        raise StartError(f"device {device}: {str(error).splitlines()[0]}") from error
    return found


def run(chosen: Study, folder: Path, device: torch.device) -> list[Path]:
    """Run a study; return the paths of its results, figures and summary."""
    bench = reproduce(chosen, folder, device, Console(stderr=True))
    return [bench.store.path, *draw(bench, folder), report.write(bench.store, chosen)]
