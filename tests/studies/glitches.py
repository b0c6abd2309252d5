"""Real series with wild readings in, the errors of what is published relative to an undisturbed twin's out.

Each data set is run once for each place of the fault, with one column per fault beside the clean one, all series of
their own. The fault comes after 40 % of the data, or after some of the first samples, once also at a level of 1e8.
Errors are those of the 1,000 forecasts from the first clean sample on, to the clean truth.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamer.models import KINDS
from streamer.records import Floats, Ints
from tests.studies.accuracy.daemon import Plan, run
from tests.studies.accuracy.datasets import Data, ahead, load

SETS = ("traffic_i94", "glucose_cgm", "pv_serf", "soil_moisture")
WILD = (6553.5, 85.0, 1e6, -1e30, 0.0)
COUNTS = (1, 3)
PLACES = (0, 1, 5, 15, None)
"""Samples before the fault; None for 40 % of the data."""
HIGH = 1e8
FOLLOWED = 1000


@dataclass(frozen=True, slots=True)
class Disturbed(Data):
    """Copies of one series, the clean one first; after: [s] position of the first clean sample after the fault."""

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


def ratios(data: Disturbed) -> Floats:
    """Mean absolute errors of what is published over the clean one's, [faults, 2]: over all leads, and at lead 1."""
    published = run(data, Plan("none", frozenset(KINDS)), lambda _: None).by_model["published"]
    off = np.abs(published - data.x[:, 0][ahead(data.origins, data.spec.horizon)])
    found = []
    for i, begin in enumerate(data.after - data.after[0]):
        one, clean = (off[j, begin : begin + FOLLOWED] for j in (i, 0))
        found.append([np.nanmean(one) / np.nanmean(clean), np.nanmean(one[:, 0]) / np.nanmean(clean[:, 0])])
    return np.array(found[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data (%(default)s)")
    parser.add_argument("--series", nargs="+", choices=SETS, default=SETS, help="data sets (all)")
    asked = parser.parse_args()
    print("Error relative to an undisturbed twin, all leads / lead 1, with 1 and with 3 wild readings")
    for name in asked.series:
        for place, level in (*((place, 0.0) for place in PLACES), (0, HIGH)):
            found = ratios(disturb(load(asked.data, name), place, level))
            where = "40 %" if place is None else f"{place}, level {level:g}"
            for i, wild in enumerate(WILD):
                shown = (f"{a:.3f} / {b:.3f}" for a, b in (found[i], found[i + len(WILD)]))
                print(f"{name:14} {where:>12} {wild:8g}   {'   '.join(shown)}", flush=True)


if __name__ == "__main__":
    main()
