"""Real series with faults in, the errors of what is published relative to an undisturbed twin's out.

Wild readings first, with one column per fault beside the clean one, all series of their own. They come after 40 % of
the data, or after some of the first samples, once also at a level of 1e8. Then, after 40 % of the data, a sensor that
stands at 0, or at its newest value, for a day; a step of 20 mean deviations; and the series summed up, as a counter
that resets. Errors are those of the 1,000 forecasts from the first clean sample on, and after longer faults also
without the first 5 of them.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamer.models import KINDS
from streamer.records import Floats, Ints
from tests.studies.accuracy.daemon import Plan, run
from tests.studies.accuracy.datasets import Data, filled, load

SETS = ("traffic_i94", "glucose_cgm", "pv_serf", "soil_moisture")
WILD = (6553.5, 85.0, 1e6, -1e30, 0.0)
COUNTS = (1, 3)
PLACES = (0, 1, 5, 15, None)
"""Samples before the fault; None for 40 % of the data."""
HIGH = 1e8
FOLLOWED = 1000
SETTLED = 5
"""Samples after which a step must have been followed."""
TWINS = {"stuck at 0": "clean", "stuck": "clean", "step": "clean", "reset": "counter"}
"""The twin of each longer fault."""


@dataclass(frozen=True, slots=True)
class Disturbed(Data):
    """Copies of one series; after: [s] position of the first clean sample after the fault."""

    after: Ints

    @property
    def origins(self) -> Ints:
        return np.arange(self.after[0], len(self.x) - self.spec.horizon)


def disturb(data: Data, place: int | None, level: float) -> Disturbed:
    """The first series of a data set raised by a level, and a copy of it for each fault, after so many samples."""
    x = data.x[:, 0] + level
    at = np.flatnonzero(~np.isnan(x))
    begin = int(np.searchsorted(at, data.start)) if place is None else place
    columns, names, after = [x], ["clean"], [at[begin]]
    for count in COUNTS:
        for i, wild in enumerate(WILD):
            copy = x.copy()
            copy[at[begin : begin + count]] = wild
            columns.append(copy)
            names.append(f"{count}-{i}")
            after.append(at[begin + count])
    until = int(after[-1]) + FOLLOWED + data.spec.horizon
    values = np.stack(columns, 1)[:until]
    return Disturbed(data.name, data.spec, tuple(names), data.time[:until], values, np.array(after))


def disturb_long(data: Data) -> Disturbed:
    """The first series of a data set, the same as a counter, and a copy for each longer fault."""
    x = data.x[:, 0]
    begin, day = data.start, data.spec.day or 100
    first = begin + day + int(np.argmin(np.isnan(x[begin + day :])))
    known = ~np.isnan(x)
    counter = np.where(known, np.cumsum(np.where(known, np.abs(x), 0)) + 1000 * np.nanmean(np.abs(x)), np.nan)
    columns = {"clean": x, "counter": counter}
    for name, value in (("stuck at 0", 0.0), ("stuck", filled(x)[begin])):
        columns[name] = np.where(known & (np.arange(len(x)) >= begin) & (np.arange(len(x)) < first), value, x)
    after = np.arange(len(x)) >= first
    deviation = np.nanmean(np.abs(x[:begin] - np.nanmean(x[:begin])))
    columns["step"] = x + after * 20 * deviation
    columns["reset"] = counter - after * counter[first]
    until = first + FOLLOWED + data.spec.horizon
    every = np.array([*columns.values()]).T[:until]
    return Disturbed(data.name, data.spec, tuple(columns), data.time[:until], every, np.full(len(columns), first))


def published(data: Disturbed) -> Floats:
    """Absolute errors of what is published to the truth of each series, [series, origins, h]."""
    said = run(data, Plan("none", frozenset(KINDS)), lambda _: None).by_model["published"]
    off: Floats = np.abs(said - data.truth)
    return off


def errors(off: Floats) -> Floats:
    """Mean absolute errors [series, 2]: over all leads, and at lead 1."""
    return np.stack([np.nanmean(off, (1, 2)), np.nanmean(off[:, :, 0], 1)], 1)


def ratios(data: Disturbed) -> Floats:
    """Errors of each copy over those of the first at the same origins, after its own fault, [faults, 2]."""
    off, found = published(data), []
    for i, begin in enumerate(data.after - data.after[0]):
        one, clean = errors(off[[i, 0], begin : begin + FOLLOWED])
        found.append(one / clean)
    return np.array(found[1:])


def wild(data: Data) -> Iterator[str]:
    """The table of wild readings, by the samples before them."""
    for place, level in (*((place, 0.0) for place in PLACES), (0, HIGH)):
        found = ratios(disturb(data, place, level))
        where = "40 %" if place is None else f"{place}, at {level:g}" if level else str(place)
        for i, value in enumerate(WILD):
            shown = (f"{a:.3f} / {b:.3f}" for a, b in (found[i], found[i + len(WILD)]))
            yield f"{data.name:14} {where:>10} {value:10g}   {'   '.join(shown)}"


def long(data: Data) -> Iterator[str]:
    """The table of longer faults: from the first clean sample on, and from the sixth on."""
    disturbed = disturb_long(data)
    off = published(disturbed)
    every, settled = errors(off), errors(off[:, SETTLED:])
    at = {name: i for i, name in enumerate(disturbed.names)}
    for name, twin in TWINS.items():
        shown = (f"{a:.3f} / {b:.3f}" for a, b in (one[at[name]] / one[at[twin]] for one in (every, settled)))
        yield f"{data.name:14} {name:>10}   {'   '.join(shown)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data (%(default)s)")
    parser.add_argument("--series", nargs="+", choices=SETS, default=SETS, help="data sets (all)")
    asked = parser.parse_args()
    print("Error relative to an undisturbed twin, all leads / lead 1, with 1 and with 3 wild readings")
    for name in asked.series:
        print(*wild(load(asked.data, name)), sep="\n", flush=True)
    print(f"\nThe same after a longer fault: from the first sample on, and without the first {SETTLED}")
    for name in asked.series:
        print(*long(load(asked.data, name)), sep="\n", flush=True)


if __name__ == "__main__":
    main()
