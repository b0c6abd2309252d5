"""Messages about covariates of a stream in, what they say to which series out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from streamer.config import JsonPayload, NumberPayload, Stream
from streamer.config.base import plain
from streamer.config.covariate import MOST_AHEAD, Covariate
from streamer.errors import Ignored, Rejected
from streamer.ingest.decode import decoder, loader, scalar_of
from streamer.ingest.documents import Documents
from streamer.ingest.paths import parse, pick
from streamer.ingest.times import clock
from streamer.ingest.topics import labels, matches
from streamer.records import Floats, Message

LATEST = 253402300800.0
"""The year 10000 in seconds since 1970."""
MOST_TOPICS = 1000
"""Topics of covariates, over all covariates of a stream: what the newest message on each says is remembered."""

Point = tuple[float, float]
"""Time and value."""
Read = Callable[[bytes, float], list[Point]]
"""Reads a payload that arrived at this time. Raises Rejected, Ignored."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What one message says of a covariate: points [n, 2], times and values in the order of time.

    labels: what the levels of its topic are called; it is for the series with the same ones. whole: it is all that is
    known on its topic; a single value comes beside those before, and is told with its neighbours in time.
    """

    name: str
    column: int
    topic: str
    labels: Mapping[str, str]
    points: Floats
    whole: bool = True

    def concerns(self, series: Mapping[str, str]) -> bool:
        """Whether it is for a series with these labels."""
        return all(series.get(name) == level for name, level in self.labels.items())


class Reader:
    """How the messages of one covariate are read."""

    def __init__(self, config: Covariate, column: int) -> None:
        self.config, self.column, payload = config, column, config.payload
        self.read: Read
        if not isinstance(payload, JsonPayload):
            self.read = single(payload)
        elif payload.each is not None:
            self.read = several(Documents(payload))
        else:
            self.read = columns(payload)

    def say(self, message: Message) -> Saying | None:
        """What a message says if it is of this covariate, None if it is not. Raises Rejected, Ignored."""
        if (template := self.template(message.topic)) is None:
            return None
        if self.dateless and message.retain:
            raise Rejected("retained", "a retained message without a time of its own may be of any age")
        points = np.array(sorted(self.read(message.payload, message.arrived), key=lambda point: point[0]))
        if not len(points):
            raise Ignored
        if len(points) > MOST_AHEAD:
            raise Rejected("too_large", f"{len(points)} values; at most {MOST_AHEAD} in a message of a covariate")
        if not ((points[:, 0] >= 0) & (points[:, 0] < LATEST)).all():
            raise Rejected("time", "before 1970 or after 9999")
        whole = len(points) > 1 or self.config.kind == "observed"
        return self.saying(template, message.topic, points, whole)

    def saying(self, template: str, topic: str, points: Floats, whole: bool) -> Saying:
        """What is said on a topic of this template."""
        return Saying(self.config.name, self.column, topic, labels(template, topic), points, whole)

    def template(self, topic: str) -> str | None:
        """The template of its topics that a topic is of, None where it is of none."""
        return next((one for one in self.config.topics if matches(plain(one), topic)), None)

    @property
    def dateless(self) -> bool:
        """Whether its messages have no times."""
        payload = self.config.payload
        return not isinstance(payload, JsonPayload) or payload.time is None


class Covariates:
    """All covariates of a stream, and what the newest messages said, for series that are still to come.

    newest: by covariate and topic; of messages with one value each, their values are kept together. told: messages of
    each covariate since the start.
    """

    def __init__(self, stream: Stream) -> None:
        self.readers = [Reader(one, column) for column, one in enumerate(stream.covariates)]
        self.filters = [plain(topic) for one in stream.covariates for topic in one.topics]
        self.newest: dict[tuple[str, str], Saying] = {}
        self.told = [0] * len(self.readers)

    def takes(self, topic: str) -> bool:
        """Whether a covariate has messages on this topic."""
        return any(matches(one, topic) for one in self.filters)

    def say(self, message: Message) -> Iterator[Saying | Rejected]:
        """What a message says of each covariate whose topic it has, or why it says nothing."""
        for reader in self.readers:
            try:
                if (found := reader.say(message)) is not None:
                    yield self.learn(found)
                    self.told[reader.column] += 1
            except Rejected as why:
                yield why

    def learn(self, saying: Saying) -> Saying:
        """Keep it for series to come; what is told to those that are there. Raises Rejected (series_limit)."""
        key = saying.name, saying.topic
        before = self.newest.get(key)
        if before is None and len(self.newest) >= MOST_TOPICS:
            raise Rejected("series_limit", f"covariates have {MOST_TOPICS} topics already; narrow streams[].covariates")
        if before is None or saying.whole:
            self.newest[key] = saying
            return saying
        points = merged(before.points, saying.points)[-MOST_AHEAD:]
        self.newest[key] = replace(saying, points=points)
        first, last = np.searchsorted(points[:, 0], saying.points[[0, -1], 0]).tolist()
        return replace(saying, points=points[max(0, first - 1) : last + 2])

    def repeat(self, name: str, topic: str, points: Floats, *, whole: bool) -> Saying | None:
        """What was said before, once more; None where the configuration has no such covariate any more."""
        reader = next((one for one in self.readers if one.config.name == name), None)
        if reader is None or (template := reader.template(topic)) is None:
            return None
        saying = reader.saying(template, topic, points, whole)
        with suppress(Rejected):  # topics of several configurations may be too many; series were told it all the same
            self.learn(saying)
        return saying

    def known(self, labelled: Mapping[str, str]) -> list[Saying]:
        """The newest that a series with these labels is told when it begins."""
        return [saying for saying in self.newest.values() if saying.concerns(labelled)]


def merged(before: Floats, points: Floats) -> Floats:
    """Points in the order of time, with some more, which replace those of the same times."""
    found = np.concatenate([before[~np.isin(before[:, 0], points[:, 0])], points])
    return found[np.argsort(found[:, 0], kind="stable")]


def single(payload: NumberPayload) -> Read:
    """The reader of a number, as of its arrival."""
    decode = decoder(payload)
    return lambda data, arrived: [(arrived, decode(data)[0][0])]


def several(documents: Documents) -> Read:
    """The reader of the samples that `each` finds: one that is none is a fault of the message, null is left out."""

    def points(data: bytes, arrived: float) -> list[Point]:
        content = documents.read(Message("", data, 0, False, None, arrived))
        for fault in content.faults:
            raise fault
        found = []
        for reading in content.readings:
            if isinstance(reading.value, Ignored):
                continue
            if isinstance(reading.value, Rejected):
                raise reading.value
            found.append((arrived if reading.time is None else float(reading.time), reading.value))
        return found

    return points


def columns(payload: JsonPayload) -> Read:
    """The reader of a document with one value, or with a list of values and one of their times."""
    load, read, times = loader(payload), scalar_of(payload.numbers), clock(payload.time_format, payload.timezone)
    assert isinstance(payload.value, str)
    value_path, time_path = parse(payload.value), None if payload.time is None else parse(payload.time)

    def points(data: bytes, arrived: float) -> list[Point]:
        whole = load(data)
        value = pick(whole, value_path)
        if time_path is None:
            return [(arrived, read(value))]
        time = pick(whole, time_path)
        if not isinstance(value, list) and not isinstance(time, list):
            return [(float(times(time)), read(value))]
        if not isinstance(value, list) or not isinstance(time, list) or len(value) != len(time):
            raise Rejected("shape", "as many values as times were expected, in two lists")
        return list(known(zip(time, value, strict=True)))

    def known(pairs: Iterable[tuple[Any, Any]]) -> Iterator[Point]:
        for time, value in pairs:
            if value is not None:
                yield float(times(time)), read(value)

    return points
