"""What trainings report in, what a person wants to know of each out."""

from dataclasses import dataclass
from typing import Any

from streamer.records import Candidate

KEPT = 30
"""Trainings that are remembered, over all streams."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a network: `result` as it is counted. ratio, before: errors of candidate and live network that the
    gate compared (`Errors.ratio`), None where there was none."""

    result: str
    ratio: float | None = None
    before: float | None = None


class Training:
    """One training since the start.

    cause: why it was due. begun: in seconds since 1970. seconds: how long it took, None while it goes on. losses: by
    kind, E_p on held-out ticks after each epoch. decisions: by kind. failure: why there was no candidate.
    """

    def __init__(self, stream: str, cause: str, begun: float) -> None:
        self.stream, self.cause, self.begun = stream, cause, begun
        self.seconds: float | None = None
        self.device = ""
        self.losses: dict[str, list[float]] = {}
        self.decisions: dict[str, Decision] = {}
        self.failure: str | None = None

    def report(self, line: dict[str, Any]) -> None:
        """A line of the training process."""
        match line["event"]:
            case "start":  # perhaps once more, on another device
                self.device, self.losses = line["device"], {}
            case "progress":
                self.losses.setdefault(line["kind"], []).append(line["e_p"])
            case "diverged":
                self.decisions[line["kind"]] = Decision("diverged")

    def decide(self, candidate: Candidate, result: str) -> None:
        """What the gate made of a candidate."""
        live = candidate.live.ratio if candidate.live else None
        self.decisions[candidate.kind] = Decision(result, candidate.errors.ratio, live)

    def fail(self, reason: str) -> None:
        """It gave no candidate."""
        self.failure = reason

    def end(self, seconds: float) -> None:
        """It took so long."""
        self.seconds = seconds
