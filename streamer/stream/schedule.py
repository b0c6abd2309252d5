"""Samples and trainings of a stream in, when the next training is due out."""

from typing import Any

from streamer.config.stream import Retrain

MOST_BACKOFF = 16
"""Largest factor by which failures in a row lengthen the wait for the next training."""


class Schedule:
    """When a training of a stream is due.

    growth: the most ticks that a series has gained since a training was last due. begun: whether any training was ever
    begun. failures: of trainings, in a row.
    """

    def __init__(self, retrain: Retrain) -> None:
        self.retrain = retrain
        self.begun = False
        self.growth = 0
        self.failures = 0

    def due(self, live: bool) -> bool:
        """Whether a training is due; `live`: the stream has a network.

        It is once some series has grown by `retrain.minimum`, and then again by `every`. Each failure in a row doubles
        that, up to MOST_BACKOFF times; until a network is live, it is of `minimum`.
        """
        again = self.begun and (live or not self.failures)
        needed = (self.retrain.every if again else self.retrain.minimum) * min(2**self.failures, MOST_BACKOFF)
        return bool(self.retrain.every) and self.growth >= needed

    def grow(self, ticks: int) -> None:
        """A series has gained so many ticks since it was last trained on."""
        self.growth = max(self.growth, ticks)

    def begin(self) -> None:
        """A training is asked for."""
        self.begun, self.growth = True, 0

    def failed(self) -> None:
        """It came to nothing."""
        self.failures += 1

    def done(self) -> None:
        """It came to an outcome."""
        self.begun, self.failures = True, 0

    def state(self) -> dict[str, Any]:
        """For a snapshot."""
        return {"begun": self.begun, "growth": self.growth, "failures": self.failures}

    def restore(self, *, begun: bool, growth: int, failures: int) -> None:
        """As `state` said."""
        self.begun, self.growth, self.failures = begun, growth, failures
