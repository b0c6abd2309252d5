"""Readings of streams whose samples are made of several, or are differences, in; their samples accepted."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from streamer.errors import Rejected
from streamer.ingest.gather import Gather, Key, Made
from streamer.ingest.times import Doubled
from streamer.ingest.topics import joined
from streamer.lanes.accepted import Accepted
from streamer.records import Message
from streamer.stream.state import StreamState

if TYPE_CHECKING:
    from streamer.lanes.fast import FastLane

PATIENCE = 1.0
"""Seconds without a message after which it is seen whether the clock closes ticks."""


def take(
    lane: "FastLane", stream: StreamState, key: Key, values: tuple[float, ...], time: float | None, message: Message
) -> None:
    """One reading: part of an open tick, and the samples that it leads to. Raises Rejected."""
    gather, accepted, arrived = stream.gather, lane.open, message.arrived
    assert gather is not None
    assert accepted is not None
    if key not in gather.ongoing:
        lane.admit(stream, *key)
        lane.routing.learn(message.topic, stream, None)
    at, dated = (arrived, False) if time is None else (time + 0.0, True)
    try:
        made = gather.take(key, at, values, arrived, dated)
    except Rejected:
        if not isinstance(time, Doubled) or time.later > arrived + stream.intake.max_ahead:
            raise
        at = time.later
        made = gather.take(key, at, values, arrived)
    accepted.gather(stream, (*key, at, values, dated))
    stream.counts.gather()
    if made:
        settle(lane, stream, key, made, arrived, accepted)


def settle(
    lane: "FastLane", stream: StreamState, key: Key, made: Iterable[Made], arrived: float, accepted: Accepted
) -> None:
    """Samples of one series, each of which is accepted or rejected by itself."""
    for one in made:
        try:
            if isinstance(one.values, Rejected):
                raise one.values
            series = stream.index.parts.get(key)
            if series is None:
                series = lane.introduce(stream, *key, accepted)
            anchor = series.anchor
            stream.accept(series, one.values, one.time, arrived, one.back)
            accepted.add(series, one.values, anchor)
        except Rejected as rejected:
            lane.reject(stream, joined(*key), rejected)


def close(lane: "FastLane", accepted: Accepted) -> None:
    """Close the ticks that the clock closes now."""
    for stream in lane.streams:
        if stream.gather is not None and stream.gather.overdue:
            close_overdue(lane, stream, stream.gather, lane.clock(), accepted)


def close_overdue(lane: "FastLane", stream: StreamState, gather: Gather, now: float, accepted: Accepted) -> None:
    """The same of one stream."""
    for key in gather.due(now):
        made = gather.close(key)
        accepted.gather(stream, (*key, None, (), False))
        settle(lane, stream, key, made, now, accepted)


def patience(streams: Iterable[StreamState]) -> float | None:
    """Seconds without a message after which the lane wants an empty batch; None where it wants none."""
    return PATIENCE if any(stream.gather is not None for stream in streams) else None
