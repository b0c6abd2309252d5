"""Samples and trainings of a stream in, when the next training is due, and why, out."""

from typing import Literal, get_args

from streamer.config import Stream
from streamer.records import Floats, TickBatch
from streamer.stream.drift import Drift

Cause = Literal["first", "growth", "drift"]
"""Why a training is due: the stream has had none yet; its series have grown; their errors have."""
CAUSES: tuple[Cause, ...] = get_args(Cause)

MOST_BACKOFF = 16
"""Largest factor by which failures in a row lengthen the wait for the next training."""
EARLIEST = 0.25
"""Share of the usual wait before which no drift makes a training due."""
DRIFTED = 0.25
"""Share of a stream's series that must have drifted."""


class Schedule:
    """When a training of a stream is due.

    growth: the most samples and filled ticks that a series has gained since a training was last asked for. under_way:
    whether one is that has not ended. cause: why the newest was. concluded: whether any has come to an outcome.
    failures: of trainings, in a row. drift: whose errors have grown.
    """

    def __init__(self, config: Stream) -> None:
        self.every, self.first = config.retrain.every, config.first_training
        self.under_way = self.concluded = False
        self.growth = 0
        self.failures = 0
        self.cause: Cause = "first"
        self.drift = Drift(config)

    def due(self, live: bool, series: int) -> Cause | None:
        """Why a training is due, None where none is; `live`: the stream has a network; `series`: how many it has.

        It is once some series has grown by what the first training needs, and then again by `retrain.every`, or by
        EARLIEST of that where enough series have drifted. Each failure in a row doubles that, up to MOST_BACKOFF times;
        until a network is live, it is that of the first training. While one is under way, none is due.
        """
        if not self.every or self.under_way:
            return None
        times = min(2**self.failures, MOST_BACKOFF)
        if not live and (self.failures or not self.concluded):
            return "first" if self.growth >= self.first * times else None
        if self.growth >= self.every * times:
            return "growth"
        drifted = self.drift.series > 0 and self.drift.series >= DRIFTED * series
        return "drift" if drifted and self.growth >= EARLIEST * self.every * times else None

    def watch(self, batch: TickBatch, predicted: Floats) -> None:
        """The truths of one tick of each row, and what was predicted for the newest tick of every row, [N, d]."""
        self.drift.take_in(batch, predicted)

    def grow(self, ticks: int) -> None:
        """A series has gained so many ticks since it was last trained on."""
        self.growth = max(self.growth, ticks)

    def recount(self, growth: int) -> None:
        """The most ticks that a series has gained is this."""
        self.growth = growth

    def begin(self, cause: Cause) -> None:
        """A training is asked for."""
        self.under_way, self.growth, self.cause = True, 0, cause

    def failed(self) -> None:
        """It came to nothing."""
        self.under_way = False
        self.failures += 1

    def done(self) -> None:
        """It came to an outcome."""
        self.under_way, self.concluded, self.failures = False, True, 0
        self.drift.begin_anew()

    def start_over(self) -> None:
        """No training has counted so far."""
        self.concluded, self.failures = False, 0

    def state(self) -> dict[str, int]:
        """For a snapshot. Trainings that were asked for are not in it: those without an outcome are asked for again."""
        return {"failures": self.failures}

    def restore(self, failures: int) -> None:
        """As `state` said."""
        self.failures = failures
