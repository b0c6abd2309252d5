"""How well the daemon forecasts six real data sets, beside simple methods; tests/studies/README.md says how to read it.

`python -m tests.studies.accuracy --series traffic_i94 pv_serf --json found.json`
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.forecast.contract import REFERENCE
from streamer.records import Floats
from streamer.tools.backtest.audit import PUBLISHED
from tests.studies.accuracy import daemon
from tests.studies.accuracy.bands import BOUNDERS, applicable_bounders, score_bands
from tests.studies.accuracy.datasets import SPECS, Data, load
from tests.studies.accuracy.report import show
from tests.studies.accuracy.result import Result, document
from tests.studies.accuracy.scores import Score, score
from tests.studies.accuracy.yardsticks import YARDSTICKS, applicable, references

ALL, NONE = "all", "none"


def study(data: Data, plan: daemon.Plan, models: Sequence[str], progress: Callable[[str], None]) -> Result:
    """Run the daemon and the simple methods on one data set, and score them.

    `models` are those of the daemon to score: their names, or `all`, or `none`, which does not run the daemon.
    """
    obvious, trainings = references(data), dict[str, int]()
    found: dict[str, NDArray[np.floating]] = {}
    bounds: dict[str, Floats] = {}
    if NONE not in models:
        done = daemon.run(data, plan, lambda text: progress(f"{data.name}: daemon {text}"))
        trainings, bounds[PUBLISHED] = done.trainings, done.bounds
        wanted = {name: one for name, one in done.by_model.items() if ALL in models or name in models}
        wanted.pop(REFERENCE, None)  # the study's own speaks at every origin, and is the same where both speak
        found |= {f"daemon's {name}" if name in obvious else name: one for name, one in wanted.items()}
    found |= obvious
    for name, method in applicable(data).items():
        if name not in plan.without:
            progress(f"{data.name}: {name}")
            found[name] = np.array([method(data, x, plan.seed) for x in data.x.T])
    for name, bounder in applicable_bounders().items():
        if name not in plan.without:
            progress(f"{data.name}: {name}")
            bounds[name] = np.array([bounder(data, x, plan.seed) for x in data.x.T])
    scores = {who: by_series(data, one, obvious) for who, one in found.items()}
    bands = score_bands(data, bounds, obvious[REFERENCE])
    return Result(data.name, len(data.names), len(data.origins), tuple(obvious), scores, trainings, bands)


def by_series(data: Data, forecast: NDArray[np.floating], obvious: dict[str, Floats]) -> dict[str, Score]:
    """One forecaster's score on each series."""
    truth = data.truth
    return {
        name: score(truth[i], forecast[i], {who: one[i] for who, one in obvious.items()})
        for i, name in enumerate(data.names)
    }


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line. Exits with a message on names that nothing has."""
    known = [name for name in daemon.forecasters() if name != REFERENCE]
    parser = argparse.ArgumentParser("python -m tests.studies.accuracy", description=(__doc__ or "").split(";")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="Folder of the CSV files.")
    parser.add_argument("--series", nargs="+", choices=SPECS, default=[*SPECS], metavar="NAME", help="Data sets.")
    parser.add_argument(
        "--models",
        nargs="+",
        choices=[ALL, NONE, PUBLISHED, *known],
        default=[ALL],
        metavar="NAME",
        help="Models of the daemon to score, or all; none does not run the daemon.",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="File to write all figures to.")
    parser.add_argument(
        "--without",
        nargs="+",
        choices=[*known, *YARDSTICKS, *BOUNDERS],
        default=[],
        metavar="NAME",
        help="Forecasters that the daemon shall not have, and methods beside it that shall not run.",
    )
    parser.add_argument("--seed", type=int, default=0, help="Seed of trainings and of LightGBM.")
    parser.add_argument(
        "--trainings",
        choices=["none", "once", "default"],
        default="once",
        help="none; once, on the first 40 %% of the data; default, on 35 %% and after every further quarter.",
    )
    daemon.add_model_options(parser)
    parser.add_argument("--weight-noise", metavar="NOISE", help="As the key of `training`: a deviation, or adaptive.")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Everything that the command line asks for; tables on standard output, progress on standard error."""
    given, began = parsed(arguments), time.monotonic()
    training = {"weight_noise": given.weight_noise} if given.weight_noise else {}
    plan = daemon.Plan(given.trainings, frozenset(given.without), given.seed, daemon.model_of(given), training)
    results = []

    def progress(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", file=sys.stderr, flush=True)

    for name in given.series:
        try:
            data = load(given.data, name)
        except OSError as error:
            print(f"{error.filename}: {error.strerror}; --data names the folder of the data", file=sys.stderr)
            return 1
        results.append(study(data, plan, given.models, progress))
        if given.json:
            given.json.write_text(json.dumps(document(results), indent=1), encoding="utf-8")
    show(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
