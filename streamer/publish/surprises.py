"""Where newest values lay in their bands in, messages about series that have been outside for several values out."""

import math
from collections.abc import Sequence

import numpy as np
import orjson
from numpy.typing import NDArray

from streamer.config import Stream
from streamer.part import Column, Rows
from streamer.publish.encode import rfc3339_all
from streamer.publish.thresholds import Published
from streamer.records import Floats, ForecastBatch, Ints, Outgoing, Surprises

TOPIC = "/surprise"
"""What the topic of an announcement has after that of the series' forecasts."""
NEVER, OUTSIDE, OVER = 0, 1, 2
"""What was last said of a series."""
MOST = 20_000
"""Values in a row that are counted."""


class Surprising(Rows):
    """The series of a stream whose values are outside their bands.

    value: [N] where the newest value lay, in half widths of the band from its middle. outside: [N] so many values in a
    row were outside, of those inside negative. said: [N] one of NEVER, OUTSIDE, OVER. What was announced is taken back
    after as many values inside as it took: no series has more than one message in `in_a_row` values.
    """

    name = "surprises"
    value: NDArray[np.float32]
    outside: NDArray[np.int16]
    said: NDArray[np.uint8]

    def __init__(self, stream: Stream, in_a_row: int) -> None:
        self.publish, self.in_a_row = stream.publish, in_a_row
        self.level = self.publish.quantiles[-1] - self.publish.quantiles[0]
        super().__init__(
            value=Column(dtype=np.float32, start=np.nan), outside=Column(dtype=np.int16), said=Column(dtype=np.uint8)
        )

    def fit(self) -> None:
        return None

    def count(self) -> int:
        """Series of which it is said that they are outside."""
        return int((self.said == OUTSIDE).sum())

    def take_in(self, rows: Ints, value: Floats) -> None:
        """Where the values of one tick lay [b], NaN where there was no band or no value."""
        run, known = self.outside[rows], ~np.isnan(value)
        longer = np.where(np.abs(value) > 1, np.maximum(run, 0) + 1, np.minimum(run, 0) - 1)
        self.outside[rows] = np.where(known, np.clip(longer, -MOST, MOST), run)
        self.value[rows] = value

    def meet(self, rows: Ints) -> Surprises:
        """What is new of these series."""
        run, said = self.outside[rows], self.said[rows]
        begins, ends = (run >= self.in_a_row) & (said != OUTSIDE), (run <= -self.in_a_row) & (said == OUTSIDE)
        self.said[rows] = np.where(begins, OUTSIDE, np.where(ends, OVER, said))
        return Surprises(self.value[rows].astype(np.float64), run.astype(np.int64), begins, ends)

    def again(self, rows: Ints) -> Surprises:
        """What was last said of these series."""
        said, run = self.said[rows], self.outside[rows].astype(np.int64)
        return Surprises(self.value[rows].astype(np.float64), run, said == OUTSIDE, said == OVER)

    def encode(
        self,
        batch: ForecastBatch,
        series: Sequence[Published],
        topics: Sequence[str],
        spoken: Sequence[tuple[str, int]],
    ) -> list[Outgoing]:
        """The messages of a batch, at QoS 1: no later one will make up for them."""
        assert batch.surprises is not None
        news, out = batch.surprises, []
        some = np.flatnonzero(news.begins | news.ends)
        for i, now in zip(some.tolist(), rfc3339_all(batch.ticks.time[some]), strict=True):
            value, begins = float(news.value[i]), bool(news.begins[i])
            document = {
                "series": series[i].name,
                "time": now.decode(),
                "surprise": round(value, 3) if begins and math.isfinite(value) else None,
                "in_a_row": max(int(news.outside[i]), 0) if begins else 0,
                "level": float(f"{self.level:.6g}"),
                "model": spoken[i][0],
                "version": spoken[i][1],
            }
            payload = orjson.dumps(document)
            if series[i].extra:
                payload = payload[:-1] + series[i].extra + b"}"
            out.append(Outgoing(topics[i] + TOPIC, payload, 1, self.publish.retain))
        return out


def forecast_of(topic: str) -> str:
    """The topic of the forecasts that a topic of surprises belongs to; any other topic is returned as it is."""
    return topic.removesuffix(TOPIC)
