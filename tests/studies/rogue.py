"""Nineteen orderly series and a rogue one of the same stream in; what the rogue does to the errors of the others, out.

The orderly ones are waves of their own periods and units, with noise. The rogue has four times as many samples: noise,
spikes, jumps, and stretches with a sample every 101 ticks, the longest gap that is bridged. Two trainings as the daemon
does them, so that the second passes the gate beside live networks. The same is run without the rogue; errors are those
of the samples after the second training. A run without the rogue and with other seeds of the trainings shows how far
errors differ from training to training anyway.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from streamer.records import Floats, Ints
from streamer.tools.replay.signals import Signal
from tests.studies.accuracy.daemon import Plan, held, run
from tests.studies.accuracy.datasets import Data, Spec, ahead

SPEC = Spec(1.0, stride=3, k=10, p=4, stream={"season": None})
ORDERLY, SAMPLES = 19, 3000
FIRST, SECOND = 1200, 2100
"""Samples of an orderly series at the trainings."""
SPACED, SPACING = 600, 101
BEGAN = 1_767_571_200.0


@dataclass(frozen=True, slots=True)
class Crowd(Data):
    """Orderly series from tick `begin` on, and the rogue, if there is one, as the last."""

    begin: int

    @property
    def origins(self) -> Ints:
        return np.arange(self.begin + SECOND + SPEC.horizon, len(self.x) - SPEC.horizon, SPEC.stride)


@dataclass(frozen=True, slots=True)
class Twice(Plan):
    """Two short trainings."""

    epochs: int = 6
    windows: int = 2000

    def retrain(self, data: Data) -> dict[str, int]:
        assert isinstance(data, Crowd)
        first = held(data, data.begin + FIRST)
        return {"minimum": first, "every": SECOND - FIRST, "window": max(first, 20_000)}

    def document(self, data: Data) -> dict[str, Any]:
        made = Plan.document(self, data)
        made["training"] |= {"epochs": self.epochs, "windows": self.windows}
        return made


def orderly(random: np.random.Generator, count: int) -> Floats:
    """[count, SAMPLES] waves of periods from 12 to 60 ticks, at levels and in units of their own."""
    waves = [
        Signal(
            wave=("sine", "trapezoid")[i % 2],
            dt=1 / random.uniform(12, 60),
            delta=random.uniform(0.5, 2.0),
            amplitude=10.0 ** random.integers(-2, 4),
            a=0.0,
        )
        for i in range(count)
    ]
    clean = np.array([one.clean(int(random.integers(10_000)), SAMPLES) for one in waves])
    scale = np.array([[one.amplitude] for one in waves])
    found: Floats = clean + scale * (random.normal(0, 0.15, clean.shape) + random.integers(0, 30, (count, 1)))
    return found


def rogue(random: np.random.Generator, before: int) -> Floats:
    """[before + SAMPLES] noise, spikes of up to 1e6, jumps of level; first SPACED samples SPACING ticks apart."""
    n = before + SAMPLES
    x: Floats = random.normal(size=n) + np.cumsum(random.choice([0.0, -300.0, 300.0], n, p=[0.99, 0.005, 0.005]))
    spikes = random.random(n) < 0.02
    x[spikes] += random.choice([-1.0, 1.0], spikes.sum()) * 10.0 ** random.uniform(1, 6, spikes.sum())
    spaced = SPACED * SPACING
    x[np.flatnonzero(np.arange(spaced) % SPACING)] = np.nan
    return x


def crowd(seed: int, with_rogue: bool) -> Crowd:
    """The series of a seed; the rogue has SPACED samples far apart and then, all in all, four times SAMPLES."""
    random = np.random.default_rng(seed)
    columns = orderly(random, ORDERLY)
    before = SPACED * SPACING + 3 * SAMPLES - SPACED if with_rogue else 0
    x = np.full((before + SAMPLES, ORDERLY + with_rogue), np.nan)
    x[before:, :ORDERLY] = columns.T
    if with_rogue:
        x[:, -1] = rogue(random, before)
    names = tuple(f"s{i}" for i in range(x.shape[1]))
    return Crowd("crowd", SPEC, names, BEGAN + np.arange(len(x), dtype=float), x, before)


def errors(data: Crowd, plan: Plan) -> tuple[dict[str, Floats], dict[str, int]]:
    """Mean absolute errors of each orderly series, [ORDERLY, 2], over all leads and at lead 1, by model."""
    found = run(data, plan, lambda _: None)
    truth = data.x[:, :ORDERLY].T[:, ahead(data.origins, SPEC.horizon)]
    return {name: of(one[:ORDERLY], truth) for name, one in found.by_model.items()}, found.trainings


def of(forecast: Floats, truth: Floats) -> Floats:
    off = np.abs(forecast - truth)
    return np.stack([np.nanmean(off, (1, 2)), np.nanmean(off[:, :, 0], 1)], 1)


def lines(seed: int, epochs: int) -> Iterator[str]:
    """The table of a seed: the errors of two runs, as multiples of those of one without the rogue."""
    plan = Twice("default", seed=seed, epochs=epochs)
    alone, trained = errors(crowd(seed, with_rogue=False), plan)
    yield f"seed {seed}: without it {trained}"
    runs = {"with the rogue": (True, plan), "other training seed": (False, replace(plan, seed=seed + 1000))}
    for what, (with_rogue, other) in runs.items():
        found, trained = errors(crowd(seed, with_rogue), other)
        yield f"  {what}: {trained}"
        for name, one in found.items():
            ratio = one / alone[name]
            mean, worst = np.exp(np.log(ratio).mean(0)), ratio.max(0)
            yield f"    {name:13} {mean[0]:.3f} / {mean[1]:.3f}, worst {worst[0]:.3f} / {worst[1]:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of series and trainings (%(default)s)")
    parser.add_argument("--epochs", type=int, default=6, help="of each training (%(default)s)")
    asked = parser.parse_args()
    print("Errors of 19 series over those without the rogue: geometric mean and worst, all leads / lead 1")
    for seed in asked.seeds:
        print(*lines(seed, asked.epochs), sep="\n", flush=True)


if __name__ == "__main__":
    main()
