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


MODELS_2 = ["persistence", "holt-winters", "memoryless", "traditional"]
"""The axis M of format 2, in its order."""
NAMES_2 = {
    "lane.newest": "persistence.newest",
    "lane.spoke": "choice.published",
    **{f"scores.{name}": f"trajectories.{name}" for name in ("whole", "origin", "first", "met", "count", "change")},
    **{f"baseline.{name}": f"holt-winters.{name}" for name in ("learnt", "level", "trend", "season")},
}
"""The arrays of format 2 whose names have changed."""


def from_2(snapshot: Snapshot) -> Snapshot:
    """Parts had other names, their models no names at all, and each threshold was a part."""
    about, arrays = dict(snapshot.about), dict(snapshot.arrays)
    was: dict[str, Any] = about.pop("parts")
    thresholds = [name.removeprefix("threshold.") for name in was if name.startswith("threshold.")]
    if thresholds:
        arrays["thresholds.lead"] = np.stack([arrays.pop(f"threshold.{name}.lead") for name in thresholds], 1)
    schedule = {"begun": about.pop("trained"), "growth": about.pop("growth"), "failures": about.pop("failures")}
    about |= {
        "format": 3,
        "source": about["source"][1:],
        "parts": parts_of_2(was, thresholds),
        "networks": about.pop("live"),
        "schedule": schedule,
    }
    return Snapshot(about, {NAMES_2.get(name, name): array for name, array in arrays.items()})


def parts_of_2(was: Mapping[str, Any], thresholds: list[str]) -> dict[str, Any]:
    """What the parts of format 2 fit, and how their columns are called today."""
    (d,) = was["lane"]
    leads, horizon, _, decay = was["scores"]
    window, models = round(-1 / math.log(decay)), MODELS_2
    fits: dict[str, Any] = {
        "scores": [leads, d, window],
        "trajectories": [horizon, d, window],
        "choice": None,
        "persistence": [d],
        **{kind: was[kind] for kind in ("memoryless", "traditional") if kind in was},
    }
    if "baseline" in was:
        season = was["baseline"][1]
        fits["holt-winters"] = [season or 2, bool(season), d]
    if thresholds:
        fits["thresholds"] = None
    labels = {
        "scores": dict.fromkeys(("ring", "matured", "sums"), models),
        "trajectories": {**dict.fromkeys(("whole", "first", "met"), models), "change": models[1:]},
        "choice": {"published": models},
        "thresholds": {"lead": thresholds},
    }
    return {name: {"fit": fit, "labels": labels.get(name, {})} for name, fit in fits.items()}


STEPS: dict[int, Callable[[Snapshot], Snapshot]] = {2: from_2}
"""What leads from each format to the next; steps that were released never change."""
