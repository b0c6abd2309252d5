"""The daemon beside what one would use instead, end to end in one run: `python -m tests.benchmarks.peers --qos 0 1`.

README.md says what each does and what it leaves out.
"""

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import get_args

from streamer.records import CellName
from streamer.tools.bench.broker import broker
from streamer.tools.bench.clients import Site
from streamer.tools.bench.endtoend import Load, against, daemon
from streamer.tools.bench.machine import describe, warning
from streamer.tools.bench.report import number
from streamer.tools.bench.section import Row

PEERS = {
    "straightforward": "aiomqtt",
    "SNARIMAX(12)": "river",
    "HoltWinters": "river",
    "AutoETS": "statsforecast",
}
"""Name -> the package that it cannot do without."""


def forecaster(peer: str, cell: CellName) -> str:
    """What tests.benchmarks.straightforward calls it."""
    return {"straightforward": cell, "SNARIMAX(12)": "snarimax", "HoltWinters": "holt-winters", "AutoETS": "ets"}[peer]


def missing(peer: str) -> str | None:
    """The package that is not installed, if one is not."""
    needed = ("aiomqtt", PEERS[peer])
    return next((name for name in needed if importlib.util.find_spec(name) is None), None)


def measured(peer: str, cell: CellName, qos: int, series: int, load: Load) -> list[Row]:
    """The rows of a peer behind a broker of its own."""
    with tempfile.TemporaryDirectory() as folder, broker(Path(folder)) as there:
        site = Site(there.url, there.protocol, qos, series)
        port = there.url.rpartition(":")[2]
        command = [sys.executable, "-m", "tests.benchmarks.straightforward", port, str(qos), forecaster(peer, cell)]
        return against(command, Path(folder), site, load, lambda _: None)


def lines(name: str, rows: list[Row], own: list[Row]) -> str:
    """A line of the table: saturation, and latency at the common rate; in brackets as multiples of the daemon's."""
    (full, slow), (ours, ours_slow) = rows, own
    pairs = [(full, ours, "rate"), (full, ours, "cpu_us"), (slow, ours_slow, "p50_ms"), (slow, ours_slow, "p99_ms")]
    figures = [f"{number(one[key])} ({one[key] / other[key]:.2g})" for one, other, key in pairs]
    return f"| {name} | {full['qos']} | " + " | ".join(figures) + f" | {sum(row['lost'] for row in rows)} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qos", type=int, nargs="+", choices=[0, 1], default=[0, 1])
    parser.add_argument("--cell", choices=get_args(CellName), default="lstm")
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--rate", type=float, default=200.0, help="samples per second at which latency is compared")
    given = parser.parse_args()
    load = Load(min(1.0, given.seconds), given.seconds, given.seconds, shares=(), rates=(given.rate,))
    print(warning(describe()) or "")
    latency = " | ".join(f"p{share} ms at {given.rate:g}/s" for share in (50, 99))
    print(f"| | QoS | samples/s at saturation | CPU µs per sample | {latency} | lost |")
    print("|---" * 7 + "|")
    for qos in given.qos:
        own = daemon(given.series, given.cell, qos, load, lambda _: None)
        print(lines("streamer", own, own), flush=True)
        for peer in PEERS:
            if package := missing(peer):
                print(f"| {peer} | {qos} | not measured: {package} is not installed |")
            else:
                print(lines(peer, measured(peer, given.cell, qos, given.series, load), own), flush=True)


if __name__ == "__main__":
    main()
