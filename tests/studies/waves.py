"""The paper's waves, with their noise, in; what the mixture makes of them beside the networks alone, out.

Networks are trained once, on the first 40 %, and scored on the rest, which repeats nothing. Errors are root mean
squares against the noisy truth over the first 10 and over all 40 leads; the noise alone has a deviation of 0.15.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from streamer.models import KINDS
from streamer.records import Floats
from streamer.tools.backtest.audit import PUBLISHED
from streamer.tools.replay.signals import WAVES
from streamer.tools.replay.sources import signal
from tests.studies.accuracy.daemon import Plan, add_model_options, model_of, run
from tests.studies.accuracy.datasets import Data, Spec

TICKS = 10_000
SPEC = Spec(1.0, stride=1, k=10, p=4)
SPANS = {"10 leads": 10, "40 leads": SPEC.horizon}


def waves(seeds: Sequence[int]) -> Data:
    """Each wave with the noise of each seed."""
    names = [(wave, seed) for wave in WAVES for seed in seeds]
    x: Floats = np.array([[sample.values[0] for sample in islice(signal(*one), TICKS)] for one in names])
    time: Floats = np.arange(TICKS, dtype=np.float64) + 1_767_571_200.0
    return Data("waves", SPEC, tuple(f"{wave} {seed}" for wave, seed in names), time, x.T)


def lines(data: Data, by_model: Mapping[str, NDArray[np.floating]]) -> Iterator[str]:
    """The table: a row for each model, and for the mixture over the better network."""
    yield f"{'':16}" + "".join(f"{name + ', ' + span:>24}" for name in data.names for span in SPANS)
    found = {}
    for name, said in by_model.items():
        off = (said - data.truth)[:, 1:]  # the first origin is before the networks
        found[name] = np.sqrt([np.nanmean(one[:, :leads] ** 2) for one in off for leads in SPANS.values()])
        yield f"{name:16}" + "".join(f"{error:24.4f}" for error in found[name])
    best = np.minimum(*(found[kind] for kind in KINDS))
    yield f"{'mixture / best':16}" + "".join(f"{ratio:24.3f}" for ratio in found[PUBLISHED] / best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of the noise (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the training (%(default)s)")
    add_model_options(parser)
    asked = parser.parse_args()
    data = waves(asked.seeds)
    plan = Plan("once", seed=asked.seed, model=model_of(asked))
    print(*lines(data, run(data, plan, lambda _: None).by_model), sep="\n")


if __name__ == "__main__":
    main()
