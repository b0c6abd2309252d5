"""Forecasts in, how far ahead they cross a stream's thresholds, and the messages that say so, out."""

import math
import re
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from streamer.config import Stream, Threshold
from streamer.config.threshold import ROUNDING
from streamer.part import Column, Rows
from streamer.publish.crossing import ahead, between, likelihood
from streamer.publish.encode import rfc3339_all
from streamer.records import Crossings, Floats, ForecastBatch, Ints, Outgoing

NAME = re.compile(r"[A-Za-z0-9_.-]+")
"""What thresholds may be called."""
LAST_SECOND = 253402300799.0
"""Of the year 9999: no time beyond it can be written as RFC 3339."""


class Published(Protocol):
    """A series whose forecasts are published; `extra` is JSON, after a comma, that each of its messages carries."""

    name: str
    extra: bytes


class Thresholds(Rows):
    """The T thresholds of a stream, and where each of its series stands to them, [N, T] each.

    lead, earliest, latest: ticks until the newest forecast crosses, see `Crossings`; inf where it crosses no longer;
    lead is NaN where none was ever announced, so that no message was sent. probability: that of the newest forecast,
    announced or not. told: a crossing is announced. All are restored by the threshold's name: a value that was changed
    meanwhile does not unsay what was published.
    """

    name = "thresholds"
    lead: Floats
    earliest: Floats
    latest: Floats
    probability: Floats
    told: NDArray[np.bool_]

    def __init__(self, stream: Stream) -> None:
        self.thresholds, self.publish = stream.thresholds, stream.publish
        names = tuple(one.name for one in self.thresholds)

        def column(start: float, dtype: type[np.generic] = np.float64) -> Column:
            return Column((len(names),), dtype, start, axis=1, names=names)

        super().__init__(
            lead=column(np.nan),
            earliest=column(np.inf),
            latest=column(np.inf),
            probability=column(0.0),
            told=column(0, np.bool_),
        )

    def fit(self) -> None:
        return None

    @property
    def doubtful(self) -> bool:
        """Whether there are bounds that say how sure a crossing is."""
        return bool(self.publish.quantiles)

    def said(self, rows: Ints | slice) -> Crossings:
        """What was last published of these series; earlier snapshots have finite leads alone of what was announced."""
        lead, told = self.lead[rows], self.told[rows]
        crosses = told | np.isfinite(lead)
        return Crossings(lead, self.earliest[rows], self.latest[rows], self.probability[rows], crosses)

    def meet(self, batch: ForecastBatch) -> Crossings:
        """What is new about the crossings of these forecasts."""
        rows, before = batch.ticks.rows, self.said(batch.ticks.rows)
        found = [self.crossing(batch, one) for one in self.thresholds]
        lead, earliest, latest, probability, crosses = (np.stack(each, 1) for each in zip(*found, strict=True))
        lead, earliest, latest = (np.where(crosses, each, np.inf) for each in (lead, earliest, latest))
        self.lead[rows] = np.where(~crosses & np.isnan(before.lead), np.nan, lead)
        self.earliest[rows], self.latest[rows] = earliest, latest
        self.probability[rows], self.told[rows] = probability, crosses
        news = np.where(crosses | before.crosses, lead, np.nan)
        return Crossings(news, earliest, latest, probability, crosses.astype(np.bool_))

    def crossing(self, batch: ForecastBatch, one: Threshold) -> tuple[NDArray[Any], ...]:
        """The fields of Crossings for one threshold, [b] each."""
        x = batch.ticks.x[:, one.element]
        lead = ahead(np.concatenate([x[:, None], batch.published[:, :, one.element]], 1), one)
        if batch.bounds is None:
            return lead, lead, lead, np.zeros(len(lead)), np.isfinite(lead)
        bounds = batch.bounds[..., one.element]
        earliest, latest = between(x, bounds, lead, one)
        probability = np.where(lead == 0, 1.0, likelihood(bounds, self.publish.quantiles, one))
        crosses = np.isfinite(lead) if one.at is None else probability >= one.at - ROUNDING
        return lead, earliest, latest, probability, crosses

    def encode(
        self,
        batch: ForecastBatch,
        series: Sequence[Published],
        topics: Sequence[str],
        spoken: Sequence[tuple[str, int]],
    ) -> list[Outgoing]:
        """The messages of a batch: its series, topics of their forecasts, and (model, version).

        The message that a crossing has ended goes at QoS 1, since no later message will make up for it.
        """
        assert batch.crossings is not None
        news, out = batch.crossings, []
        at, which = (~np.isnan(news.lead)).nonzero()
        crosses, time = news.crosses[at, which].tolist(), batch.ticks.time[at]
        soon, left, late = (
            in_seconds(each[at, which], batch.interval[at]) for each in (news.earliest, news.lead, news.latest)
        )
        times = rfc3339_all(time), rfc3339_all(np.minimum(time + left, LAST_SECOND))
        doubt = soon.tolist(), late.tolist(), news.probability[at, which].tolist()
        columns = zip(at.tolist(), which.tolist(), crosses, left.tolist(), *times, *doubt, strict=True)
        for i, j, lasts, seconds, now, then, earliest, latest, probability in columns:
            one = self.thresholds[j]
            document = {
                "series": series[i].name,
                "threshold": one.name,
                one.direction: one.value,
                "time": now.decode(),
                "seconds": written(seconds),
                "at": then.decode() if np.isfinite(seconds) else None,
            }
            if self.doubtful:
                document["seconds_earliest"], document["seconds_latest"] = written(earliest), written(latest)
                document["probability"] = probability if lasts else None
            document |= {"model": spoken[i][0], "version": spoken[i][1]}
            payload, topic = orjson.dumps(document), topic_of(topics[i], one)
            if series[i].extra:
                payload = payload[:-1] + series[i].extra + b"}"
            out.append(Outgoing(topic, payload, self.publish.qos if lasts else 1, self.publish.retain))
        return out


def in_seconds(ticks: Floats, interval: Floats) -> Floats:
    """Ticks of so many seconds each, in seconds; inf stays, though the interval may not be known yet, and 0."""
    seconds = np.full(ticks.shape, np.inf)
    np.multiply(ticks, interval, out=seconds, where=np.isfinite(ticks))
    return seconds


def written(seconds: float) -> float | None:
    """As a message has it."""
    return round(seconds, 6) if seconds != math.inf else None


def topic_of(forecast: str, threshold: Threshold) -> str:
    """The topic for crossings of a threshold, below the topic of a series' forecasts."""
    return f"{forecast}/threshold/{threshold.name}"


def forecast_of(topic: str) -> str:
    """The topic of the forecasts that a topic of crossings belongs to; any other topic is returned as it is."""
    forecast, _, name = topic.rpartition("/threshold/")
    return forecast if NAME.fullmatch(name) else topic
