"""A snapshot of an earlier format in, the same in today's format out."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from streamer.store.snapshots import Snapshot

FORMAT = 3
"""Of snapshots: to be raised, with a step below and a folder in tests/golden, when what they hold changes its meaning.

Parts that come, go, or get another fit, and columns that come or go, need no new format.
"""


def migrated(snapshot: Snapshot) -> Snapshot | None:
    """The snapshot in today's format, None where it is of a format that is not known here."""
    about = snapshot.about
    while (number := format_of(about)) != FORMAT:
        if number not in STEPS:
            return None
        snapshot = STEPS[number](snapshot)
        about = snapshot.about
    return snapshot


def format_of(about: Mapping[str, Any]) -> int:
    """Until format 2 it stood with the source."""
    found: int = about["format"] if "format" in about else about["source"][0]
    return found


def from_2(snapshot: Snapshot) -> Snapshot:
    """Parts had other names, their models no names at all, and each threshold was a part."""
    models = ["persistence", "holt-winters", "memoryless", "traditional"]
    about, arrays = dict(snapshot.about), dict(snapshot.arrays)
    was: dict[str, Any] = about.pop("parts")
    (d,) = was["lane"]
    leads, horizon, _, decay = was["scores"]
    window = round(-1 / math.log(decay))
    parts: dict[str, Any] = {
        "scores": {"fit": [leads, d, window], "labels": dict.fromkeys(("ring", "matured", "sums"), models)},
        "trajectories": {
            "fit": [horizon, d, window],
            "labels": {**dict.fromkeys(("whole", "first", "met"), models), "change": models[1:]},
        },
        "choice": {"fit": None, "labels": {"published": models}},
        "persistence": {"fit": [d], "labels": {}},
    }
    names = {"lane.newest": "persistence.newest", "lane.spoke": "choice.published"}
    for name in ("whole", "origin", "first", "met", "count", "change"):
        names[f"scores.{name}"] = f"trajectories.{name}"
    if "baseline" in was:
        season = was["baseline"][1]
        parts["holt-winters"] = {"fit": [season or 2, bool(season), d], "labels": {}}
        names |= {f"baseline.{name}": f"holt-winters.{name}" for name in ("learnt", "level", "trend", "season")}
    for kind in ("memoryless", "traditional"):
        if kind in was:
            parts[kind] = {"fit": was[kind], "labels": {}}
    thresholds = [name.removeprefix("threshold.") for name in was if name.startswith("threshold.")]
    if thresholds:
        parts["thresholds"] = {"fit": None, "labels": {"lead": thresholds}}
        columns = [arrays.pop(f"threshold.{name}.lead") for name in thresholds]
        arrays["thresholds.lead"] = np.stack(columns, 1)
    about |= {
        "format": 3,
        "source": about["source"][1:],
        "parts": parts,
        "networks": about.pop("live"),
        "schedule": {
            "begun": about.pop("trained"),
            "growth": about.pop("growth"),
            "failures": about.pop("failures"),
        },
    }
    return Snapshot(about, {names.get(name, name): array for name, array in arrays.items()})


STEPS: dict[int, Callable[[Snapshot], Snapshot]] = {2: from_2}
"""What leads from each format to the next; steps that were released never change."""
