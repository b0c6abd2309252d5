"""The keys of one entry of `streams[].covariates`: what else is known of the ticks that are forecast."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from streamer.config.base import Section, Topics, label_names, plain, together
from streamer.config.payload import JsonPayload, NumberPayload

MOST = 8
"""Covariates of a stream."""
MOST_AHEAD = 2000
"""Ticks of which a covariate's values are kept, for each series."""
HORIZONS = 3
"""Horizons that make the default of `max_age`."""


class Covariate(Section):
    """What other messages say of the ticks of all series, or of those with the same labels."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    """Name of the covariate in logs, metrics and the journal."""
    topics: Topics
    """MQTT topic filters. A level {name} is told to the series whose label of that name is the same; + is any."""
    payload: Annotated[NumberPayload | JsonPayload, Field(discriminator="format")] = JsonPayload(
        format="json", time="time"
    )
    """Values and their times: as payload of a stream, format number or json. value and time may be lists."""
    kind: Literal["known", "observed"] = "known"
    """known: values have times, also such as are to come (weather forecast, tariff); observed: how it is now."""
    between: Literal["line", "step"] = "line"
    """A tick between two times of one message. line: on the straight line; step: the value before, as of a tariff."""
    max_age: Annotated[float, Field(gt=0)] | None = None
    """Seconds after which a newest message no longer counts; null: three horizons. Then it has its usual value."""

    @together
    def values_with_times(self) -> Iterator[str]:
        payload = self.payload
        if self.kind == "known" and not (isinstance(payload, JsonPayload) and payload.time is not None):
            yield "kind: known needs times: give payload {format: json, time: …}, or kind: observed"
        if isinstance(payload, JsonPayload) and (payload.fields or payload.series or payload.array or payload.d > 1):
            yield "payload: a covariate is one number: leave fields, series and array out, give one value"

    def ticks(self, interval: float, horizon: int) -> int:
        """`max_age` in ticks."""
        return HORIZONS * horizon if self.max_age is None else math.ceil(self.max_age / interval)


def mistakes(
    covariates: Sequence[Covariate], interval: float | None, horizon: int, topics: Iterable[str]
) -> Iterator[str]:
    """Why a stream with these topics cannot have these covariates."""
    if len(covariates) > MOST:
        yield f"covariates: at most {MOST}"
    if len({one.name for one in covariates}) < len(covariates):
        yield "covariates: two have the same name: names must differ"
    if covariates and interval is None:
        yield "covariates: need an interval: without one nobody knows the times of ticks that are to come"
    common = set.intersection(*(set(label_names(topic)) for topic in topics))
    for i, one in enumerate(covariates):
        if interval is not None and one.ticks(interval, horizon) + horizon > MOST_AHEAD:
            longest = (MOST_AHEAD - horizon) * interval
            yield f"covariates.{i}.max_age: at most {longest:g} s at this interval and horizon"
        for topic in one.topics:
            if strange := sorted({*label_names(topic)} - common):
                have = ", ".join(sorted(common)) or "none"
                yield (
                    f"covariates.{i}.topics: {topic!r}: no series has a label {strange[0]}; all topics of the stream "
                    f"have: {have}. Write + where one covariate is for all"
                )


def filters(covariates: Iterable[Covariate]) -> list[str]:
    """Their topics as MQTT knows them."""
    return [plain(topic) for one in covariates for topic in one.topics]
