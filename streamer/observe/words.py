"""Figures in, what they say to a person out."""

import math
from collections.abc import Mapping

from streamer.lanes.diary import Training
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


RESULTS = {
    "swapped": "it went live",
    "kept": "the live one stays, as this one was no better",
    "diverged": "it diverged: lower training.learning_rate, or look for a faulty sensor",
    "crashed": "the training process crashed: its last lines are in the log",
    "device": "the GPU failed: see the log; training.device: cpu trains without it",
    "hung": "nothing was heard of it: raise training.stall, or train less",
    "timeout": "it took too long: raise training.timeout, or train less",
    "starved": "it got no processor: something else on the machine takes it",
    "killed": "the system has killed it, for lack of memory as a rule: lower training.ticks",
    "out_of_memory": "memory was too little: lower training.ticks",
    "no_data": "there is no stretch long enough without gaps: raise max_gap, or wait for more samples",
    "no_device": "there is no GPU: set training.device to auto",
    "journal": "it could not be written to the journal: free some space on the disk",
    "retired": "a reload has changed the stream meanwhile; the next training is of the new one",
}
"""What came of a training, and what to do, by result."""


def ended(training: Training) -> dict[str, str]:
    """What came of a training, by kind of network; of all kinds where it has failed as a whole."""
    found = {kind: gate(one.result, one.ratio, one.before) for kind, one in training.decisions.items()}
    return found | ({"networks": result_in_words(training.failure)} if training.failure else {})


def result_in_words(result: str) -> str:
    """What a result means."""
    return RESULTS.get(result, f"it failed ({result}): the log says more")


def gate(result: str, ratio: float | None, before: float | None) -> str:
    """What the gate saw of a network, on held-out ticks, beside that of persistence."""
    said = result_in_words(result)
    if ratio is None:
        return said
    than = "" if before is None else f", the one that was live {times(before)}"
    held_out = f"on ticks held out it had {times(ratio)} the error of {called('persistence')}{than}"
    return f"{said}: {held_out} (median over series)"


def times(ratio: float) -> str:
    """A ratio of errors."""
    return f"{ratio:.2f} times" if math.isfinite(ratio) else "an error where there was none:"
