"""Somebody who watches a stream, such as a backtest."""

from typing import TYPE_CHECKING, Protocol

from streamer.records import ForecastBatch, TickBatch

if TYPE_CHECKING:
    from streamer.stream.state import StreamState


class Observer(Protocol):
    """Is told what a stream does, tick batch by tick batch."""

    def scored(self, stream: "StreamState", batch: TickBatch) -> None:
        """What was predicted for these ticks has been scored, and is in `panel.scores.matured`."""

    def forecast(self, stream: "StreamState", batch: ForecastBatch) -> None:
        """These forecasts are about to be published."""
