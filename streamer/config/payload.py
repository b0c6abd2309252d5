"""The keys below `payload`: what of a message is a sample, or the samples of several series."""

from importlib.util import find_spec
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from streamer.config.base import Names, Section


class NumberPayload(Section):
    """The payload is one number in text, as `21.4`; its time is the time of arrival."""

    format: Literal["number"] = "number"
    """number: a bare number; array, json: JSON; influx: InfluxDB line protocol (Telegraf); sparkplug: Sparkplug B."""

    field: ClassVar[str] = ""

    @property
    def d(self) -> int:
        return 1


class ArrayPayload(Section):
    """The payload is a JSON array of d numbers; its time is the time of arrival."""

    format: Literal["array"]
    """A JSON array of d numbers."""
    d: Annotated[int, Field(ge=1, le=1024)]
    """Elements per sample."""
    field: ClassVar[str] = ""


def starred(fields: object) -> object:
    """A star alone as the list of it."""
    return ["*"] if fields == "*" else fields


class JsonPayload(Section):
    """The payload is a JSON document from which values, and perhaps their time, are picked by path."""

    format: Literal["json"]
    """Values picked from a JSON document."""
    value: str | Annotated[list[str], Field(min_length=1)] = "value"
    """Path of the number, keys and list positions joined by dots (`data.0.t`); a list of paths for d > 1."""
    time: str | None = None
    """Path of the sample's time; null takes the time of arrival."""
    time_format: Literal["auto", "rfc3339", "s", "ms"] = "auto"
    """auto: a text is RFC 3339, a number is epoch seconds, or epoch milliseconds from 1e11 on."""
    array: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Elements of the array at `value`, for d > 1 in one array; null for a number."""
    fields: Annotated[Names | None, BeforeValidator(starred, json_schema_input_type=Literal["*"] | Names | None)] = None
    """In place of value: paths of numbers that are a series each; "*" for every number of the object but its time."""

    @model_validator(mode="after")
    def one_way(self) -> Self:
        for other in ("value", "array") if self.fields is not None else ():
            if getattr(self, other) != type(self).model_fields[other].default:
                raise ValueError(f"fields are a series each, and {other} makes one series: keep one of the two")
        if isinstance(self.value, list) and self.array is not None:
            raise ValueError("value is a list of paths, so array must be null")
        return self

    @property
    def field(self) -> str:
        """What of the payload is the value, as a text."""
        if self.fields is not None:
            return "*"
        return self.value if isinstance(self.value, str) else ",".join(self.value)

    @property
    def d(self) -> int:
        return len(self.value) if isinstance(self.value, list) else self.array or 1


class InfluxPayload(Section):
    """The payload is InfluxDB line protocol, as Telegraf sends it; each number of its points is a series of its own."""

    format: Literal["influx"]
    """InfluxDB line protocol."""
    precision: Literal["ns", "us", "ms", "s"] = "ns"
    """Unit of the timestamps; points without one take the time of arrival."""
    fields: Names | None = None
    """Names of the fields that are series; null takes every number."""

    field: ClassVar[str] = "influx"
    d: ClassVar[int] = 1


class SparkplugPayload(Section):
    """The payload is Sparkplug B; every metric of an edge node or device that is a number is a series of its own."""

    format: Literal["sparkplug"]
    """Sparkplug B; the daemon asks an edge node for a rebirth where it lacks the names of its metrics."""
    metrics: Names | None = None
    """Names of the metrics that are series, in which * stands for any text and ? for a character; null takes all."""

    field: ClassVar[str] = "sparkplug"
    d: ClassVar[int] = 1

    @model_validator(mode="after")
    def protobuf(self) -> Self:
        try:
            found = find_spec("google.protobuf")
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise ValueError("format: sparkplug needs protobuf: pip install 'streamer[sparkplug]'")
        return self


Payload = Annotated[
    NumberPayload | ArrayPayload | JsonPayload | InfluxPayload | SparkplugPayload, Field(discriminator="format")
]
