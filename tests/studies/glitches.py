"""Real series with wild readings in, the errors of what is published relative to an undisturbed twin's out.

Each data set is run once, with one column per fault beside the clean one, all series of their own; the fault comes
after 40 % of the data. Errors are those of the 1,000 forecasts from the first clean sample on, to the clean truth.
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
FOLLOWED = 1000


@dataclass(frozen=True, slots=True)
class Disturbed(Data):
    """Copies of one series, the clean one first; `first` is the position of the first clean sample after the fault."""

    first: int

    @property
    def origins(self) -> Ints:
        return np.arange(self.first, len(self.x) - self.spec.horizon)


def disturb(data: Data) -> Disturbed:
    """The first series of a data set, and a copy of it for each fault."""
    x = data.x[:, 0]
    at = data.start + np.flatnonzero(~np.isnan(x[data.start :]))
    first = int(at[max(COUNTS)])
    columns, names = [x], ["clean"]
    for count in COUNTS:
        for i, wild in enumerate(WILD):
            copy = x.copy()
            copy[at[max(COUNTS) - count : max(COUNTS)]] = wild
            columns.append(copy)
            names.append(f"{count}-{i}")
    until = first + FOLLOWED + data.spec.horizon
    return Disturbed(data.name, data.spec, tuple(names), data.time[:until], np.stack(columns, 1)[:until], first)


def errors(data: Disturbed) -> Floats:
    """Mean absolute errors of what is published, [series, 2]: over all leads, and at lead 1."""
    published = run(data, Plan("none", frozenset(KINDS)), lambda _: None).by_model["published"]
    off = np.abs(published - data.x[:, 0][ahead(data.origins, data.spec.horizon)])
    return np.stack([np.nanmean(off, (1, 2)), np.nanmean(off[:, :, 0], 1)], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data (%(default)s)")
    parser.add_argument("--series", nargs="+", choices=SETS, default=SETS, help="data sets (all)")
    asked = parser.parse_args()
    print("Error relative to an undisturbed twin, all leads / lead 1, with 1 and with 3 wild readings")
    for name in asked.series:
        clean, *found = errors(disturb(load(asked.data, name)))
        for i, wild in enumerate(WILD):
            shown = (f"{a:.3f} / {b:.3f}" for a, b in (found[i] / clean, found[i + len(WILD)] / clean))
            print(f"{name:14} {wild:8g}   {'   '.join(shown)}")


if __name__ == "__main__":
    main()
