"""Snapshots taken in, the samples that the journal no longer needs out."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Self

from streamer.ingest.grid import Series
from streamer.store.snapshots import KEPT, Snapshot
from streamer.stream.state import StreamState

TRIM_EVERY = 16
"""Accepted samples for each series that is looked at for samples it no longer needs."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The snapshots of all streams at one moment: version by stream, tick by series id; the newest message about
    covariates by stream."""

    versions: Mapping[str, int]
    ticks: Mapping[int, int]
    told: Mapping[str, int]

    @classmethod
    def of(cls, snapshots: Mapping[str, Snapshot]) -> Self:
        ticks: dict[int, int] = {}
        for one in snapshots.values():
            ticks |= zip(*(one.arrays[f"series.{name}"].tolist() for name in ("ident", "tick")), strict=True)
        versions, told = ({name: one.about[key] for name, one in snapshots.items()} for key in ("version", "told"))
        return cls(versions, ticks, told)


class Retention:
    """Which samples of the streams may leave the journal.

    `kept` are the snapshots that a start could go back to, as far as this process wrote them: the samples after the
    oldest of them stay, and so does `retrain.window` ticks of each series.
    """

    def __init__(self, streams: Sequence[StreamState]) -> None:
        self.kept: deque[Kept] = deque(maxlen=KEPT)
        self.take_over(streams)

    def take_over(self, streams: Sequence[StreamState]) -> None:
        """From now on the series of these streams."""
        self.streams, self.next = streams, self.round_robin()

    def saved(self, kept: Kept) -> None:
        """There is one more snapshot of all streams to go back to, and the oldest is gone."""
        self.kept.append(kept)
        for stream in self.streams:
            stream.promotions.saved(self.kept[0].versions.get(stream.name, 0))

    def surplus(self, accepted: int) -> list[tuple[int, int]]:
        """(series, first tick to keep) of the next few series that have outgrown their window, in their turn."""
        rows = {}
        if len(self.kept) == KEPT:
            for stream, series in islice(self.next, -(-accepted // TRIM_EVERY)):  # few series come round several times
                outside = min(series.tick - stream.config.retrain.window + 1, series.sampled)
                if outside > 0:
                    after = self.kept[0].ticks.get(series.ident, -1) + 1
                    rows[series.ident] = min(outside, stream.promotions.needed(series.ident, after))
        return list(rows.items())

    def told(self, stream: StreamState) -> tuple[int, int]:
        """How many messages stay of each topic of a covariate, and the newest of all that may go."""
        oldest = self.kept[0].told.get(stream.name, 0) if len(self.kept) == KEPT else 0
        return stream.config.retrain.window, oldest

    def round_robin(self) -> Iterator[tuple[StreamState, Series]]:
        """All series, over and over."""
        while any(stream.series for stream in self.streams):
            for stream in self.streams:
                for series in stream.series:
                    yield stream, series
