"""Sparkplug B messages in, metrics with their names out, and whether the edge node needs a rebirth command.

Source: Sparkplug 3.0.0 (https://sparkplug.eclipse.org/specification/), chapters 4 (topics), 5 (births, deaths,
rebirths) and 6 (payloads). It needs google's protobuf; the message types are built from the table of fields below, so
that no generated code is kept.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from streamer.errors import Rejected
from streamer.records import Outgoing

Kind = Literal["NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH"]
Value = float | int | bool | str | None

NAMESPACE = "spBv1.0"
KINDS: Final = {"NBIRTH": 4, "DBIRTH": 5, "NDATA": 4, "DDATA": 5, "NDEATH": 4, "DDEATH": 5}  # levels of their topics
NO_SERIES = ("bdSeq", "Node Control/", "Device Control/")
"""Prefixes of metrics that belong to the protocol and are not series."""
REBIRTH_SECONDS = 30.0
"""Shortest time between two rebirth commands to a node; every host may send them, and all receive each birth."""

SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}
"""Bits of Int8, Int16, Int32 and Int64, by datatype; they are sent as unsigned numbers."""
BOOLEAN = 11

# Number, name and type of the fields that are read, from sparkplug_b.proto in chapter 6; DataSets, Templates and arrays
# are left out. Texts are declared as bytes, because protobuf implementations treat invalid UTF-8 differently.
FIELDS: dict[str, list[tuple[int, str, int]]] = {
    "Payload": [
        (1, "timestamp", FieldDescriptorProto.TYPE_UINT64),
        (2, "metrics", FieldDescriptorProto.TYPE_MESSAGE),
        (3, "seq", FieldDescriptorProto.TYPE_UINT64),
    ],
    "Metric": [
        (1, "name", FieldDescriptorProto.TYPE_BYTES),
        (2, "alias", FieldDescriptorProto.TYPE_UINT64),
        (3, "timestamp", FieldDescriptorProto.TYPE_UINT64),
        (4, "datatype", FieldDescriptorProto.TYPE_UINT32),
        (5, "is_historical", FieldDescriptorProto.TYPE_BOOL),
        (7, "is_null", FieldDescriptorProto.TYPE_BOOL),
        (10, "int_value", FieldDescriptorProto.TYPE_UINT32),
        (11, "long_value", FieldDescriptorProto.TYPE_UINT64),
        (12, "float_value", FieldDescriptorProto.TYPE_FLOAT),
        (13, "double_value", FieldDescriptorProto.TYPE_DOUBLE),
        (14, "boolean_value", FieldDescriptorProto.TYPE_BOOL),
        (15, "string_value", FieldDescriptorProto.TYPE_BYTES),
    ],
}


def _payload_class() -> Any:
    """The message class that protoc would generate from FIELDS."""
    file = FileDescriptorProto(name="sparkplug.proto", package="sparkplug", syntax="proto2")
    for message, fields in FIELDS.items():
        described = file.message_type.add(name=message)
        for number, name, kind in fields:
            one = described.field.add(name=name, number=number, type=cast(Any, kind))
            one.label = FieldDescriptorProto.LABEL_OPTIONAL
            if kind == FieldDescriptorProto.TYPE_MESSAGE:
                one.label, one.type_name = FieldDescriptorProto.LABEL_REPEATED, ".sparkplug.Metric"
            if name.endswith("_value"):
                one.oneof_index = 0
        if message == "Metric":
            described.oneof_decl.add(name="value")
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("sparkplug.Payload"))


Payload = _payload_class()


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `datatype` is the number of chapter 6 (9 Float, 10 Double, 11 Boolean), `time` in seconds since 1970.

    `value` is None if it is null or not a single value; `historical`: a past value, not the newest.
    """

    name: str
    datatype: int
    value: Value
    time: float | None
    historical: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """The content of a message. node: "group/edge node"; lost: messages missing before it, modulo 256.

    unknown: number of metrics left out because no birth has named them; rebirth: whether to publish `rebirth(node)`
    now, as names are missing or may have changed.
    """

    kind: Kind
    node: str
    device: str | None
    metrics: tuple[Metric, ...] = ()
    lost: int = 0
    rebirth: bool = False
    unknown: int = 0


Table = dict[int | str, tuple[str, int]]
"""Name and datatype of each metric of a birth, by alias and by name."""


@dataclass(slots=True)
class Node:
    """State of an edge node.

    born: an NBIRTH has come, and no death since; seq, bd_seq: its newest sequence numbers; tables: names of metrics by
    device, None for the node itself; asked: time of the last rebirth command.
    """

    born: bool = False
    seq: int | None = None
    bd_seq: Value = None
    tables: dict[str | None, Table] = field(default_factory=dict)
    asked: float = -math.inf

    def lost(self, payload: Any) -> int:
        """Number of messages missing between the last one and this one, modulo 256."""
        if not payload.HasField("seq"):
            return 0
        before, self.seq = self.seq, payload.seq
        return 0 if before is None else (payload.seq - before - 1) % 256

    def bury(self) -> None:
        """Forget the names of its metrics and of its devices' metrics."""
        self.born, self.seq = False, None
        self.tables.clear()

    def receive(self, kind: Kind, name: str, device: str | None, payload: Any, now: float) -> Received:
        """Apply its next message; messages must be given in order of arrival."""
        if kind == "NDEATH":
            if not self.born or _bd_seq(payload) == self.bd_seq:  # otherwise it is the will of an earlier session
                self.bury()
            return Received(kind, name, device)
        if kind == "NBIRTH":
            self.bury()
            self.born, self.bd_seq = True, _bd_seq(payload)
        lost = self.lost(payload)
        if kind in ("NBIRTH", "DBIRTH"):
            self.tables[device] = _table(payload.metrics)
        elif kind == "DDEATH":
            self.tables.pop(device, None)
        metrics, unknown = _named(payload, self.tables.get(device, {}))
        asked_lately = 0 <= now - self.asked < REBIRTH_SECONDS  # false after the clock was set back
        rebirth = bool(unknown or lost or not self.born) and not asked_lately
        if rebirth:
            self.asked = now
        return Received(kind, name, device, metrics, lost, rebirth, unknown)


