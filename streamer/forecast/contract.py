"""What a stream asks of whatever forecasts its series."""

from typing import Protocol

from streamer.part import Part
from streamer.records import Floats, TickBatch

REFERENCE = "persistence"
"""The forecaster that skill is measured against; every stream has it, as the first of its models."""


class Forecaster(Part, Protocol):
    """Forecasts all series of a stream; its name is the `model` of messages and metrics."""

    @property
    def version(self) -> int:
        """Of the training outcome that it came with; 0 for a forecaster that is not trained."""

    def step(self, batch: TickBatch) -> None:
        """Take in one tick of each row; where a row is fresh, its series begins anew with it."""

    def forecast(self, batch: TickBatch) -> Floats:
        """The next k·p values of each row in units of the series, [b, h, d]; NaN where it has nothing to say.

        Every row was stepped by this very tick, which is not a missing one.
        """
