"""Forecasts in, how far ahead they cross a stream's thresholds, and the messages that say so, out."""

import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import orjson

from streamer.config import Stream, Threshold
from streamer.part import Column, Rows
from streamer.publish.encode import rfc3339_all
from streamer.records import Floats, ForecastBatch, Ints, Outgoing

NAME = re.compile(r"[A-Za-z0-9_.-]+")
"""What thresholds may be called."""
LAST_SECOND = 253402300799.0
"""Of the year 9999: no time beyond it can be written as RFC 3339."""


class Published(Protocol):
    """A series whose forecasts are published; `extra` is JSON, after a comma, that each of its messages carries."""

    name: str
    extra: bytes


class Thresholds(Rows):
    """The T thresholds of a stream, and where each of its series stands to them.

    lead: [N, T] ticks until the newest forecast crosses, see `ahead`; inf where it crosses no longer, NaN where no
    forecast ever has crossed, so that no message was sent. It is restored by the threshold's name: a value that was
    changed meanwhile does not unsay what was published.
    """

    name = "thresholds"
    lead: Floats

    def __init__(self, stream: Stream) -> None:
        self.thresholds, self.publish = stream.thresholds, stream.publish
        names = tuple(one.name for one in self.thresholds)
        super().__init__(lead=Column((len(names),), start=np.nan, axis=1, names=names))

    def fit(self) -> None:
        return None

    def by_name(self) -> dict[str, Floats]:
        """The column of `lead` of each threshold, by its name; a view."""
        return {one.name: self.lead[:, i] for i, one in enumerate(self.thresholds)}

    def meet(self, rows: Ints, x: Floats, mean: Floats) -> Floats:
        """What is new about the crossings of newest values [b, d] and their forecasts [b, h, d].

        [b, T]: ticks until the forecast crosses, inf where the previous forecast crossed and this one does not, NaN
        where there is nothing to say.
        """
        values = np.concatenate([x[:, None], mean], 1)
        lead = np.stack([ahead(values[:, :, one.element], one) for one in self.thresholds], 1)
        before = self.lead[rows]
        self.lead[rows] = np.where(np.isinf(lead) & np.isnan(before), np.nan, lead)
        news: Floats = np.where(np.isinf(lead) & ~np.isfinite(before), np.nan, lead)
        return news

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
        assert batch.ahead is not None
        at, which = (~np.isnan(batch.ahead)).nonzero()
        seconds, time = batch.ahead[at, which] * batch.interval[at], batch.ticks.time[at]
        reached = rfc3339_all(np.minimum(time + seconds, LAST_SECOND))
        out = []
        for i, j, left, now, then in zip(
            at.tolist(), which.tolist(), seconds.tolist(), rfc3339_all(time), reached, strict=True
        ):
            one, crosses = self.thresholds[j], left != np.inf
            document = {
                "series": series[i].name,
                "threshold": one.name,
                one.direction: one.value,
                "time": now.decode(),
                "seconds": round(left, 6) if crosses else None,
                "at": then.decode() if crosses else None,
                "model": spoken[i][0],
                "version": spoken[i][1],
            }
            payload, topic = orjson.dumps(document), topic_of(topics[i], one)
            if series[i].extra:
                payload = payload[:-1] + series[i].extra + b"}"
            out.append(Outgoing(topic, payload, self.publish.qos if crosses else 1, self.publish.retain))
        return out


def topic_of(forecast: str, threshold: Threshold) -> str:
    """The topic for crossings of a threshold, below the topic of a series' forecasts."""
    return f"{forecast}/threshold/{threshold.name}"


def forecast_of(topic: str) -> str:
    """The topic of the forecasts that a topic of crossings belongs to; any other topic is returned as it is."""
    forecast, _, name = topic.rpartition("/threshold/")
    return forecast if NAME.fullmatch(name) else topic


def ahead(values: Floats, threshold: Threshold) -> Floats:
    """Ticks until a threshold is crossed, inf where it is not: [b], of the newest value and its forecast [b, 1 + h].

    0 where the newest value is beyond already; else between two values, by linear interpolation.
    """
    sign = 1 if threshold.direction == "above" else -1
    values, limit = sign * values, sign * threshold.value
    beyond = values >= limit
    first = beyond.argmax(1)
    lead = np.where(beyond[:, 0], 0.0, np.inf)
    rows = first.nonzero()[0]
    i = first[rows]
    short, over = values[rows, i - 1], values[rows, i]
    with np.errstate(over="ignore", invalid="ignore"):
        share = (limit - short) / (over - short)
    lead[rows] = i - 1 + np.where(np.isfinite(share), share, 1.0)  # a step too large to be a float is taken whole
    return lead
