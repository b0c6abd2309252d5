"""`streamer reproduce`: the study run, drawn and written up in one folder."""

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
    """Run what the folder lacks of the study; the paths of all that was written.

    Raises StateError where the folder holds another study, StartError where the device cannot be had.
    """
    chosen = replace(quick_study() if quick else Study(), noise=noise)
    if n:
        chosen = replace(chosen, n=tuple(n))
    if seeds is not None:
        chosen = replace(chosen, seeds=tuple(range(seeds)))
    return run(chosen, folder, on(device))


def on(device: str | None) -> torch.device:
    """The device asked for, or a GPU where there is one.

    Raises StartError where it cannot be had.
    """
    try:
        found = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError) as error:
        raise StartError(f"device {device}: {str(error).splitlines()[0]}") from error
    return found


def run(chosen: Study, folder: Path, device: torch.device) -> list[Path]:
    """Results, figures and summary of a study."""
    bench = reproduce(chosen, folder, device, Console(stderr=True))
    return [bench.store.path, *draw(bench, folder), report.write(bench.store, chosen)]
