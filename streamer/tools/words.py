"""Errors in, what a person understands of them out."""

import math

NO_CHANGE = "'no change'"
"""What persistence is called in words: the forecast that the newest value stays."""

NAMES = {
    "persistence": NO_CHANGE,
    "last-week": "last week",
    "profile-day": "usual day",
    "profile-week": "usual week",
    "linear": "least squares",
    "linear-day": "least squares by day",
    "linear-week": "least squares by week",
    "memoryless": "memoryless network",
    "traditional": "traditional network",
}
"""What forecasters are called in words; the others are called as they are."""


def called(model: str) -> str:
    """What a forecaster is called."""
    return NAMES.get(model, model)


def multiple(error: float, reference: float) -> str:
    """How many times a reference's error an error is: 0.62, 3.7, 400; a dash where that is not known."""
    if math.isnan(error) or math.isnan(reference) or reference == 0:
        return "–"
    ratio = error / reference
    return f"{ratio:.{2 if ratio < 1 else 1 if ratio < 10 else 0}f}"


def lasting(seconds: float) -> str:
    """A length of time: 0.4 s, 15 min, 10 h, 2 d."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"
