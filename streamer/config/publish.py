"""The keys of `publish`: what is published of a stream, on which topic, and how it is announced."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from streamer.config.base import LABEL, QoS, Section, Ticks, check_template

Quantile = Annotated[float, Field(gt=0, lt=1)]


class HomeAssistant(Section):
    """Announces every series to Home Assistant as a device, by its MQTT device discovery."""

    prefix: Annotated[str, Field(pattern=r"^[^+#/\x00]+(/[^+#/\x00]+)*$")] = "homeassistant"
    """Discovery prefix of Home Assistant. The daemon needs the right to publish on prefix/device/#."""
    leads: tuple[Ticks, ...] | None = None
    """Leads with a sensor each, in ticks; null takes k and k·p."""
    unit: Annotated[str, Field(min_length=1)] | None = None
    """Unit of the series, such as `°C`; null gives none, and Home Assistant then draws no curve."""
    device_class: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")] | None = None
    """Device class of the sensors in Home Assistant, such as `temperature`; the unit must be one of that class."""

    @field_validator("device_class")
    @classmethod
    def of_a_number(cls, device_class: str | None) -> str | None:
        if device_class in ("date", "enum", "timestamp"):
            raise ValueError(f"{device_class} is no class of numbers, and a forecast is a number")
        return device_class


class Publish(Section):
    """What is published, and on which topic."""

    model: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] = "best"
    """What is published. best: the mixture of all forecasters, weighted by their live errors; else the name of one."""
    topic: str = "forecast/{topic}"
    """Topic of a forecast: {topic} is the series, {stream} the stream's name, {label} a label of every filter."""
    qos: QoS = 0
    """Quality of service of the forecasts."""
    retain: bool = True
    """Whether the broker retains the newest forecast of each series for later subscribers."""
    shape: Literal["curve", "slots"] = "curve"
    """Form of a message. curve: an object, as in the README; slots: a list of {start, end, value}, as evcc reads it."""
    every: Ticks = 1
    """Ticks of a series between two forecasts; 1 forecasts at every tick."""
    quantiles: Annotated[tuple[Quantile, ...], Field(max_length=9)] = (0.1, 0.9)
    """Bounds published with a forecast: a share of 0.1 of the truths is to lie below that of 0.1. [] publishes none."""
    home_assistant: HomeAssistant | None = None
    """Announcement of every series to Home Assistant; null makes none."""

    @field_validator("quantiles")
    @classmethod
    def in_order(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if len({*quantiles}) < len(quantiles):
            raise ValueError("each quantile may be given once")
        return tuple(sorted(quantiles))

    @field_validator("topic")
    @classmethod
    def placeholders(cls, topic: str) -> str:
        if topic.count("{topic}") != 1 or topic == "{topic}":
            raise ValueError("must hold {topic} once, and other text: each series needs a topic of its own")
        return check_template(topic, {"topic", "stream", *LABEL.findall(topic)})
