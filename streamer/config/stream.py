"""The keys of one entry of `streams`: topics, payload, time grid, networks, thresholds, retraining."""

import math
import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from streamer.config import covariate
from streamer.config.base import Section, Ticks, Topics, Zone, check_template, label_names, plain, together
from streamer.config.covariate import Covariate
from streamer.config.cycles import known_inputs
from streamer.config.payload import NumberPayload, Payload, SparkplugPayload
from streamer.config.publish import Publish
from streamer.config.quantity import OF_COUNTERS, AggregateName, Difference
from streamer.config.threshold import Surprise, Threshold
from streamer.records import CellName, Form, Sizes

DAY = 86_400.0
"""Seconds."""
FIRST = 500, 1000, 2000
"""Ticks before the first training: at least, where no interval is known, at most."""
Season = Annotated[int, Field(ge=2, le=10_000)]
WHOLE_NODES = re.compile(r"#|spBv1\.0/(#|[^/]+/(#|\+/(#|[^/]+/#)))")
"""Filters that select either all messages of an edge node or none of them."""


def switched(difference: object) -> object:
    """Turn true into the defaults, and false into none."""
    return {} if difference is True else None if difference is False else difference


class Model(Section):
    """Sizes of the two networks, named by the letters of the paper."""

    cell: CellName = "lstm"
    """Recurrent cell: lstm, gru, rnn (plain tanh, as in the paper), or one that streamer/models/README.md describes."""
    form: Form = "residual"
    """Form of the memoryless network: residual predicts changes and knows the calendar; paper is eq. (14) alone."""
    m: Ticks = 70
    """Inputs of a training window, in ticks."""
    k: Ticks = 10
    """Values forecast in one block, and the truths of a training window, in ticks."""
    p: Ticks = 4
    """Blocks forecast one after another. The horizon is k·p ticks."""
    n: Annotated[int, Field(ge=2, le=4096)] = 50
    """Neurons of each network. The traditional network divides them between its encoder and decoder."""
    layers: Annotated[int, Field(ge=1, le=16)] = 1
    """Layers of each network, each with as many neurons; forecasts read all of them."""
    r: Annotated[float, Field(gt=0)] = 1.0
    """Ratio n1/n2 of the neurons in the encoder to those in the decoder of the traditional network."""


class Retrain(Section):
    """When the networks are trained, and on which ticks."""

    every: Annotated[int, Field(ge=0)] = 5000
    """Samples and filled ticks of a series between two trainings; 0 never trains. Failed trainings lengthen it."""
    minimum: Ticks | None = None
    """Samples of one series for the first training; null: a day of ticks, but 500 to 2000 (1000 without interval)."""
    window: Ticks = 20000
    """Length of the rolling buffer: the newest ticks of each series, kept and trained on."""


