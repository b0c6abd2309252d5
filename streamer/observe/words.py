"""Figures in, what they say to a person out."""

import math
from collections.abc import Mapping

from streamer.stream.state import StreamState

NAMES = {"persistence": "no change", "last-week": "last week"}
"""What references are called; the others are called as they are."""
EVEN = 0.005
"""Skill that cannot be told from none."""


def called(reference: str) -> str:
    """What a reference is called."""
    return f"'{NAMES.get(reference, reference)}'"


def better(skills: Mapping[str, float | None]) -> str:
    """How forecasts compare with the obvious ones, by reference."""
    known = [(one, skill) for one, skill in skills.items() if skill is not None and not math.isnan(skill)]
    return ", ".join(compared(skill, called(one)) for one, skill in known) or "too few forecasts scored yet"


def compared(skill: float, than: str) -> str:
    """One comparison, such as "32 % better than 'no change'"."""
    if abs(skill) < EVEN:
        return f"as good as {than}"
    return f"{abs(skill) * 100:.0f} % {'better' if skill > 0 else 'worse'} than {than}"


def next_training(stream: StreamState) -> str:
    """When the networks of a stream are trained."""
    schedule = stream.schedule
    if not schedule.every or not stream.panel.wants_networks:
        return "no networks are trained"
    if schedule.under_way:
        return "a training is asked for or under way"
    first = not schedule.concluded and not stream.panel.networks
    left = max((schedule.first if first else schedule.every) - schedule.growth, 0)
    return f"{'first' if first else 'next'} training in {left:,} ticks" + (
        f", longer after {schedule.failures} that failed" if schedule.failures else ""
    )


def gate(error: float | None, persistence: float | None) -> str:
    """What the gate saw of a network."""
    if error is None or not persistence:
        return "admitted"
    return f"admitted: {compared(1 - error / persistence, called('persistence'))} on held-out ticks (E_p)"
