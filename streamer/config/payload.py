"""The keys below `payload`: how a message becomes a sample, or samples of several series."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator

from streamer.config.base import Names, Section, Zone, together
from streamer.config.numbers import Numbers


class NumberPayload(Section):
    """The payload is one number as text, such as `21.4`; its time is the time of arrival."""

    format: Literal["number"] = "number"
    """Format: number (as text), array or json (JSON), influx (line protocol, Telegraf), or sparkplug (Sparkplug B)."""
    numbers: Numbers | None = None
    """How texts are read as numbers; null: as the defaults below say."""

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
    numbers: Numbers | None = None
    """How texts and booleans are read as numbers; null: as the defaults say."""
    field: ClassVar[str] = ""


def starred(fields: object) -> object:
    """Turn the string "*" or "**" into a list."""
    return [fields] if fields in ("*", "**") else fields


def alone(names: object) -> object:
    """Turn one path into a list."""
    return [names] if isinstance(names, str) else names


WildNames = Annotated[Names | None, BeforeValidator(starred, json_schema_input_type=Literal["*", "**"] | Names | None)]
OneOrMore = Annotated[Names | None, BeforeValidator(alone, json_schema_input_type=str | Names | None)]
TIME_STYLES = ("auto", "rfc3339", "s", "ms", "us", "ns")
PACKAGES = {"cbor": "cbor2", "msgpack": "msgpack"}
"""The package that reads an encoding; the extra that brings it is named as the encoding."""


class JsonPayload(Section):
    """The payload is a JSON document; paths select the values and, if given, their time."""

    format: Literal["json"]
    """Format: a JSON document."""
    encoding: Literal["json", "cbor", "msgpack"] = "json"
    """How the document is encoded: as JSON, CBOR (RFC 8949) or MessagePack. gzip, zlib and zstd are recognised."""
    value: str | Annotated[list[str], Field(min_length=1)] = "value"
    """Path of the number: keys and list positions joined by dots (`data.0.t`). A list of paths gives d > 1."""
    time: str | None = None
    """Path of the time of the sample; null takes the time of arrival."""
    time_format: str | Names = "auto"
    """Format of the time: auto (RFC 3339, or a number by its size), rfc3339, s, ms, us, ns, or strptime patterns."""
    timezone: Zone | None = None
    """IANA time zone of times without an offset (Europe/Berlin); null rejects them."""
    numbers: Numbers | None = None
    """How texts and booleans are read as numbers; null: as the defaults say, and not where `fields` has a wildcard."""
    array: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Numbers in the array at `value`, which is one sample; null: `value` is a single number."""
    fields: WildNames = None
    """Replaces value: paths of numbers, each a series. In them `*` is any key, `**` any keys on the way."""
    each: str | None = None
    """Path of several samples in one message, with `*` for any key: "*" for a list. Other paths then begin at each."""
    series: OneOrMore = None
    """Paths of texts or whole numbers that name the series, below the topic: one topic carries several devices."""

    @field_validator("time_format")
    @classmethod
    def known_format(cls, style: str | list[str]) -> str | list[str]:
        for one in [style] if isinstance(style, str) else style:
            if "%" not in one and (one not in TIME_STYLES or not isinstance(style, str)):
                raise ValueError(
                    f"{one!r}: write {', '.join(TIME_STYLES)}, or strptime patterns such as %d.%m.%Y %H:%M"
                )
        return style

    @field_validator("encoding")
    @classmethod
    def installed(cls, encoding: str) -> str:
        package = PACKAGES.get(encoding)
        if package is not None and find_spec(package) is None:
            raise ValueError(f"{encoding} needs {package}: pip install 'streamer[{encoding}]'")
        return encoding

    @together
    def one_way(self) -> Iterator[str]:
        for other in ("value", "array") if self.fields is not None else ():
            if getattr(self, other) != JsonPayload.model_fields[other].default:
                yield f"fields makes one series per path, {other} makes one series: keep one of the two"
        if isinstance(self.value, list) and self.array is not None:
            yield "value is a list of paths of numbers, so array must be null"
        for key in ("each", "series"):
            if getattr(self, key) is not None and self.d > 1:
                yield f"{key} makes samples of one number: give fields in place of array or several values"

    @together
    def wildcards_where_they_mean_something(self) -> Iterator[str]:
        paths = [path for path in (self.value, self.time, *(self.series or ())) if isinstance(path, str)]
        if any({"*", "**"} & {*path.split(".")} for path in paths):
            yield "value, time and series take no *: each is for several samples, fields for several series"
        if any(path.split(".").count("**") > 1 for path in self.fields or ()):
            yield "fields: a path may hold one **"
        if self.each is not None and "**" in self.each.split("."):
            yield "each: takes * and no **"
        if self.each is None and "@key" in paths:
            yield "@key is the key of one of several samples: give each"

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
    numbers: Numbers | None = None
    """How texts and booleans of named fields are read as numbers; null: as the defaults say."""

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

    @together
    def protobuf(self) -> Iterator[str]:
        try:
            found = find_spec("google.protobuf")
        except ModuleNotFoundError:
            found = None
        if found is None:
            yield "format: sparkplug needs protobuf: pip install 'streamer[sparkplug]'"


Payload = Annotated[
    NumberPayload | ArrayPayload | JsonPayload | InfluxPayload | SparkplugPayload, Field(discriminator="format")
]
