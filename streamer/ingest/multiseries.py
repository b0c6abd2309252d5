"""A message that is several series in, what it holds of each out; a part that is no sample is `Rejected` by itself."""

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
"""The datatype of Sparkplug that is a number of milliseconds, and no measurement."""


class Reading(NamedTuple):
    """One value: `part` tells the series among those of its source, `time` is in seconds since 1970."""

    part: str
    value: float | Rejected
    time: float | None


@dataclass(frozen=True, slots=True)
class Content:
    """What a message holds: readings of series from the source `topic`, in their order.

    fault: what is wrong beside them, to be counted once; command: what is to be published about it.
    """

    topic: str
    readings: list[Reading]
    fault: Rejected | None = None
    command: Outgoing | None = None


class Multiseries(Protocol):
    """How the messages of one stream are read; it may remember what earlier ones said."""

    def read(self, message: Message) -> Content:
        """What the message holds. Raises Rejected where that is nothing at all because of a fault."""

    def selects(self, part: str) -> bool:
        """Whether the configuration asks for series of this part."""

    def address(self, topic: str) -> str:
        """A topic that data from this source come under: what filters and templates apply to."""


def multiseries(payload: Payload, most: int) -> Multiseries | None:
    """How to read payloads of this format, of at most so many series; None where a message is one series."""
    match payload:
        case JsonPayload(fields=fields) if fields is not None:
            return JsonFields(payload)
        case InfluxPayload():
            return Lines(payload)
        case SparkplugPayload():
            return EdgeNodes(payload, most)
    return None


class JsonFields:
    """Multiseries numbers of a JSON document; the part is the path."""

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
        """The numbers of an object's own keys, but for its time."""
        return ((key, value) for key, value in whole.items() if type(value) in (float, int) and [key] != self.time)

    def selects(self, part: str) -> bool:
        return self.names is None or part in self.names

    def address(self, topic: str) -> str:
        return topic


class Lines:
    """InfluxDB line protocol; the part is `measurement,tag=value/field`, tags in the order of their names."""

    def __init__(self, payload: InfluxPayload) -> None:
        self.fields, self.precision = payload.fields, payload.precision

    def read(self, message: Message) -> Content:
        found = points(message.payload, self.precision)
        return Content(message.topic, [reading for point in found for reading in self.readings(point)])

    def readings(self, point: Point) -> Iterable[Reading]:
        """The numbers of a point; a field that is asked for by name should be one."""
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
        # A birth tells names; its values are of any age.
        data = received.metrics if received.kind in ("NDATA", "DDATA") else ()
        return Content(source, [reading for metric in data for reading in self.readings(metric)], fault, command)

    def readings(self, metric: "Metric") -> Iterable[Reading]:
        """The metric if it is a number; one that is asked for by its very name should be."""
        is_number = type(metric.value) in (float, int) and metric.datatype != DATE
        if self.selects(metric.name) if is_number else self.patterns and metric.name in self.patterns:
            yield Reading(metric.name, attempt(scalar, metric.value), metric.time)

    def selects(self, part: str) -> bool:
        return self.patterns is None or any(fnmatchcase(part, pattern) or part == pattern for pattern in self.patterns)

    def address(self, topic: str) -> str:
        namespace, group, *rest = topic.split("/")
        return "/".join((namespace, group, "NDATA" if len(rest) == 1 else "DDATA", *rest))


def at(whole: Any, path: list[str]) -> float:
    """The number that lies at a path."""
    return scalar(pick(whole, path))


def attempt(read: Callable[..., float], *given: Any) -> float | Rejected:
    """What it gives, or why it is no sample."""
    try:
        return read(*given)
    except Rejected as why:
        return why


def source_of(point: Point) -> str:
    """Measurement and tags; commas and equal signs within them are escaped as on the line."""
    name = point.measurement.replace(",", "\\,")
    tags = (f",{escaped(key)}={escaped(value)}" for key, value in sorted(point.tags.items()))
    return name + "".join(tags)


def escaped(text: str) -> str:
    """A tag's name or value."""
    return text.replace(",", "\\,").replace("=", "\\=")


def part_of(source: str, field: str) -> str:
    """A slash in a field's name is escaped: the last one that is not ends the source."""
    return source + "/" + field.replace("/", "\\/")
