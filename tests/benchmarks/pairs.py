"""Two checkouts of this repository in, the cost of each stage of the fast lane in one over that in the other out.

`python -m tests.benchmarks.pairs ../before --pairs 5` runs the stages of the other checkout and of this one in turn, so
that a machine whose speed varies is as fast for both, and prints medians over the pairs.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

Table = dict[str, list[float]]
HERE = Path(__file__).parents[2]


def measured(checkout: Path, cell: str, batches: list[str]) -> Table:
    """Microseconds per sample by stage, a figure for each batch size."""
    asked = [sys.executable, "-m", "tests.benchmarks.stages", "--cell", cell, "--batch", *batches]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    printed = subprocess.run(asked, cwd=checkout, env=environment, check=True, capture_output=True, text=True).stdout
    return table(printed)


def table(printed: str) -> Table:
    """The lines of `stages`, without the floors in brackets."""
    lines = (re.sub(r"\(.*?\)", "", line).split() for line in printed.splitlines())
    return {words[0]: [*map(float, words[1:])] for words in lines if words[1:] and all(map(is_number, words[1:]))}


def is_number(word: str) -> bool:
    return bool(re.fullmatch(r"\d+(\.\d+)?", word))


def ratios(pairs: list[tuple[Table, Table]]) -> dict[str, list[str]]:
    """Median cost now, and in brackets the median of its ratios to that of before, where there was the stage."""
    found = {}
    for name, row in pairs[0][1].items():
        cells = []
        for i in range(len(row)):
            now = statistics.median(after[name][i] for _, after in pairs)
            both = [after[name][i] / before[name][i] for before, after in pairs if name in before]
            cells.append(f"{now:.2f}" + (f" ({statistics.median(both):.2f})" if both else ""))
        found[name] = cells
    return found


def main() -> None:
    """A line per stage, a column per batch size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--cell", default="rnn")
    parser.add_argument("--batch", nargs="+", default=["64", "256", "1000"])
    given = parser.parse_args()
    pairs = []
    for _ in range(given.pairs):
        before, after = (measured(one.resolve(), given.cell, given.batch) for one in (given.before, HERE))
        pairs.append((before, after))
    print("stage     " + "".join(f"{f'batch {b}':>18}" for b in given.batch))
    for name, cells in ratios(pairs).items():
        print(f"{name:10}" + "".join(f"{cell:>18}" for cell in cells))


if __name__ == "__main__":
    main()
