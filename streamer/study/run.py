"""Runs studies by name: tables on standard output, results, table and pictures in a folder for each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from streamer.paper.store import Store
from streamer.study.registry import STUDIES
from streamer.study.scope import Scope

QUICK_SEEDS, SEEDS = 1, 3


@dataclass(frozen=True, slots=True)
class Wish:
    """What was typed: sizes, number of seeds (None: the usual), names to measure, files of series, where to write, and
    whether to draw."""

    quick: bool
    seeds: int | None
    only: Sequence[str]
    csv: Sequence[Path]
    out: Path
    png: bool


def run(names: Sequence[str], wish: Wish, show: Callable[[str], None]) -> list[Path]:
    """Run these studies one after the other, `show` each table, and return the paths of all files.

    What the folder holds already is not measured again. Raises StateError if it holds results of other sizes or cannot
    be written.
    """
    torch.set_num_threads(1)  # networks this small are slower with more
    console, paths = Console(stderr=True), list[Path]()
    seeds = tuple(range(wish.seeds or (QUICK_SEEDS if wish.quick else SEEDS)))
    for name in names:
        folder = wish.out / name
        store = Store.open(folder, {"study": name, "quick": wish.quick})
        with console.status(name) as status:

            def say(text: str, name: str = name) -> None:
                status.update(f"{name}: {text}")
                console.print(f"{name}: {text}", markup=False, highlight=False)

            report = STUDIES[name].load()(Scope(wish.quick, seeds, store, say, wish.only, wish.csv))
        table = folder / "table.md"
        table.write_text(report.markdown(), encoding="utf-8")
        show(f"{name}\n\n{report.markdown()}")
        paths += [store.path, table, *(report.draw(folder) if wish.png else [])]
    return paths
