"""The keys below one entry of `streams`: topics, payload, grid, sizes, what is published and when it is trained."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from streamer.config.base import LABEL, QoS, Section, Ticks, check_template, label_names, plain
from streamer.config.payload import NumberPayload, Payload, SparkplugPayload
from streamer.records import CellName, Sizes

WHOLE_NODES = re.compile(r"#|spBv1\.0/(#|[^/]+/(#|\+/(#|[^/]+/#)))")
"""Filters that select all that an edge node sends, or nothing of it."""


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


class HomeAssistant(Section):
    """Forecasts appear in Home Assistant by themselves, a device per series, by its MQTT device discovery."""

    prefix: Annotated[str, Field(pattern=r"^[^+#/\x00]+(/[^+#/\x00]+)*$")] = "homeassistant"
    """Home Assistant's discovery prefix; the daemon must be allowed to write prefix/device/#."""
    leads: tuple[Ticks, ...] | None = None
    """Leads that become a sensor each, in ticks; null for k and k·p."""
    unit: Annotated[str, Field(min_length=1)] | None = None
    """Unit of the series (`°C`); without one Home Assistant draws no curve."""
    device_class: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")] | None = None
    """Home Assistant's device class of a sensor (`temperature`); it must go with the unit."""

    @field_validator("device_class")
    @classmethod
    def of_a_number(cls, device_class: str | None) -> str | None:
        if device_class in ("date", "enum", "timestamp"):
            raise ValueError(f"{device_class} is no class of numbers, and a forecast is one")
        return device_class


class Publish(Section):
    """What is published, and where."""

    model: Literal["best", "memoryless", "traditional"] = "best"
    """Which forecast is published: best is whichever has the least live error, baselines among them."""
    topic: str = "forecast/{topic}"
    """Topic of a forecast; {topic} is the series, {stream} the stream's name, {label} a label of every filter."""
    qos: QoS = 0
    """Quality of service of the forecasts."""
    retain: bool = True
    """Whether the broker keeps the newest forecast for subscribers to come."""
    every: Ticks = 1
    """Forecast at every n-th tick of a series."""
    home_assistant: HomeAssistant | None = None
    """Discovery by Home Assistant; null for none."""

    @field_validator("topic")
    @classmethod
    def placeholders(cls, topic: str) -> str:
        if topic.count("{topic}") != 1 or topic == "{topic}":
            raise ValueError("must hold {topic} once, beside other text: each series needs a topic of its own")
        return check_template(topic, {"topic", "stream", *LABEL.findall(topic)})


class Threshold(Section):
    """A value whose crossing is announced as soon as a forecast shows it."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    """What a crossing is called in topics, messages and metrics."""
    above: float | None = None
    """Crossed by values from this one up, in units of the series; give this or below."""
    below: float | None = None
    """Crossed by values from this one down."""
    element: Annotated[int, Field(ge=0)] = 0
    """Which element of a sample is meant, from 0, for d > 1."""

    @model_validator(mode="after")
    def one_direction(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("give above or below, and only one of them")
        return self

    @property
    def direction(self) -> Literal["above", "below"]:
        return "below" if self.above is None else "above"

    @property
    def value(self) -> float:
        value = self.below if self.above is None else self.above
        assert value is not None
        return value


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
    """MQTT topic filters; every topic that matches is a series. {name} for a level is +, and gives the label name."""
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
    thresholds: tuple[Threshold, ...] = ()
    """Values whose crossing is announced: how long until the forecast reaches them."""
    retrain: Retrain = Retrain()
    """When the networks are trained."""

    @field_validator("topics")
    @classmethod
    def well_formed(cls, topics: list[str]) -> list[str]:
        for topic in topics:
            if topic.startswith("$share/"):
                raise ValueError(f"{topic!r} is shared, which spreads a series over daemons; drop $share/…/")
            names, levels = label_names(topic), plain(topic).split("/")
            stray = {*plain(topic)} & {"{", "}"}
            if stray or {*names} & {"topic", "stream"} or len({*names}) < len(names):
                raise ValueError(f"{topic!r}: {{name}} stands for a whole level, once, and is neither topic nor stream")
            bad_hash = any("#" in level and (level != "#" or i != len(levels) - 1) for i, level in enumerate(levels))
            if not topic or "\0" in topic or bad_hash or any("+" in level and level != "+" for level in levels):
                raise ValueError(f"{topic!r} is no MQTT topic filter: + stands for one level, # for all the last")
        return topics

    @model_validator(mode="after")
    def known_placeholders(self) -> Self:
        known = {"topic", "stream"}.union(set.intersection(*(set(label_names(topic)) for topic in self.topics)))
        try:
            check_template(self.publish.topic, known)
        except ValueError as error:
            raise ValueError(f"publish.topic: {error}") from None
        return self

    @model_validator(mode="after")
    def whole_edge_nodes(self) -> Self:
        for topic in self.topics if isinstance(self.payload, SparkplugPayload) else ():
            if not WHOLE_NODES.fullmatch(plain(topic)):
                raise ValueError(
                    f"topics: {topic!r} does not select all messages of an edge node, which Sparkplug counts together: "
                    "write spBv1.0/#, spBv1.0/group/# or spBv1.0/group/+/node/#"
                )
        return self

    @model_validator(mode="after")
    def own_output(self) -> Self:
        start, _, end = self.publish.topic.replace("{stream}", self.name).partition("{topic}")
        for topic in self.filters:
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

    @model_validator(mode="after")
    def thresholds_of_a_sample(self) -> Self:
        names = [threshold.name for threshold in self.thresholds]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"thresholds: two are named {', '.join(twice)}: names must differ")
        for i, threshold in enumerate(self.thresholds):
            if threshold.element >= self.payload.d:
                raise ValueError(f"thresholds.{i}.element: a sample has {self.payload.d}, counted from 0")
        return self

    @model_validator(mode="after")
    def announced_leads_within_the_horizon(self) -> Self:
        announced = self.publish.home_assistant
        if announced and any(lead > self.sizes.horizon for lead in announced.leads or ()):
            raise ValueError(f"publish.home_assistant.leads: forecasts end {self.sizes.horizon} ticks ahead, at k·p")
        return self

    @property
    def filters(self) -> list[str]:
        """`topics` as the broker knows them."""
        return [plain(topic) for topic in self.topics]

    @property
    def sizes(self) -> Sizes:
        return Sizes(d=self.payload.d, **self.model.model_dump())
