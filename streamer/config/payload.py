"""The keys below `payload`: how a message becomes a sample, or samples of several series."""

from importlib.util import find_spec
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from streamer.config.base import Names, Section


class NumberPayload(Section):
    """The payload is one number as text, such as `21.4`; its time is the time of arrival."""

    format: Literal["number"] = "number"
    """Format: number (as text), array or json (JSON), influx (line protocol, Telegraf), or sparkplug (Sparkplug B)."""

    field: ClassVar[str] = ""

    @property
    def d(self) -> int:
        return 1


class ArrayPayload(Section):
    """The payload is a JSON array of d numbers; its time is the time of arrival."""

    format: Literal["array"]
    """Format: a JSON array of d numbers."""
    d: Annotated[int, Field(ge=1, le=1024)]
    """Numbers per sample."""
    field: ClassVar[str] = ""


def starred(fields: object) -> object:
    """Turn the string "*" into a list."""
    return ["*"] if fields == "*" else fields


class JsonPayload(Section):
    """The payload is a JSON document; paths select the values and, if given, their time."""

    format: Literal["json"]
    """Format: a JSON document."""
    value: str | Annotated[list[str], Field(min_length=1)] = "value"
    """Path of the number: keys and list positions joined by dots (`data.0.t`). A list of paths gives d > 1."""
    time: str | None = None
    """Path of the time of the sample; null takes the time of arrival."""
    time_format: Literal["auto", "rfc3339", "s", "ms"] = "auto"
    """Format of the time. auto: a text is RFC 3339, a number is seconds since 1970, or milliseconds from 1e11 on."""
    array: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Numbers in the array at `value`, which is one sample; null: `value` is a single number."""
    fields: Annotated[Names | None, BeforeValidator(starred, json_schema_input_type=Literal["*"] | Names | None)] = None
    """Replaces value: paths of numbers, each a series. "*" takes all numbers of the object except its time."""

    @model_validator(mode="after")
    def one_way(self) -> Self:
        for other in ("value", "array") if self.fields is not None else ():
            if getattr(self, other) != type(self).model_fields[other].default:
                raise ValueError(f"fields makes one series per path, {other} makes one series: keep one of the two")
        if isinstance(self.value, list) and self.array is not None:
            raise ValueError("value is a list of paths of numbers, so array must be null")
        return self

    @property
    def field(self) -> str:
        """Name of what is read from the payload, by which the journal tells series apart."""
        if self.fields is not None:
            return "*"
        return self.value if isinstance(self.value, str) else ",".join(self.value)

    @property
    def d(self) -> int:
        return len(self.value) if isinstance(self.value, list) else self.array or 1


class InfluxPayload(Section):
    """The payload is InfluxDB line protocol, as Telegraf sends it; each numeric field of its points is a series."""

    format: Literal["influx"]
    """Format: InfluxDB line protocol."""
    precision: Literal["ns", "us", "ms", "s"] = "ns"
    """Unit of the timestamps. Points without one take the time of arrival."""
    fields: Names | None = None
    """Names of the fields that become series; null takes every numeric field."""

    field: ClassVar[str] = "influx"
    d: ClassVar[int] = 1


class SparkplugPayload(Section):
    """The payload is Sparkplug B; each numeric metric of an edge node or device is a series."""

    format: Literal["sparkplug"]
    """Format: Sparkplug B. The daemon requests a rebirth from nodes whose metric names it does not know."""
    metrics: Names | None = None
    """Names of the metrics that become series, with * for any text and ? for one character; null takes every number."""

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
