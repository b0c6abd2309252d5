"""What a batch of messages adds to the journal, and what it led to."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from streamer.ingest.covariates import Saying
from streamer.ingest.grid import Series
from streamer.ingest.outlook import Told
from streamer.records import Outgoing
from streamer.store.covariates import PLACE, Row
from streamer.store.journal import Source
from streamer.store.samples import SampleRow
from streamer.stream.state import StreamState

Record = tuple[str, str, float | None, tuple[float, ...], bool]
"""A reading: source, part, time, values, and whether the time is its own; without a time the clock closed the tick."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a batch adds to the journal, in one transaction: without it nothing of the batch may be acknowledged."""

    series: list[tuple[int, Source, str, str]] = field(default_factory=list)
    samples: list[SampleRow] = field(default_factory=list)
    anchors: list[tuple[float, int]] = field(default_factory=list)
    deliveries: dict[int, bytes] = field(default_factory=dict)
    readings: dict[StreamState, list[Record]] = field(default_factory=dict)
    told: dict[StreamState, list[Row]] = field(default_factory=dict)
    new_session: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the journal is to have nothing of it."""
        return not (self.samples or self.readings or self.told or self.new_session)

    def place(
        self,
        stream: StreamState,
        series: Series,
        values: tuple[float, ...],
        time: float | None,
        arrived: float,
        back: bool = False,
    ) -> None:
        """One sample, on the grid of its series. Raises Rejected.

        The first brings what is known of covariates, and so does one from which on ticks have other dates.
        """
        anchor = series.anchor
        stream.accept(series, values, time, arrived, back)
        self.samples.append((series.ident, series.sampled, series.time, struct.pack(f"<{len(values)}d", *values)))
        if series.anchor != anchor:
            self.anchors.append((series.anchor, series.ident))
        if stream.intake.covariates and abs(series.anchor - anchor) > (stream.grid.interval or 0.0) / 2:
            for saying in stream.intake.covariates.known(series.labels):
                self.tell(stream, saying, [series])

    def tell(self, stream: StreamState, saying: Saying, some: Iterable[Series]) -> None:
        """What a message says of a covariate, to those of these series that it is for."""
        told = [one for one in some if one.tick >= 0]
        for label, level in saying.labels.items():  # many messages look through many series
            told = [one for one in told if one.labels.get(label) == level]
        for one in told:
            stream.tell(one, Told(saying.column, one.tick, one.anchor, saying.points))
        places = np.array([(one.ident, one.tick, one.anchor) for one in told], PLACE)
        self.told.setdefault(stream, []).append(Row(saying.name, saying.topic, saying.whole, saying.points, places))

    def gather(self, stream: StreamState, record: Record) -> None:
        """A reading that became part of an open tick, or a tick that the clock closed."""
        self.readings.setdefault(stream, []).append(record)

    def deliver(self, slot: int, digest: bytes) -> None:
        """A message without a time of its own."""
        self.deliveries[slot] = digest


@dataclass(frozen=True, slots=True)
class Processed:
    """What a batch led to: forecasts, commands to edge nodes, and the streams whose training it made due."""

    forecasts: list[Outgoing]
    commands: list[Outgoing]
    due: list[StreamState]
