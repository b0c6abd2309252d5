"""The stages of `streamer bench` for several cells and any batch sizes; README.md says how to read it.

`python -m tests.benchmarks.stages --cell rnn --series 1000 --batch 1 64 256 1024`
"""

import argparse
from typing import get_args

from streamer.records import CellName
from streamer.tools.bench import subject
from streamer.tools.bench.stages import BATCHES, costs


def report(cell: CellName, rows: int, batches: list[int], rounds: int) -> None:
    """A line per stage, a column per batch size: microseconds per sample, in brackets the floor."""
    found = costs(subject.stream(rows, cell), batches, rounds)
    first = next(iter(found.values()))
    print(f"\n{cell}, {rows} series, {first.held:.0f} bytes of arrays per series; µs of CPU per sample (floor)")
    print("stage     " + "".join(f"{f'batch {b}':>18}" for b in found))
    for name in first.stages:
        cells = [
            f"{one.stages[name]:.2f}" + (f" ({one.floors[name]:.2f})" if name in one.floors else "")
            for one in found.values()
        ]
        print(f"{name:10}" + "".join(f"{cell:>18}" for cell in cells))
    print(f"{'sum':10}" + "".join(f"{one.sum:18.2f}" for one in found.values()))
    print("reference " + "".join(f"{one.reference:18.0f}" for one in found.values()))


def main() -> None:
    """The table of each cell asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cell", nargs="+", choices=get_args(CellName), default=["rnn", "gru", "lstm"])
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--batch", type=int, nargs="+", default=list(BATCHES))
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    for cell in given.cell:
        report(cell, given.series, given.batch, given.rounds)


if __name__ == "__main__":
    main()
