"""Values with labels in, in any order; the messages that a stream would have had of them out, in the order of time."""

import math
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import merge
from typing import NamedTuple

from streamer.config import Config
from streamer.errors import SourceError
from streamer.records import Message
from streamer.tools.history.table import writer

PLACE = re.compile(r"{([^{}/]+)}")
UNFIT = re.compile(r"[/+#\x00]")
"""What a level of a topic may not hold."""


class Value(NamedTuple):
    """A number, its time in seconds since 1970, and what it is of."""

    labels: tuple[tuple[str, str], ...]
    time: float
    value: float


def topic_of(template: str, labels: Mapping[str, str]) -> str:
    """The topic that a template gives with these labels. Raises SourceError where it names one that is not there."""

    def filled(place: re.Match[str]) -> str:
        if place[1] not in labels:
            raise SourceError(f"--topic {template}: no label {place[1]}; there are {', '.join(labels) or 'none'}")
        return UNFIT.sub("_", labels[place[1]])

    return PLACE.sub(filled, template)


def messages(values: Iterable[Value], template: str, config: Config) -> tuple[Iterator[Message], int]:
    """The messages, and how many there are. All is read first, 16 bytes a value, as it may come series by series.

    Raises SourceError where labels and template do not fit, two series would have one topic, or the payload of their
    stream is not one number.
    """
    series: dict[tuple[tuple[str, str], ...], tuple[array[float], array[float]]] = {}
    for labels, time, value in values:
        if math.isfinite(value):
            times, numbers = series.get(labels) or series.setdefault(labels, (array("d"), array("d")))
            times.append(time)
            numbers.append(value)
    topics = {labels: topic_of(template, dict(labels)) for labels in series}
    by_topic = {topic: labels for labels, topic in topics.items()}
    for labels, topic in topics.items():
        if by_topic[topic] != labels:
            apart = ", ".join(sorted({name for name, _ in {*labels} ^ {*by_topic[topic]}}))
            raise SourceError(
                f"--topic {template}: several series would be {topic}; tell them apart by {{…}} of: {apart}"
            )
    each = (
        of_one(topics[labels], *points, writer(topics[labels], config.streams)) for labels, points in series.items()
    )
    return merge(*each, key=lambda one: one.arrived), sum(len(times) for times, _ in series.values())


def of_one(
    topic: str, times: "array[float]", numbers: "array[float]", write: Callable[[float, float], bytes]
) -> Iterator[Message]:
    """The messages of one series, in the order of time."""
    for time, value in sorted(zip(times, numbers, strict=True)):
        yield Message(topic, write(time, value), 0, False, None, time)
