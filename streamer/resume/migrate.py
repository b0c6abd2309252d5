"""A snapshot of an earlier format in, the same in today's format out."""

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


NAMES_2 = {"lane.newest": "persistence.newest"}
"""The arrays of format 2 whose names have changed."""


def from_2(snapshot: Snapshot) -> Snapshot:
    """Parts had other names, and each threshold was a part. Scores were of other leads: they begin anew."""
    about, arrays = dict(snapshot.about), dict(snapshot.arrays)
    was: dict[str, Any] = about.pop("parts")
    thresholds = [name.removeprefix("threshold.") for name in was if name.startswith("threshold.")]
    if thresholds:
        arrays["thresholds.lead"] = np.stack([arrays.pop(f"threshold.{name}.lead") for name in thresholds], 1)
    schedule = {"failures": about.pop("failures")}
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
    fits: dict[str, Any] = {
        "persistence": [d],
        **{kind: was[kind] for kind in ("memoryless", "traditional") if kind in was},
    }
    if thresholds:
        fits["thresholds"] = None
    return {
        name: {"fit": fit, "labels": {"lead": thresholds} if name == "thresholds" else {}} for name, fit in fits.items()
    }


STEPS: dict[int, Callable[[Snapshot], Snapshot]] = {2: from_2}
"""What leads from each format to the next; steps that were released never change."""
