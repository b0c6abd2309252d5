"""What bands cost: CPU of the daemon at saturation, QoS 0, with quantiles and without, in turn.

`python -m tests.benchmarks.bands --pairs 5`
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from streamer.records import CellName
from streamer.tools.bench.broker import broker
from streamer.tools.bench.clients import Site
from streamer.tools.bench.endtoend import Load, against, prepared, written

QUANTILES = [0.1, 0.9]


def saturated(series: int, cell: CellName, seconds: float, quantiles: list[float]) -> float:
    """Microseconds of CPU per sample of a daemon with these quantiles."""
    with tempfile.TemporaryDirectory(prefix="streamer-bench-") as folder, broker(Path(folder)) as there:
        site, place = Site(there.url, there.protocol, 0, series), Path(folder)
        document = prepared(place, there, site, cell)
        document["streams"][0]["publish"]["quantiles"] = quantiles
        command = [sys.executable, "-m", "streamer", "run", str(written(place, document))]
        row, *_ = against(command, place, site, Load(2.0, seconds, seconds, shares=()), lambda _: None)
    return float(row["cpu_us"])


def main() -> None:
    """A line per pair, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--cell", choices=["rnn", "gru", "lstm"], default="rnn")
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    pairs = []
    for _ in range(given.pairs):
        without, both = (saturated(given.series, given.cell, given.seconds, some) for some in ([], QUANTILES))
        pairs.append((without, both))
        print(f"without {without:.1f} µs, with {both:.1f} µs: {both / without:.2f}", flush=True)
    medians = [statistics.median(column) for column in zip(*pairs, strict=True)]
    ratio = statistics.median(both / without for without, both in pairs)
    print(f"medians {medians[0]:.1f} µs, {medians[1]:.1f} µs: {ratio:.2f}")


if __name__ == "__main__":
    main()