class Stream(Section):
    """A set of series that share a payload format and networks."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    """Name of the stream in logs, metrics and the journal."""
    topics: Topics
    """MQTT topic filters; every matching topic is a series. A level {name} is a + that gives the label `name`."""
    payload: Payload = NumberPayload()
    """How a message becomes a sample, or samples of several series."""
    interval: Annotated[float, Field(ge=1e-6)] | None = None
    """Seconds between two samples of a series; null makes every message the next tick, however much time has passed."""
    aggregate: AggregateName | None = None
    """What the readings within one interval make: first, last, mean, min, max, sum or count; null: the first counts."""
    grace: Annotated[float, Field(ge=0)] = 5.0
    """Seconds after the end of a tick for which late readings of it count, unless one of the next tick comes before."""
    difference: Annotated[Difference | None, BeforeValidator(switched)] = None
    """For counters and meters: forecasts what was counted per tick. true, or its keys; null: the value itself."""
    scale: float = 1.0
    """Factor of the values."""
    offset: float = 0.0
    """Added to the values, once scaled."""
    clip: tuple[float, float] | None = None
    """Bounds that values beyond them are set to, lower and upper; null: none. lowest and highest reject instead."""
    max_gap: Annotated[int, Field(ge=0, le=10000)] = 100
    """Most missing ticks in a row that a forecaster bridges by its own prediction; a longer gap restarts the series."""
    fill: Literal["last"] | None = None
    """What a tick without a message is. last: the last value, for up to max_gap ticks (on change); null: missing."""
    max_ahead: Annotated[float, Field(ge=0)] | None = 60.0
    """Seconds by which the time of a sample may be ahead of the clock; null accepts any (to replay synthetic times)."""
    max_behind: Annotated[float, Field(ge=0)] | None = None
    """Seconds by which the time of a sample may be behind the clock; null accepts any (to replay what was recorded)."""
    lowest: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Lowest plausible value, in units of the series; a sample below it is rejected. null accepts any."""
    highest: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Highest plausible value, in units of the series; a sample above it is rejected. null accepts any."""
    max_series: Ticks = 10000
    """Most series of this stream; samples of further series are rejected and counted."""
    forget_after: Annotated[float, Field(gt=0)] | None = None
    """Seconds without a sample, while other series of the stream have some, after which a series is forgotten."""
    season: Literal["auto"] | Season | tuple[Season, ...] | None = "auto"
    """Cycles. auto: day and week, for intervals from 1 s on; a number or a list: lengths in ticks; null: no cycle."""
    timezone: Zone = "UTC"
    """IANA time zone of the day and the week (Europe/Berlin); summer time is taken into account."""
    holidays: Annotated[str, Field(pattern=r"^[A-Z]{2,3}(-[A-Z0-9]{1,4})?$")] | None = None
    """Country, or country and subdivision (DE, US-CA), whose public holidays are Sundays in the week; null: none."""
    forecasters: Literal["auto"] | tuple[str, ...] = "auto"
    """Forecasters to mix, by name, beside persistence; auto takes all that the stream can have."""
    covariates: tuple[Covariate, ...] = ()
    """What else is known of the ticks that are forecast: weather forecasts, tariffs, plans."""
    model: Model = Model()
    """Sizes of the two networks."""
    publish: Publish = Publish()
    """What is published, and on which topic."""
    thresholds: tuple[Threshold, ...] = ()
    """Values whose crossing is announced as soon as a forecast reaches them."""
    surprise: Surprise | None = None
    """Announcement of values outside their band, several in a row; null makes none."""
    retrain: Retrain = Retrain()
    """When the networks are trained, and on which ticks."""

    @field_validator("holidays")
    @classmethod
    def known_holidays(cls, holidays: str | None) -> str | None:
        if holidays is None:
            return None
        try:
            from holidays import country_holidays
        except ModuleNotFoundError:
            raise ValueError("needs the package holidays: pip install 'streamer[holidays]'") from None
        country, _, subdivision = holidays.partition("-")
        try:
            country_holidays(country, subdiv=subdivision or None)
        except NotImplementedError:
            raise ValueError(f"the package holidays knows no {holidays!r}; write DE or US-CA, say") from None
        return holidays

    @together
    def known_placeholders(self) -> Iterator[str]:
        known = {"topic", "stream"}.union(set.intersection(*(set(label_names(topic)) for topic in self.topics)))
        try:
            check_template(self.publish.topic, known)
        except ValueError as error:
            yield f"publish.topic: {error}"

    @together
    def whole_edge_nodes(self) -> Iterator[str]:
        for topic in self.topics if isinstance(self.payload, SparkplugPayload) else ():
            if not WHOLE_NODES.fullmatch(plain(topic)):
                yield (
                    f"topics: {topic!r} does not select all messages of an edge node, which Sparkplug counts as one: "
                    "write spBv1.0/#, spBv1.0/group/# or spBv1.0/group/+/node/#"
                )

    @together
    def own_output(self) -> Iterator[str]:
        start, _, end = self.publish.topic.replace("{stream}", self.name).partition("{topic}")
        for topic in self.filters:
            literal = topic.partition("+")[0].partition("#")[0]
            if start and not end and literal.startswith(start):
                yield f"topics: {topic!r} selects only own forecasts, as publish.topic is {start}{{topic}}"

    @together
    def a_quantity(self) -> Iterator[str]:
        if self.aggregate is not None and self.interval is None:
            yield "aggregate: needs an interval, of whose readings it makes a sample: give one"
        if self.difference and self.aggregate not in (None, *OF_COUNTERS):
            yield f"aggregate: of the totals of a counter, write {', '.join(OF_COUNTERS)} or nothing"
        if self.difference and self.fill:
            yield "fill: what a counter counted is not to be repeated where it says nothing: leave fill out"
        if self.clip is not None and not self.clip[0] < self.clip[1]:
            yield "clip: write the lower bound, then the upper one"

    @property
    def counted(self) -> bool:
        """Whether a sample is what was counted, and readings have another unit."""
        return self.difference is not None or self.aggregate == "count"

    @property
    def aggregation(self) -> AggregateName | None:
        """`aggregate`; of a counter with an interval its last total by default."""
        return "last" if self.aggregate is None and self.difference and self.interval is not None else self.aggregate

    @together
    def holidays_in_a_week(self) -> Iterator[str]:
        if self.holidays is not None and self.season != "auto":
            yield "holidays: count as Sundays of the week, which there is with season: auto alone"

    @together
    def ticks_to_fill(self) -> Iterator[str]:
        if self.fill and self.interval is None:
            yield "fill: needs an interval: without one there is no tick without a message"

    @together
    def bounds_in_order(self) -> Iterator[str]:
        if self.lowest is not None and self.highest is not None and self.lowest >= self.highest:
            yield "lowest: must be less than highest"

    @together
    def window_holds_minimum(self) -> Iterator[str]:
        if self.retrain.window < self.first_training:
            yield f"retrain.window: must hold at least retrain.minimum ticks, {self.first_training} here"

    @together
    def thresholds_of_a_sample(self) -> Iterator[str]:
        names = [threshold.name for threshold in self.thresholds]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            yield f"thresholds: two are named {', '.join(twice)}: names must differ"
        for i, threshold in enumerate(self.thresholds):
            if threshold.element >= self.payload.d:
                yield f"thresholds.{i}.element: a sample has {self.payload.d}, numbered from 0"
            if problem := threshold.untold(self.publish.quantiles):
                yield f"thresholds.{i}.at: {problem}"

    @together
    def surprise_of_a_band(self) -> Iterator[str]:
        if self.surprise and len(self.publish.quantiles) < 2:
            yield "surprise: needs a band, of at least two publish.quantiles"

    @together
    def slots_of_one_number(self) -> Iterator[str]:
        if self.publish.shape == "slots" and self.payload.d > 1:
            yield f"publish.shape: a slot has one value, and a sample here {self.payload.d}: write curve"

    @together
    def announced_leads_within_the_horizon(self) -> Iterator[str]:
        announced = self.publish.home_assistant
        if announced and any(lead > self.sizes.horizon for lead in announced.leads or ()):
            yield f"publish.home_assistant.leads: forecasts end {self.sizes.horizon} ticks ahead, at k·p"

    @together
    def covariates_of_these_series(self) -> Iterator[str]:
        yield from covariate.mistakes(self.covariates, self.interval, self.sizes.horizon, self.topics)

    @property
    def filters(self) -> list[str]:
        """`topics` as MQTT filters, with + in place of each {name}."""
        return [plain(topic) for topic in self.topics]

    @property
    def subscriptions(self) -> list[str]:
        """All that is subscribed to: `filters`, and those of the covariates."""
        return [*self.filters, *covariate.filters(self.covariates)]

    @property
    def limits(self) -> tuple[float, float]:
        """`lowest` and `highest`, infinite where there is none."""
        return -math.inf if self.lowest is None else self.lowest, math.inf if self.highest is None else self.highest

    @property
    def first_training(self) -> int:
        """Ticks that one series must have for the first training.

        By default those of a day within FIRST; twice m or six horizons where that is more, as fewer are not enough.
        """
        if self.retrain.minimum is not None:
            return self.retrain.minimum
        shortest, usual, longest = FIRST
        day = usual if self.interval is None else min(max(math.ceil(DAY / self.interval), shortest), longest)
        return max(day, 2 * self.sizes.m, 6 * self.sizes.horizon)

    @property
    def sizes(self) -> Sizes:
        known = known_inputs(self.season, self.interval) + len(self.covariates)
        return Sizes(d=self.payload.d, c=known if self.model.form == "residual" else 0, **self.model.model_dump())
