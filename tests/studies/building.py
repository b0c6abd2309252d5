"""A simulated building, heated on workdays from 06:00, in; how well the daemon foresees the mornings, out.

Three weeks of samples every 300 s, from a Monday on, with a gap of three hours, an hour in which the sensor is stuck,
and one reading of 999. Scored are temperatures 40 ticks (3 h 20 min) ahead, of workdays from 06:00 to 09:00 in the
third week. Beside each building runs a twin without the 999, which tells what the reading costs.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from streamer.models import KINDS
from streamer.records import Floats, Ints
from streamer.tools.backtest.audit import PUBLISHED
from streamer.tools.replay.building import DAY, HOUR, Building
from tests.studies.accuracy.daemon import Plan, run
from tests.studies.accuracy.datasets import Data, Spec, ahead, filled

MONDAY = 1_767_571_200.0
"""2026-01-05 00:00 UTC."""
INTERVAL, DAYS = 300.0, 21
PER_DAY = round(DAY / INTERVAL)
SPEC = Spec(INTERVAL, stride=1, k=10, p=4, day=PER_DAY, week=7 * PER_DAY)
HORIZON = SPEC.horizon
GAP, STUCK = 36, 12
"""Ticks."""
WILD = 999.0
WHEN = {"no 999": None, "999 on day 3": 2.4, "999 on day 16": 15.4}
"""The twins: days after which the wild reading comes."""
OBVIOUS = "yesterday's tick"
"""What was measured one day before the very tick; the daemon's `yesterday` knows quarters of an hour."""
SPANS = {"within a horizon": (1, HORIZON), "then to a day": (HORIZON, PER_DAY), "then to 1,000": (PER_DAY, 1000)}
"""Samples after the wild reading."""


@dataclass(frozen=True, slots=True)
class Buildings(Data):
    """For each seed as many series as there are twins, in their order."""

    @property
    def origins(self) -> Ints:
        """Every tick: what the early reading does is looked at from the third day on."""
        return np.arange(PER_DAY, len(self.x) - HORIZON)

    @property
    def mornings(self) -> dict[str, NDArray[np.bool_]]:
        """Which origins have a target in a morning that counts; yesterday knows those of workdays after a workday."""
        since = self.time[self.origins + HORIZON] - MONDAY
        day, hour = since // DAY, since % DAY / HOUR
        workdays = (day >= 14) & (hour >= 6) & (hour < 9) & (day % 7 < 5)
        return {"Tuesday to Friday": workdays & (day % 7 > 0), "Monday": workdays & (day % 7 == 0)}


def buildings(seeds: Sequence[int]) -> Buildings:
    """One building for each seed, with its twins; gap and stuck hour come anywhere in the last two weeks."""
    time = np.linspace(MONDAY, MONDAY + DAYS * DAY, DAYS * PER_DAY, endpoint=False)
    columns, names, n = list[Floats](), list[str](), DAYS * PER_DAY
    for seed in seeds:
        x: Floats = np.array(list(islice(Building().stream(seed, INTERVAL, MONDAY), n)))
        gap, stuck = np.random.default_rng(1000 + seed).integers(n // 3, n - PER_DAY, 2)
        x[stuck : stuck + STUCK] = x[stuck]
        x[gap : gap + GAP] = np.nan
        for name, days in WHEN.items():
            twin = x.copy()
            if days is not None:
                twin[round(days * PER_DAY)] = WILD
            columns.append(twin)
            names.append(f"{seed} {name}")
    return Buildings("building", SPEC, tuple(names), time, np.array(columns).T)


def foreseen(data: Buildings, by_model: Mapping[str, NDArray[np.floating]]) -> dict[str, Floats]:
    """Mean absolute errors in the mornings, by model: [seeds, 2], of buildings without the wild reading, in °C."""
    clean = data.x[:, :: len(WHEN)].T
    truth = clean[:, data.origins + HORIZON]
    said = {name: one[:: len(WHEN), :, -1] for name, one in by_model.items()}
    said[OBVIOUS] = np.array([filled(x)[data.origins + HORIZON - PER_DAY] for x in clean])
    return {
        name: np.stack([np.nanmean(np.abs(one - truth)[:, at], 1) for at in data.mornings.values()], 1)
        for name, one in said.items()
    }


def cost(data: Buildings, published: NDArray[np.floating]) -> dict[str, Floats]:
    """The published errors over all leads after the wild reading, as multiples of the twin's: [seeds, spans]."""
    found = {}
    clean = data.x[:, :: len(WHEN)].T[:, ahead(data.origins, HORIZON)]
    off = [np.abs(published[i :: len(WHEN)] - clean) for i in range(len(WHEN))]
    for i, (name, days) in enumerate(WHEN.items()):
        if days is not None:
            at = round(days * PER_DAY) - PER_DAY
            spans = [slice(at + begin, at + end) for begin, end in SPANS.values()]
            mine, twin = (np.array([np.nanmean(one[:, span], (1, 2)) for span in spans]) for one in (off[i], off[0]))
            found[name] = (mine / twin).T
    return found


def lines(data: Buildings, by_model: Mapping[str, NDArray[np.floating]]) -> Iterator[str]:
    """The tables."""
    yield f"Mean absolute error in °C {HORIZON} ticks ahead, targets from 06:00 to 09:00; mean over seeds (the worst)"
    yield f"{'':18}" + "".join(f"{name:>22}" for name in data.mornings)
    for name, found in foreseen(data, by_model).items():
        yield f"{name:18}" + "".join(f"{a:14.3f} ({b:.3f})" for a, b in zip(found.mean(0), found.max(0), strict=True))
    yield "\nPublished error over that of the twin without the 999, over all leads; mean over seeds (the worst)"
    yield f"{'':18}" + "".join(f"{name:>22}" for name in SPANS)
    for name, found in cost(data, by_model[PUBLISHED]).items():
        yield f"{name:18}" + "".join(f"{a:14.3f} ({b:.3f})" for a, b in zip(found.mean(0), found.max(0), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="of buildings (%(default)s)")
    parser.add_argument("--trainings", choices=["none", "once"], default="none", help="of networks (%(default)s)")
    asked = parser.parse_args()
    data = buildings(asked.seeds)
    plan = Plan(asked.trainings, frozenset(KINDS) if asked.trainings == "none" else frozenset())
    print(*lines(data, run(data, plan, lambda _: None).by_model), sep="\n")


if __name__ == "__main__":
    main()
