"""An edge node for tests: Sparkplug B payloads, written by protobuf from the fields of the published protocol."""

from typing import Any, cast

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

KINDS = FieldDescriptorProto.Type
METRIC = (
    "string name, uint64 alias, uint64 timestamp, uint32 datatype, bool is_historical, bool is_transient, bool is_null,"
    " bytes metadata, bytes properties, uint32 int_value, uint64 long_value, float float_value, double double_value,"
    " bool boolean_value, string string_value, bytes bytes_value"
)
"""In the order of their numbers, from 1; two messages in messages, which nothing here writes, as bytes."""


def payload_class() -> Any:
    """What protoc would make of it."""
    one, many = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED
    file = FileDescriptorProto(name="sparkplug_b.proto", package="org.eclipse.tahu.protobuf", syntax="proto2")
    payload, metric = file.message_type.add(name="Payload"), file.message_type.add(name="Metric")
    metric.oneof_decl.add(name="value")
    for number, field in enumerate(METRIC.split(","), 1):
        kind, name = field.split()
        made = metric.field.add(name=name, number=number, label=one)
        made.type = cast(Any, KINDS.Value(f"TYPE_{kind.upper()}"))
        if name.endswith("_value"):
            made.oneof_index = 0
    payload.field.add(name="timestamp", number=1, type=KINDS.Value("TYPE_UINT64"), label=one)
    metrics = payload.field.add(name="metrics", number=2, type=KINDS.Value("TYPE_MESSAGE"), label=many)
    metrics.type_name = ".org.eclipse.tahu.protobuf.Metric"
    payload.field.add(name="seq", number=3, type=KINDS.Value("TYPE_UINT64"), label=one)
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("org.eclipse.tahu.protobuf.Payload"))


Payload = payload_class()


def payload(seq: int, *metrics: dict[str, Any], time: float | None = None) -> bytes:
    """A message of these metrics; `time` in seconds since 1970."""
    made = Payload(seq=seq) if time is None else Payload(seq=seq, timestamp=round(time * 1000))
    for metric in metrics:
        made.metrics.add(**metric)
    data: bytes = made.SerializeToString()
    return data


def double(value: float, **fields: Any) -> dict[str, Any]:
    """A metric of datatype Double."""
    return {"datatype": 10, "double_value": value, **fields}
