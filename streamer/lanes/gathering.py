"""Readings of streams whose samples are made of several, or are differences, in; their samples accepted."""

from collections.abc import Iterable

from streamer.errors import Rejected
from streamer.ingest.gather import Key, Made
from streamer.ingest.ongoing import Values
from streamer.ingest.times import Doubled
from streamer.ingest.topics import joined
from streamer.lanes.accepted import Accepted
from streamer.lanes.admission import Admission
from streamer.records import Message
from streamer.stream.state import StreamState

PATIENCE = 1.0
"""Seconds without a message after which it is seen whether the clock closes ticks."""


def take(
    admission: Admission,
    accepted: Accepted,
    stream: StreamState,
    key: Key,
    values: Values,
    time: float | None,
    message: Message,
) -> None:
    """One reading: part of an open tick, and the samples that it leads to. Raises Rejected."""
    gather, arrived = stream.gather, message.arrived
    assert gather is not None
    if key not in gather.ongoing:
        admission.admit(stream, *key)
        admission.routing.learn(message.topic, stream, None)
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
        settle(admission, accepted, stream, key, made, arrived)


def settle(
    admission: Admission, accepted: Accepted, stream: StreamState, key: Key, made: Iterable[Made], arrived: float
) -> None:
    """Samples of one series, each of which is accepted or rejected by itself."""
    for one in made:
        try:
            if isinstance(one.values, Rejected):
                raise one.values
            series = stream.index.parts.get(key)
            if series is None:
                series = admission.introduce(stream, *key, accepted)
            accepted.place(stream, series, one.values, one.time, arrived, one.back)
        except Rejected as rejected:
            admission.reject(stream, joined(*key), rejected)


def close(admission: Admission, accepted: Accepted, streams: Iterable[StreamState], now: float) -> None:
    """Close the ticks that the clock closes now."""
    for stream in streams:
        if stream.gather is not None:
            for key in stream.gather.due(now):
                made = stream.gather.close(key)
                accepted.gather(stream, (*key, None, (), False))
                settle(admission, accepted, stream, key, made, now)


def patience(streams: Iterable[StreamState]) -> float | None:
    """Seconds without a message after which the lane wants an empty batch; None where it wants none."""
    return PATIENCE if any(stream.gather is not None for stream in streams) else None
