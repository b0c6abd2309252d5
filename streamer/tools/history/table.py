"""Rows of a table in, the messages that a stream would have had of them out."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from typing import Any

import orjson

from streamer.config import Config, Stream
from streamer.config.payload import JsonPayload, NumberPayload
from streamer.errors import SourceError
from streamer.ingest.paths import Path, parse
from streamer.ingest.topics import matches
from streamer.publish.encode import rfc3339
from streamer.records import Message
from streamer.tools.replay.sample import Sample
from streamer.tools.replay.sources import each_on_its_own

STYLES: dict[str, Callable[[float], Any]] = {
    "auto": rfc3339,
    "rfc3339": rfc3339,
    "s": lambda moment: moment,
    "ms": lambda moment: round(1000 * moment),
    "us": lambda moment: round(1e6 * moment),
    "ns": lambda moment: round(1e6 * moment) * 1000,
}
"""How a time is written for each `time_format`."""
Write = Callable[[float, float], bytes]
"""A payload of a time and a value."""


def messages(samples: Iterable[Sample], topics: Sequence[str], config: Config) -> Iterator[Message]:
    """Recorded messages as they were; of a table's rows a message for each value, in the form that its stream reads.

    They arrive at their own times. Raises SourceError where columns and topics do not fit, or a stream's payload is
    not one number.
    """
    writers = {topic: writer(topic, config.streams) for topic in topics}
    for one in each_on_its_own(samples, topics):
        topic = one.topic
        assert topic is not None
        if one.payload is not None:
            yield Message(topic, one.payload, one.qos or 0, bool(one.retain), None, one.time)
        elif not math.isnan(value := one.values[0]):
            yield Message(topic, writers[topic](one.time, value), 0, False, None, one.time)


def writer(topic: str, streams: Sequence[Stream]) -> Write:
    """What writes payloads for the stream that a topic belongs to. Raises SourceError."""
    stream = stream_of(topic, streams)
    payload = stream.payload
    if isinstance(payload, NumberPayload):
        return lambda _, value: orjson.dumps(value)
    if isinstance(payload, JsonPayload) and plain(payload):
        values: Sequence[str | list[str]] = payload.fields or [payload.value]
        return nested(parse(str(values[0])), payload.time and parse(payload.time), STYLES[str(payload.time_format)])
    raise SourceError(
        f"--topic {topic}: a column is one number, and a message of stream {stream.name} is more than a JSON document "
        "of one number and its time; import a recording of its messages"
    )


def stream_of(topic: str, streams: Sequence[Stream]) -> Stream:
    """The stream that a topic belongs to. Raises SourceError."""
    taken = (any(matches(one, topic) for one in stream.filters) for stream in streams)
    stream = next(compress(streams, taken), None)
    if stream is None:
        raise SourceError(f"--topic {topic}: no stream of the configuration selects it")
    return stream


def plain(payload: JsonPayload) -> bool:
    """Whether messages are JSON documents of one number, and perhaps its time in a usual form."""
    values: Sequence[str | list[str]] = payload.fields or [payload.value]
    one = len(values) == 1 and isinstance(values[0], str) and "*" not in values[0] and payload.array is None
    usual = payload.encoding == "json" and payload.each is None and payload.series is None
    return one and usual and isinstance(payload.time_format, str) and payload.time_format in STYLES


def nested(value: Path, time: Path | None, style: Callable[[float], Any]) -> Write:
    """Documents with a value and a time at these paths."""

    def write(moment: float, number: float) -> bytes:
        document: dict[str, Any] = {}
        put(document, value, number)
        if time:
            put(document, time, style(moment))
        return orjson.dumps(document)

    return write


def put(document: dict[str, Any], path: Path, value: Any) -> None:
    """Set what stands at a path of keys."""
    *above, last = map(str, path)
    for key in above:
        document = document.setdefault(key, {})
    document[last] = value
