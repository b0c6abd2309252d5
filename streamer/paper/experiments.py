"""Runs the study part by part; the result of each part is stored before the next part begins."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from streamer.paper import recursion, speed, tuning
from streamer.paper.bench import Bench, Notify
from streamer.paper.gated import gated
from streamer.paper.grid import Group, Study
from streamer.paper.store import Store

TUNING_COST = 0.3
"""Cost of tuning networks in all ways, as a share of the cost of training them."""
CELL_COST = 4.0
"""Cost of training a gated network alone, relative to a vanilla one in a stack."""


@dataclass(frozen=True, slots=True)
class Part:
    """One entry of the results: its name, its cost in units of the progress bar, and the function that computes it."""

    name: str
    cost: float
    find: Callable[[Notify], Any]


def parts(bench: Bench) -> Iterator[Part]:
    """All parts of the study; later parts read weights that earlier ones stored."""
    study = bench.study
    groups = {group.name: group for group in study.groups()}
    unit = groups["k 1"].cost / len(groups["k 1"].members)
    yield Part("limit", unit / 10, bench.bounds)
    yield Part("first tries", unit / 2, bench.first_tries)
    yield Part("speed", unit / 2, lambda _: speed.compare(bench.taught))
    least = [group for group in groups.values() if group.members[0].n == study.n[0]]
    for group in least:
        yield Part(group.name, group.cost, partial(bench.learn, group))
    yield Part("recursions", unit, lambda _: recursions(bench, groups["k 1"]))
    pairs = [group for group in least if group.members[0].kind == "traditional" and not group.members[0].share]
    cost = TUNING_COST * sum(group.cost for group in pairs)
    yield Part("equation 13", cost, lambda notify: tuning.study(bench, pairs, notify))
    for cell in study.cells:
        for seed in study.seeds:
            yield Part(f"{cell} {seed}", CELL_COST * unit, partial(gated, bench, cell, seed))
    for group in groups.values():
        if group not in least:
            yield Part(group.name, group.cost, partial(bench.learn, group))


def recursions(bench: Bench, group: Group) -> dict[str, Any]:
    """The three recursions on the m-to-1 networks; only networks trained from zero count, as the test starts there."""
    found = recursion.compare(bench.stack(group), bench.rows(group.members), bench.tests)
    for some in found.values():
        some["errors"] = [row for row, member in zip(some["errors"], group.members, strict=True) if not member.share]
    return found


def reproduce(study: Study, folder: Path, device: torch.device, console: Console) -> Bench:
    """Run every part of the study that the folder does not hold yet, and return the bench.

    Raises StateError if the folder holds another study.
    """
    store = Store.open(folder, asdict(study))
    bench = Bench.of(study, store, device)
    every = list(parts(bench))
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, speed_estimate_period=600) as progress:
        missing = [part for part in every if part.name not in store.results]
        bar = progress.add_task("", total=sum(part.cost for part in missing))
        for part in missing:
            progress.update(bar, description=part.name)
            begun = progress.tasks[0].completed
            store.keep(part.name, part.find(partial(advance, progress, bar, begun, part.cost)))
            advance(progress, bar, begun, part.cost, 1.0)
    return bench


def advance(progress: Progress, bar: TaskID, begun: float, cost: float, share: float) -> None:
    """Move the bar to a share of the part that began at `begun`."""
    progress.update(bar, completed=begun + share * cost)
