"""A multiseries message in, a reading of each of its series out; each faulty part is rejected by itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from streamer.config import InfluxPayload, JsonPayload, Payload, SparkplugPayload
from streamer.errors import Rejected
from streamer.ingest.decode import document, moment, pick, scalar
from streamer.ingest.influx import Point, points
from streamer.records import Message, Outgoing

if TYPE_CHECKING:
    from streamer.ingest.sparkplug import Metric

DATE = 13
"""Sparkplug's datatype DateTime: a number (of milliseconds), but not a measurement."""


class Reading(NamedTuple):
    """One value, or the reason why it is no sample: `part` names the series, `time` is in seconds since 1970."""

    part: str
    value: float | Rejected
    time: float | None


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a message: readings of series of the source `topic`, in order.

    fault: a fault of the message besides its readings, counted once; command: a message to publish in response.
    """

    topic: str
    readings: list[Reading]
    fault: Rejected | None = None
    command: Outgoing | None = None


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
        case JsonPayload(fields=fields) if fields is not None:
            return JsonFields(payload)
        case InfluxPayload():
            return Lines(payload)
        case SparkplugPayload():
            return EdgeNodes(payload, most)
    return None


class JsonFields:
    """Several numbers of a JSON document; the part is the path."""

    def __init__(self, payload: JsonPayload) -> None:
        self.names = None if payload.fields == ["*"] else payload.fields
        self.paths = [(path, path.split(".")) for path in self.names or ()]
        self.time = payload.time.split(".") if payload.time is not None else None
        self.style = payload.time_format

    def read(self, message: Message) -> Content:
        whole = document(message.payload)
        if self.names is None and not isinstance(whole, dict):
            raise Rejected("type", f"an object was expected, not {type(whole).__name__}")
        time = None if self.time is None else moment(pick(whole, self.time), self.style)
        if self.names is not None:
            readings = [Reading(part, attempt(at, whole, path), time) for part, path in self.paths]
        else:
            readings = [Reading(key, attempt(scalar, value), time) for key, value in self.numbers(whole)]
        return Content(message.topic, readings)

    def numbers(self, whole: dict[str, Any]) -> Iterable[tuple[str, float]]:
        """The numbers among the top-level values of an object, without its time."""
        return ((key, value) for key, value in whole.items() if type(value) in (float, int) and [key] != self.time)

    def selects(self, part: str) -> bool:
        return self.names is None or part in self.names

    def address(self, topic: str) -> str:
        return topic


class Lines:
    """InfluxDB line protocol; the part is `measurement,tag=value/field`, with tags sorted by name."""

    def __init__(self, payload: InfluxPayload) -> None:
        self.fields, self.precision = payload.fields, payload.precision

    def read(self, message: Message) -> Content:
        found = points(message.payload, self.precision)
        return Content(message.topic, [reading for point in found for reading in self.readings(point)])

    def readings(self, point: Point) -> Iterable[Reading]:
        """A reading of each selected field; without a selection, of each number.

        A selected field that is not a number is rejected.
        """
        source = source_of(point)
        for name, value in point.fields.items():
            if name in self.fields if self.fields is not None else not isinstance(value, str | bool):
                yield Reading(part_of(source, name), attempt(scalar, value), point.time)

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
        fault = Rejected("alias", f"{received.unknown} metrics that no birth has named") if received.unknown else None
        # The values of a birth may be of any age.
        data = received.metrics if received.kind in ("NDATA", "DDATA") else ()
        return Content(source, [reading for metric in data for reading in self.readings(metric)], fault, command)

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


def at(whole: Any, path: list[str]) -> float:
    """The number at a path of a JSON document."""
    return scalar(pick(whole, path))


def attempt(read: Callable[..., float], *given: Any) -> float | Rejected:
    """The value that `read` returns, or the rejection that it raises."""
    try:
        return read(*given)
    except Rejected as why:
        return why


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
