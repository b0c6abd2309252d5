"""The keys below one entry of `streams`: topics, payload, grid, sizes, what is published and when it is trained."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from streamer.config.base import QoS, Section, Ticks, check_template
from streamer.records import CellName, Sizes


class NumberPayload(Section):
    """The payload is one number in text, as `21.4`; its time is the time of arrival."""

    format: Literal["number"] = "number"
    """number: a bare number; array: a JSON array of d numbers; json: values picked from a JSON document."""

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

    @model_validator(mode="after")
    def one_way(self) -> Self:
        if isinstance(self.value, list) and self.array is not None:
            raise ValueError("value is a list of paths, so array must be null")
        return self

    @property
    def field(self) -> str:
        """What of the payload is the value, as a text."""
        return self.value if isinstance(self.value, str) else ",".join(self.value)

    @property
    def d(self) -> int:
        return len(self.value) if isinstance(self.value, list) else self.array or 1


Payload = Annotated[NumberPayload | ArrayPayload | JsonPayload, Field(discriminator="format")]


class Model(Section):
    """Sizes of the two networks, in the letters of the paper."""

    cell: CellName = "lstm"
    """Recurrent cell: rnn (vanilla tanh, the paper's), gru or lstm; streamer/train/README.md compares them."""
    m: Ticks = 70
    """Inputs of a training window, in ticks."""
    k: Ticks = 10
    """Values forecast in one block, the truth of a training window, in ticks."""
    p: Ticks = 4
    """Blocks forecast one after another: the horizon is k·p ticks."""
    n: Annotated[int, Field(ge=2, le=4096)] = 50
    """Neurons of each network; the traditional one splits them between its two recurrent networks."""
    r: Annotated[float, Field(gt=0)] = 1.0
    """Ratio n1/n2 of that split: encoder to decoder."""


class Publish(Section):
    """What is published, and where."""

    model: Literal["best", "memoryless", "traditional"] = "best"
    """Which forecast is published: best is whichever has the least live error, baselines among them."""
    topic: str = "forecast/{topic}"
    """Topic of a forecast; {topic} is the input topic, {stream} the stream's name."""
    qos: QoS = 0
    """Quality of service of the forecasts."""
    retain: bool = True
    """Whether the broker keeps the newest forecast for subscribers to come."""
    every: Ticks = 1
    """Forecast at every n-th tick of a series."""

    @field_validator("topic")
    @classmethod
    def placeholders(cls, topic: str) -> str:
        if topic.count("{topic}") != 1 or topic == "{topic}":
            raise ValueError("must hold {topic} once, beside other text: each series needs a topic of its own")
        return check_template(topic, {"topic", "stream"})


class Retrain(Section):
    """When the networks are trained, and on what."""

    every: Annotated[int, Field(ge=0)] = 5000
    """Ticks of a series between two trainings, in event time; 0 never trains."""
    minimum: Ticks = 1000
    """Ticks a series needs before the first training."""
    window: Ticks = 20000
    """Newest ticks of each series that are kept and trained on: the rolling buffer."""


class Stream(Section):
    """Topics whose series share payload format, sizes and networks."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    """Label of the stream in logs, metrics and the journal."""
    topics: Annotated[list[str], Field(min_length=1)]
    """MQTT topic filters; every topic that matches is a series."""
    payload: Payload = NumberPayload()
    """How a message becomes a sample."""
    interval: Annotated[float, Field(ge=1e-6)] | None = None
    """Seconds between two samples; null takes every message as one tick, however far apart."""
    max_gap: Annotated[int, Field(ge=0, le=10000)] = 100
    """Missing ticks in a row that the network bridges by its own prediction; a longer gap starts the series anew."""
    max_ahead: Annotated[float, Field(ge=0)] | None = 86400.0
    """Seconds a sample's own time may be ahead of the clock; null accepts any (for replays of synthetic time)."""
    lowest: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Least value that can be true, in units of the series; a sample below it is rejected. null takes any."""
    highest: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Greatest value that can be true; as above."""
    max_series: Ticks = 10000
    """Series this stream may have; messages of further topics are refused and counted."""
    baseline: Literal["holt-winters", "persistence"] = "holt-winters"
    """Forecast before the first training and live yardstick after it; persistence alone costs nothing."""
    season: Annotated[int, Field(ge=2)] | None = None
    """Ticks of one season for Holt-Winters, null for none."""
    model: Model = Model()
    """Sizes of the networks."""
    publish: Publish = Publish()
    """What is published."""
    retrain: Retrain = Retrain()
    """When the networks are trained."""

    @field_validator("topics")
    @classmethod
    def filters(cls, topics: list[str]) -> list[str]:
        for topic in topics:
            if topic.startswith("$share/"):
                raise ValueError(f"{topic!r} is shared, which spreads a series over daemons; drop $share/…/")
            levels = topic.split("/")
            bad_hash = any("#" in level and (level != "#" or i != len(levels) - 1) for i, level in enumerate(levels))
            if not topic or "\0" in topic or bad_hash or any("+" in level and level != "+" for level in levels):
                raise ValueError(f"{topic!r} is no MQTT topic filter: + stands for one level, # for all the last")
        return topics

    @model_validator(mode="after")
    def own_output(self) -> Self:
        start, _, end = self.publish.topic.replace("{stream}", self.name).partition("{topic}")
        for topic in self.topics:
            literal = topic.partition("+")[0].partition("#")[0]
            if start and not end and literal.startswith(start):
                raise ValueError(f"topics: {topic!r} selects nothing but forecasts, by publish.topic {start}{{topic}}")
        return self

    @model_validator(mode="after")
    def bounds_in_order(self) -> Self:
        if self.lowest is not None and self.highest is not None and self.lowest >= self.highest:
            raise ValueError("lowest: must be less than highest")
        return self

    @model_validator(mode="after")
    def window_holds_minimum(self) -> Self:
        if self.retrain.window < self.retrain.minimum:
            raise ValueError("retrain.window: must hold at least retrain.minimum ticks")
        return self

    @property
    def sizes(self) -> Sizes:
        return Sizes(d=self.payload.d, **self.model.model_dump())
