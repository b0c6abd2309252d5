"""What a batch of messages adds to the journal, and what it led to."""

import struct
from dataclasses import dataclass, field

from streamer.ingest.grid import Series
from streamer.records import Outgoing
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
    new_session: bool = False

    def add(self, series: Series, values: tuple[float, ...], anchor: float) -> None:
        """The newest sample of a series; `anchor` is where its grid was laid before."""
        self.samples.append((series.ident, series.sampled, series.time, struct.pack(f"<{len(values)}d", *values)))
        if series.anchor != anchor:
            self.anchors.append((series.anchor, series.ident))

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
