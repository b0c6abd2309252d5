"""Forecasts of one stream in, the messages to publish about them out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.config import Stream
from streamer.errors import Rejected
from streamer.part import Part
from streamer.publish import surprises, thresholds
from streamer.publish.digits import rounded
from streamer.publish.encode import Curves, encode
from streamer.publish.home_assistant import Discovery
from streamer.publish.pattern import Pattern
from streamer.publish.slots import slots
from streamer.publish.surprises import Surprising
from streamer.publish.thresholds import Thresholds
from streamer.records import ForecastBatch, Outgoing

MOST_SLASHES = 200
"""In a topic; mosquitto closes the connection on more (TOPIC_HIERARCHY_LIMIT)."""
LONGEST_TOPIC = 65_535
"""Bytes of a topic that MQTT carries."""


class Named(thresholds.Published, Protocol):
    """A series whose forecasts are published; `labels` are what its topic's levels are called."""

    labels: Mapping[str, str]


class Outlet:
    """Topics, encoding, thresholds, surprises and discovery of a stream.

    frame: the text before and after a series' name in the topic of its forecasts, None where labels may stand in it.
    limits: the least and the largest value of a series. availability: the topic on which the daemon says online and
    offline; without one nothing is announced to Home Assistant.
    """

    def __init__(self, config: Stream, labelled: bool, availability: str | None) -> None:
        self.name, self.publish, self.labelled = config.name, config.publish, labelled
        self.limits = config.limits
        self.thresholds = Thresholds(config) if config.thresholds else None
        self.surprising = Surprising(config, config.surprise.in_a_row) if config.surprise else None
        announced = config.publish.home_assistant
        self.discovery = Discovery(config, announced, availability) if announced and availability else None
        template = config.publish.topic.replace("{stream}", config.name)
        self.pattern = Pattern(template)
        self.frame = None if labelled else template.split("{topic}")

    def parts(self) -> Iterator[Part]:
        if self.thresholds:
            yield self.thresholds
        if self.surprising:
            yield self.surprising

    def owns(self, topic: str) -> bool:
        """Whether this topic is one that the stream publishes on, or may have published on before."""
        if self.discovery and self.discovery.owns(topic):
            return True
        return any(map(self.pattern.matches, {topic, thresholds.forecast_of(topic), surprises.forecast_of(topic)}))

    def targets(self, series: Named) -> list[str]:
        """The topics of a series' messages."""
        (topic,) = self.topics([series])
        found = [topic, *self.thresholds_of(topic)]
        return [*found, topic + surprises.TOPIC] if self.surprising else found

    def check(self, targets: Sequence[str]) -> None:
        """Raises Rejected (name) for topics that brokers do not take."""
        slashes, size = max(one.count("/") for one in targets), max(len(one.encode()) for one in targets)
        if slashes > MOST_SLASHES or size > LONGEST_TOPIC:
            text = (
                f"its forecasts would go to a topic of {slashes} slashes and {size} bytes; brokers take {MOST_SLASHES}"
            )
            raise Rejected("name", f"{text} and {LONGEST_TOPIC}")

    def thresholds_of(self, topic: str) -> list[str]:
        """The topics of a series' thresholds, by that of its forecasts."""
        return [thresholds.topic_of(topic, one) for one in self.thresholds.thresholds] if self.thresholds else []

    def forget_announced(self) -> None:
        """The session on the broker is a new one."""
        if self.discovery:
            self.discovery.forget()

    def meet(self, batch: ForecastBatch) -> ForecastBatch:
        """The same forecasts with what is new about their crossings of thresholds, and about values before them."""
        crossings = self.thresholds.meet(batch) if self.thresholds else None
        return replace(
            batch, crossings=crossings, surprises=self.surprising.meet(batch.ticks.rows) if self.surprising else None
        )

    def repeat(self, batch: ForecastBatch) -> ForecastBatch:
        """The same forecasts with what was last published about crossings and values."""
        rows = batch.ticks.rows
        crossings = self.thresholds.said(rows) if self.thresholds else None
        return replace(batch, crossings=crossings, surprises=self.surprising.again(rows) if self.surprising else None)

    def encode(
        self,
        batch: ForecastBatch,
        series: Sequence[Named],
        speakers: Sequence[tuple[str, int]],
        told: NDArray[np.bool_],
    ) -> list[Outgoing]:
        """The messages of a batch, with its series; (model, version) of each of its models.

        Forecasts are published of those `told` [b], what is new about thresholds and surprises of all.
        """
        spoken = [speakers[chosen] for chosen in batch.chosen.tolist()]
        names, topics = [one.name for one in series], self.topics(series)
        extra = [one.extra for one in series] if self.labelled else None
        time, x, quantiles = batch.ticks.time, batch.ticks.x, self.publish.quantiles
        if self.publish.shape == "slots":
            payloads = slots(time, batch.interval, np.clip(rounded(batch.curves, x), *self.limits), quantiles)
        else:
            curves = Curves(batch.curves, x, quantiles, self.limits)
            payloads = encode(names, time, batch.interval, spoken, curves, extra)
        qos, retain = self.publish.qos, self.publish.retain
        messages = [Outgoing(topic, payload, qos, retain) for topic, payload in zip(topics, payloads, strict=True)]
        out = list(compress(messages, told.tolist()))
        if self.thresholds and batch.crossings is not None:
            out += self.thresholds.encode(batch, series, topics, spoken)
        if self.surprising and batch.surprises is not None:
            out += self.surprising.encode(batch, series, topics, spoken)
        return self.discovery.announce(names, topics) + out if self.discovery else out

    def clear(self, series: Sequence[Named]) -> list[Outgoing]:
        """Messages that take back all that a broker may keep of these series: empty ones, retained."""
        forecasts = self.topics(series)
        kept = [one for topic in forecasts for one in (topic, *self.thresholds_of(topic))]
        if self.discovery:
            kept += [self.discovery.topic(one.name, topic) for one, topic in zip(series, forecasts, strict=True)]
        return [Outgoing(topic, b"", 1, True) for topic in kept]

    def topics(self, series: Sequence[Named]) -> list[str]:
        """Where the forecasts of these series go; made each time, since keeping it would take a hundred bytes each."""
        if self.frame is None:
            template = self.publish.topic
            return [template.format(topic=one.name, stream=self.name, **one.labels) for one in series]
        start, end = self.frame
        return [f"{start}{one.name}{end}" for one in series]
