"""Simulated tanks in, how often their threshold is crossed between the earliest and the latest time announced, out.

Tanks fill by an inflow that wanders about its mean. `steady` ones fill once; so do `noisy` ones, whose sensor is noisy;
`drained` ones are emptied whenever they are full, and fill again. A crossing is where a straight line between two
samples first reaches the threshold. Of each tank all announcements count that are made before it is full, with equal
weights and those of all tanks the same; where no latest time is announced, any later one is within.

    python -m tests.studies.tanks
"""

import argparse
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streamer.config import Metrics, Stream
from streamer.publish.crossing import ahead
from streamer.records import Crossings, Floats, TickBatch
from streamer.stream.state import StreamState

KINDS = ("steady", "noisy", "drained")
FULL = 95.0
TICKS = 1600
"""Nothing is counted of the first half."""
CORRELATION, VARIATION = 0.9, 0.5
"""Of the inflow, from tick to tick; and its standard deviation, relative to its mean."""
SENSOR = 0.2
"""Standard deviation of the noise of a noisy sensor."""
PROBABILITIES = (0.3, 0.5, 0.7, 0.8, 0.89, 1.0)
"""Between which probabilities are put together; that of 0.9 is the greatest that bounds at 0.1 and 0.9 can tell."""


def levels_of(kind: str, count: int, seed: int, ticks: int = TICKS) -> Floats:
    """Levels [ticks, count]."""
    rng = np.random.default_rng(seed)
    wander = np.zeros((ticks, count))
    for t in range(1, ticks):
        wander[t] = CORRELATION * wander[t - 1] + np.sqrt(1 - CORRELATION**2) * rng.normal(size=count)
    inflow = np.maximum(1 + VARIATION * wander, 0)
    if kind != "drained":
        levels: Floats = np.cumsum(FULL / rng.uniform(0.56, 0.94, count) / ticks * inflow, 0)
        return levels + (SENSOR * rng.normal(size=levels.shape) if kind == "noisy" else 0)
    level, draining, rate = rng.uniform(0, 90, count), np.zeros(count, np.bool_), FULL / rng.uniform(60, 120, count)
    levels = np.empty((ticks, count))
    for t in range(ticks):
        levels[t] = level = np.where(draining, level - 4, level + rate * inflow[t])
        draining = (draining & (level > 5)) | (level > FULL + 10)
    return levels


def told(levels: Floats) -> Iterator[tuple[int, Crossings]]:
    """What a stream of tanks, without networks, announces after each tick, of all of them."""
    config = Stream.model_validate(
        {
            "name": "tanks",
            "topics": ["#"],
            "interval": 1.0,
            "season": None,
            "forecasters": ["linear"],
            "thresholds": [{"name": "full", "above": FULL}],
        }
    )
    stream, count = StreamState(config, Metrics()), levels.shape[1]
    rows = np.array([stream.add(i, f"tank/{i}").row for i in range(count)])
    for t, x in enumerate(levels):
        at = np.full(count, float(t))
        batch = stream.tick(TickBatch(rows, x[:, None], np.full(count, t), at, np.full(count, t == 0), at))
        if batch is not None and batch.crossings is not None:
            yield t, batch.crossings


def announcements(levels: Floats) -> dict[str, Floats]:
    """Of each announcement, [n]: the tank, the fields of Crossings, and ticks to the crossing that came."""
    ticks, horizon = len(levels), Stream(name="tanks", topics=["#"]).sizes.horizon
    full = Stream.model_validate({"name": "t", "topics": ["#"], "thresholds": [{"name": "full", "above": FULL}]})
    found: list[Floats] = []
    for t, said in told(levels):
        if not ticks // 2 <= t < ticks - 2 * horizon:
            continue
        came = ahead(levels[t:].T, full.thresholds[0])
        some = np.flatnonzero(said.crosses[:, 0] & (said.lead[:, 0] > 0))
        fields = (one[some, 0] for one in (said.lead, said.earliest, said.latest, said.probability))
        found.append(np.stack([some.astype(np.float64), *fields, came[some]]))
    return dict(
        zip(("tank", "lead", "earliest", "latest", "probability", "came"), np.concatenate(found, 1), strict=True)
    )


def shares(found: dict[str, Floats]) -> tuple[float, float, float]:
    """Of crossings: the share that came before the earliest time, between, and after the latest; mean over tanks."""
    early, late = found["came"] < found["earliest"], found["came"] > found["latest"]
    each = [(early[of].mean(), late[of].mean()) for tank in {*found["tank"]} if (of := found["tank"] == tank).any()]
    before, after = np.mean(each, 0).tolist()
    return before, 1 - before - after, after


def firsts(tank: Floats, of: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The first announcement of each tank among those `of`, [n]."""
    some = np.flatnonzero(of)
    found = np.zeros(len(tank), np.bool_)
    found[some[np.unique(tank[some], return_index=True)[1]]] = True
    return found


def main() -> None:
    """Print the shares, and how often a crossing of some probability came within the horizon."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tanks", type=int, default=200, help="how many of each kind; default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for kind in KINDS:
        found = announcements(levels_of(kind, given.tanks, given.seed))
        known, count = np.isfinite(found["latest"]), len({*found["tank"]})
        print(f"{kind}: {len(known)} announcements by {count} tanks, {known.mean():.0%} with a latest time")
        some = {"all": known | True, "with a latest time": known}
        some |= {f"the first of each tank, of {text}": firsts(found["tank"], of) for text, of in some.items()}
        for text, of in some.items():
            before, between, after = shares({name: column[of] for name, column in found.items()})
            print(f"  {text}: {before:.1%} before the earliest, {between:.1%} between, {after:.1%} after the latest")
        p, came = found["probability"], found["came"] <= Stream(name="tanks", topics=["#"]).sizes.horizon
        for low, high in pairwise(PROBABILITIES):
            if (of := (p >= low) & (p < high)).any():
                print(f"  probability {p[of].mean():.2f}: {came[of].mean():.1%} came within the horizon ({of.sum()})")


if __name__ == "__main__":
    main()
