"""The fast lane of one stream: its samples in waves in, forecasts out; states, scores and the choice between models."""

import re
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamer.config import Metrics, Stream
from streamer.errors import Rejected
from streamer.forecast.baseline import Baseline
from streamer.forecast.score import Scores
from streamer.ingest.decode import decoder
from streamer.ingest.grid import LATEST, Series, Waves
from streamer.models import Kind
from streamer.publish.encode import encode, rounded
from streamer.records import MODELS, Floats, ForecastBatch, Ints, Message, ModelName, Outgoing, Wave
from streamer.state.bank import Bank
from streamer.store.journal import Source

LATENCIES = np.array([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0])
"""Upper bounds of the sample-to-forecast histogram, in seconds."""
CLOCK_STEP = 1e-6
"""Seconds between two messages that arrived, by the clock, at the same time or the wrong way round."""


@dataclass(slots=True)
class Counts:
    """What a lane has done since it started; the metrics read it from another thread."""

    samples: int = 0
    bridged: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    forecasts: Counter[ModelName] = field(default_factory=Counter)
    latency: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(LATENCIES) + 1, np.int64))
    latency_sum: float = 0.0
    retrainings: Counter[tuple[str, str]] = field(default_factory=Counter)
    training_seconds: float = 0.0
    swapped_at: dict[Kind, float] = field(default_factory=dict)
    gated: dict[ModelName, float] = field(default_factory=dict)


