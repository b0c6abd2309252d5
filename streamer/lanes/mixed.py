"""The newest samples of series in, a warning out for each that looks like several devices on one topic."""

import logging
from collections.abc import Iterable, Iterator

import numpy as np

from streamer.config import JsonPayload, NumberPayload
from streamer.ingest.grid import Series
from streamer.records import Floats
from streamer.store.journal import Journal
from streamer.stream.state import StreamState

log = logging.getLogger("streamer.ingest")

ENOUGH = 64
"""Samples of a series that are looked at, once."""
FEW = 50
"""Series that are looked at after one snapshot."""
MOST_LEVELS = 6
APART = 3.0
"""Least distance between two levels, in multiples of what the values of the widest level spread over."""
SWITCHES = 0.3
"""Least share of the samples that are of another level than the one before."""
LEAST = 0.1
"""Least share of the samples on each level."""


def warn(streams: Iterable[StreamState], journal: Journal) -> None:
    """Look at the next few series with enough samples. Raises StateError."""
    for stream in streams:
        for series in candidates(stream):
            stream.index.looked.add(series.row)
            _, values = journal.newest(series.ident, ENOUGH)
            if len(values) == ENOUGH and (count := levels(values[:, 0])):
                text = "several devices? stream=%s series=%r: values jump between %d levels; %s"
                log.warning(text, stream.name, series.name, count, remedy(stream))


def candidates(stream: StreamState) -> Iterator[Series]:
    """Series whose messages could be of several devices, and that nobody has looked at."""
    payload = stream.config.payload
    if payload.d > 1 or not isinstance(payload, (JsonPayload, NumberPayload)) or getattr(payload, "series", None):
        return
    left = FEW
    for series in stream.series:
        if series.held >= ENOUGH and series.row not in stream.index.looked:
            yield series
            left -= 1
            if not left:
                return


def remedy(stream: StreamState) -> str:
    """What to do about it."""
    if isinstance(stream.config.payload, JsonPayload):
        return "name what tells them apart in payload.series"
    return "give each device a topic of its own"


def levels(values: Floats) -> int:
    """How many levels [T] values jump between at every few samples, 0 where they do not.

    Where each level is one value, as of a switch, there is nothing to tell devices from.
    """
    order = np.sort(values)
    gaps = np.diff(order)
    for count in range(2, MOST_LEVELS + 1):
        cuts = np.sort(np.argsort(gaps)[-(count - 1) :]) + 1
        parts = np.split(order, cuts)
        spread = max(float(part[-1] - part[0]) for part in parts)
        if min(map(len, parts)) < LEAST * len(values) or not 0 < APART * spread < gaps[cuts - 1].min():
            continue
        level = np.searchsorted(order[cuts], values, side="right")
        return count if np.mean(level[1:] != level[:-1]) >= SWITCHES else 0
    return 0
