"""A multiseries message in, a reading of each of its series out; each faulty part is rejected by itself."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from streamer.config import InfluxPayload, JsonPayload, Payload, SparkplugPayload
from streamer.errors import Rejected
from streamer.ingest.decode import Scalar, scalar, scalar_of
from streamer.ingest.documents import Documents
from streamer.ingest.influx import Point, points
from streamer.ingest.readings import Content, Reading, attempt
from streamer.records import Message

if TYPE_CHECKING:
    from streamer.ingest.sparkplug import Metric

DATE = 13
"""Sparkplug's datatype DateTime: a number (of milliseconds), but not a measurement."""


class Multiseries(Protocol):
    """Reads the multiseries messages of one stream; it may keep state between messages."""

    def read(self, message: Message) -> Content:
        """The content of the message. Raises Rejected if a fault makes it unreadable as a whole."""

    def selects(self, part: str) -> bool:
        """Whether the configuration selects the series of this part."""

    def address(self, topic: str) -> str:
        """A topic on which data of this source arrives; filters and templates are matched with it."""


def multiseries(payload: Payload, most: int) -> Multiseries | None:
    """The reader for payloads of this format with at most `most` series; None where each topic is one series."""
    match payload:
        case JsonPayload() if payload.fields is not None or payload.each is not None or payload.series is not None:
            return Documents(payload)
        case InfluxPayload():
            return Lines(payload)
        case SparkplugPayload():
            return EdgeNodes(payload, most)
    return None


class Lines:
    """InfluxDB line protocol; the part is `measurement,tag=value/field`, with tags sorted by name."""

    def __init__(self, payload: InfluxPayload) -> None:
        self.fields, self.precision = payload.fields, payload.precision
        self.named: Scalar = scalar_of(payload.numbers)

    def read(self, message: Message) -> Content:
        found, faults = points(message.payload, self.precision)
        return Content(message.topic, [reading for point in found for reading in self.readings(point)], faults)

    def readings(self, point: Point) -> Iterable[Reading]:
        """A reading of each selected field; without a selection, of each number.

        A selected field that is not read as a number is rejected.
        """
        source = source_of(point)
        for name, value in point.fields.items():
            if name in self.fields if self.fields is not None else not isinstance(value, str | bool):
                yield Reading(part_of(source, name), attempt(self.named, value), point.time)

    def selects(self, part: str) -> bool:
        return self.fields is None or any(part.endswith(part_of("", name)) for name in self.fields)

    def address(self, topic: str) -> str:
        return topic


class EdgeNodes:
    """Sparkplug B; the source is `spBv1.0/group/edge node[/device]`, the part a metric's name."""

    def __init__(self, payload: SparkplugPayload, most: int) -> None:
        from streamer.ingest import sparkplug  # protobuf is an extra

        self.protocol, self.patterns = sparkplug, payload.metrics
        self.host = sparkplug.Host(2 * most)

    def read(self, message: Message) -> Content:
        received = self.host.receive(message.topic, message.payload, message.arrived)
        if received is None:
            return Content(message.topic, [])
        source = "/".join(filter(None, (self.protocol.NAMESPACE, received.node, received.device)))
        command = self.protocol.rebirth(received.node, message.arrived) if received.rebirth else None
        faults = (Rejected("alias", f"{received.unknown} metrics that no birth has named"),) if received.unknown else ()
        # The values of a birth may be of any age.
        data = received.metrics if received.kind in ("NDATA", "DDATA") else ()
        return Content(source, [reading for metric in data for reading in self.readings(metric)], faults, command)

    def readings(self, metric: "Metric") -> Iterable[Reading]:
        """The reading of a selected metric if it is a number.

        Other metrics are rejected if they are selected by their exact name, and else left out.
        """
        is_number = type(metric.value) in (float, int) and metric.datatype != DATE
        if self.selects(metric.name) if is_number else self.patterns and metric.name in self.patterns:
            yield Reading(metric.name, attempt(scalar, metric.value), metric.time)

    def selects(self, part: str) -> bool:
        return self.patterns is None or any(fnmatchcase(part, pattern) or part == pattern for pattern in self.patterns)

    def address(self, topic: str) -> str:
        namespace, group, *rest = topic.split("/")
        return "/".join((namespace, group, "NDATA" if len(rest) == 1 else "DDATA", *rest))


def source_of(point: Point) -> str:
    """Measurement and tags, with commas and equal signs in them escaped as in line protocol."""
    name = point.measurement.replace(",", "\\,")
    tags = (f",{escaped(key)}={escaped(value)}" for key, value in sorted(point.tags.items()))
    return name + "".join(tags)


def escaped(text: str) -> str:
    """The name or value of a tag, escaped as in line protocol."""
    return text.replace(",", "\\,").replace("=", "\\=")


def part_of(source: str, field: str) -> str:
    """The part of a field: source, slash, name. Slashes in the name are escaped, so that the source stays separable."""
    return source + "/" + field.replace("/", "\\/")