class Lane:
    """Everything the daemon holds of one stream.

    `live` maps each kind of network to its bank; a swap replaces the whole mapping by one assignment. `preferred` is
    the network that won on the held-out part of the buffer, published until live scores can tell. `newest` [N, d] and
    `spoke` [N] are the last value of each series and the model last published. While a promotion warms new banks,
    `backlog` collects the waves they have to catch up with. `growth` is the most ticks that a series has gained since
    a training was last due.
    """

    def __init__(self, stream: Stream, metrics: Metrics) -> None:
        sizes = stream.sizes
        leads = sorted({lead for lead in (1, sizes.k, sizes.horizon, *metrics.leads) if lead <= sizes.horizon})
        self.stream, self.sizes = stream, sizes
        self.source = Source(stream.name, stream.payload.field, sizes.d, stream.interval or 0.0)
        self.decode = decoder(stream.payload)
        self.series: list[Series] = []
        self.waves = Waves(sizes.d, stream.max_gap)
        self.scores = Scores(leads, sizes.horizon, sizes.d, metrics.window)
        self.baseline = Baseline(sizes.d, sizes.horizon, stream.season) if stream.baseline == "holt-winters" else None
        self.newest = np.zeros((0, sizes.d))
        self.spoke = np.zeros(0, np.int64)
        self.live: Mapping[Kind, Bank] = {}
        self.preferred: Kind | None = None
        self.backlog: deque[Wave] | None = None
        self.growth = 0
        self.trained = False
        self.counts = Counts()
        start, _, end = stream.publish.topic.replace("{stream}", stream.name).partition("{topic}")
        self.own = re.compile(f"{re.escape(start)}.*{re.escape(end)}", re.DOTALL)

    def out_topic(self, topic: str) -> str:
        """Where the forecasts of a topic go."""
        return self.stream.publish.topic.format(topic=topic, stream=self.stream.name)

    def add(self, ident: int, topic: str) -> Series:
        """A new series, at the next row."""
        series = Series(len(self.series), ident, topic, self.out_topic(topic))
        if series.row >= len(self.newest):
            room = max(64, 2 * len(self.newest))
            self.newest = np.concatenate([self.newest, np.zeros((room - len(self.newest), self.sizes.d))])
            self.spoke = np.pad(self.spoke, (0, room - len(self.spoke)))
            self.scores.grow(room)
            for bank in self.live.values():
                bank.grow(room)
        self.series.append(series)  # last: the metrics' threads look up the arrays of every series they see
        return series

    def read(self, message: Message) -> tuple[tuple[float, ...], float | None]:
        """The values of a message, and the time it gives them.

        Raises Rejected.
        """
        values, time = self.decode(message.payload)
        if time is None:
            if message.retain:
                raise Rejected("retained", "a retained message without a time of its own may be of any age")
            return values, None
        if not 0 <= time < LATEST:
            raise Rejected("time", "before 1970 or after 9999")
        if self.stream.max_ahead is not None and time > message.arrived + self.stream.max_ahead:
            raise Rejected("future", "more than streams[].max_ahead beyond the clock")
        return values, time

    def accept(self, series: Series, values: tuple[float, ...], time: float | None, arrived: float) -> None:
        """The series now stands at the sample's tick, and the sample waits in `waves`.

        Without a time of its own it is of now; where every message is a tick, a clock set back loses none.
        Raises Rejected: late, duplicate.
        """
        if time is None:
            time = arrived if self.stream.interval is not None else max(arrived, series.time + CLOCK_STEP)
        advance = series.place(time, self.stream.interval, self.stream.max_gap)
        self.waves.add(series, values, advance, arrived)
        self.growth = max(self.growth, series.held - series.trained)
        self.counts.samples += 1

    def advance(self) -> list[ForecastBatch]:
        """Run the waiting waves through scores, networks and baselines: the forecasts they give, in order."""
        batches = [self.tick(wave) for wave in self.waves.take()]
        return [batch for batch in batches if batch is not None]

    def tick(self, wave: Wave) -> ForecastBatch | None:
        """One wave: score its truths, step the states, forecast where a forecast is due."""
        self.scores.truth(wave)
        for bank in self.live.values():
            bank.step(wave.rows, wave.x, wave.fresh)
        if self.baseline:
            self.baseline.learn(wave)
        if self.backlog is not None:
            self.backlog.append(wave)
        measured = ~np.isnan(wave.x[:, 0])
        self.counts.bridged += len(measured) - int(measured.sum())
        self.newest[wave.rows[measured]] = wave.x[measured]
        due = measured & (wave.tick > 0) & (wave.tick % self.stream.publish.every == 0)
        if not due.any():
            return None
        asked = wave[due]
        mean = self.forecast(asked)
        self.scores.predicted(asked, mean)
        self.spoke[asked.rows] = chosen = self.choose(asked.rows, mean)
        return ForecastBatch(asked, mean, chosen)

    def forecast(self, wave: Wave) -> Floats:
        """What every model says after these samples: [b, M, h, d], NaN where it says nothing."""
        mean = np.full((len(wave.rows), len(MODELS), self.sizes.horizon, self.sizes.d), np.nan)
        mean[:, MODELS.index("persistence")] = wave.x[:, None]
        if self.baseline:
            mean[:, MODELS.index("holt-winters")] = self.baseline.forecast(wave)
        for kind, bank in self.live.items():
            mean[:, MODELS.index(kind)] = bank.forecast(wave.rows)
        return mean

    def choose(self, rows: Ints, mean: Floats) -> Ints:
        """The model to publish for each row: the configured network where it is live, else the least rolling E_p.

        A network that won at the gate speaks until its first whole forecast has met its truth.
        """
        speaks = np.isfinite(mean.sum((2, 3)))
        e_p = np.where(speaks, self.scores.ranking(rows), np.inf)
        chosen: Ints = e_p.argmin(1)
        wanted = self.preferred if self.stream.publish.model == "best" else self.stream.publish.model
        if wanted in self.live:
            index = MODELS.index(wanted)
            wins = speaks[:, index]
            if self.stream.publish.model == "best":
                wins = wins & np.isinf(e_p[:, index])
            chosen = np.where(wins, index, chosen)
        return chosen

    def encode(self, batch: ForecastBatch, now: float) -> list[Outgoing]:
        """The messages of a batch; `now` is the wall clock that latencies are counted to."""
        publish, wave = self.stream.publish, batch.wave
        versions: dict[ModelName, int] = {kind: bank.version for kind, bank in self.live.items()}
        out = []
        means = rounded(batch.mean[np.arange(len(wave.rows)), batch.chosen])
        columns = (wave.rows.tolist(), wave.tick.tolist(), wave.time.tolist(), batch.chosen.tolist(), means)
        for row, tick, time, chosen, mean in zip(*columns, strict=True):
            series, model = self.series[row], MODELS[chosen]
            interval = self.stream.interval or series.spacing(tick, time)
            payload = encode(series.topic, time, interval, model, versions.get(model, 0), mean)
            out.append(Outgoing(series.out_topic, payload, publish.qos, publish.retain))
            self.counts.forecasts[model] += 1
        latency = np.maximum(now - wave.arrived, 0)
        self.counts.latency += np.bincount(np.searchsorted(LATENCIES, latency), minlength=len(LATENCIES) + 1)
        self.counts.latency_sum += float(latency.sum())
        return out

    def go_live(self, banks: Mapping[Kind, Bank], preferred: Kind | None, since: Mapping[Kind, float]) -> None:
        """Put new networks in place of those of their kind, or beside them: one assignment; `since` dates each."""
        self.scores.reset([MODELS.index(kind) for kind in banks])
        self.live, self.preferred = {**self.live, **banks}, preferred
        self.counts.swapped_at.update(since)

    def due(self) -> bool:
        """Whether a training is due: some series has grown by `retrain.minimum`, or by `every` since the last one."""
        retrain = self.stream.retrain
        if not retrain.every or self.growth < (retrain.every if self.trained else retrain.minimum):
            return False
        self.trained, self.growth = True, 0
        for series in self.series:
            series.trained = series.held
        return True