class Host:
    """All edge nodes seen so far; `receive` takes every message of `spBv1.0/#`, in order of arrival.

    `most` bounds the number of edge nodes and tables together, so that traffic cannot fill the memory.
    """

    def __init__(self, most: int = 100_000) -> None:
        self.nodes: dict[str, Node] = {}
        self.most, self.tables = most, 0

    def receive(self, topic: str, data: bytes, now: float) -> Received | None:
        """The content of the message, or None for commands and STATE; `now` is in seconds, of any clock.

        Metrics that no birth has named are left out. `rebirth` is true if there are some, after a lost message, and
        before the first birth, but at most once in REBIRTH_SECONDS for a node. Raises Rejected: path (no Sparkplug
        topic), empty, syntax, series_limit.
        """
        address = _address(topic)
        if address is None:
            return None
        kind, name, device = address
        payload = _parse(data)
        node = self.nodes.get(name)
        if node is None or (kind in ("NBIRTH", "DBIRTH") and device not in node.tables):
            if len(self.nodes) + self.tables >= self.most:
                raise Rejected("series_limit", f"edge nodes and devices together are more than {self.most}")
            node = self.nodes.setdefault(name, Node())
        before = len(node.tables)
        received = node.receive(kind, name, device, payload, now)
        self.tables += len(node.tables) - before
        return received


def rebirth(node: str, time: float) -> Outgoing:
    """The command that makes the node "group/edge node" publish its births again; time in seconds since 1970."""
    milliseconds = round(time * 1000)
    payload = Payload(timestamp=milliseconds)
    payload.metrics.add(name=b"Node Control/Rebirth", timestamp=milliseconds, datatype=BOOLEAN, boolean_value=True)
    group, edge = node.split("/")
    return Outgoing(f"{NAMESPACE}/{group}/NCMD/{edge}", payload.SerializeToString(), 0, False)


def _address(topic: str) -> tuple[Kind, str, str | None] | None:
    """Kind, node and device of a topic; None for the topics of commands and of STATE."""
    parts = topic.split("/")
    if parts[0] == NAMESPACE and len(parts) > 2:
        if parts[1] == "STATE" or parts[2] in ("NCMD", "DCMD"):
            return None
        if KINDS.get(parts[2]) == len(parts):
            return cast(Kind, parts[2]), f"{parts[1]}/{parts[3]}", parts[4] if len(parts) == 5 else None
    raise Rejected("path", "no Sparkplug topic: spBv1.0/group/NBIRTH and the like/edge node[/device]")


def _parse(data: bytes) -> Any:
    if not data:
        raise Rejected("empty", "no payload")
    try:
        payload = Payload.FromString(data)
        for metric in payload.metrics:
            # Invalid UTF-8 must be rejected before the message changes any state.
            _ = metric.name.decode(), metric.string_value.decode()
    except (DecodeError, UnicodeDecodeError) as error:
        raise Rejected("syntax", f"not Sparkplug B: {error}") from None
    return payload


def _bd_seq(payload: Any) -> Value:
    """The value of bdSeq, which is the same in a birth and its death."""
    return next((_value(metric, metric.datatype) for metric in payload.metrics if metric.name == b"bdSeq"), None)


def _table(metrics: Iterable[Any]) -> Table:
    table: Table = {}
    for metric in metrics:
        if name := metric.name.decode():
            table[name] = name, metric.datatype
            if metric.HasField("alias"):
                table[metric.alias] = name, metric.datatype
    return table


def _named(payload: Any, table: Table) -> tuple[tuple[Metric, ...], int]:
    """The metrics whose name or alias is in the table, and the number of those that are not."""
    named, unknown = [], 0
    for metric in payload.metrics:
        known = table.get(metric.name.decode() or (metric.alias if metric.HasField("alias") else ""))
        if known is None:
            unknown += 1
        elif not known[0].startswith(NO_SERIES):
            name, datatype = known
            source = metric if metric.HasField("timestamp") else payload
            time = source.timestamp / 1000 if source.HasField("timestamp") else None
            named.append(Metric(name, datatype, _value(metric, datatype), time, metric.is_historical))
    return tuple(named), unknown


def _value(metric: Any, datatype: int) -> Value:
    kind = metric.WhichOneof("value")
    if kind is None or metric.is_null:
        return None
    if kind == "string_value":
        return cast(str, metric.string_value.decode())
    value: Value = getattr(metric, kind)
    bits = SIGNED.get(datatype)
    if bits is not None and type(value) is int:
        value &= (1 << bits) - 1  # some senders extend the sign to 32 bits
        return value - (1 << bits) if value >> (bits - 1) else value
    return value
