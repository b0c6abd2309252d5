"""The fast lane of one stream: its samples in waves in, forecasts out; states, scores and the choice between models."""

import asyncio
import re
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamer.config import Metrics, Stream
from streamer.forecast.holt_winters import HoltWinters
from streamer.forecast.network import NetworkForecaster
from streamer.forecast.scale import Scale
from streamer.forecast.score import Scores
from streamer.ingest.grid import Series, TickBatcher
from streamer.ingest.intake import Intake
from streamer.models import Kind
from streamer.publish.encode import encode_all, rounded
from streamer.publish.home_assistant import Discovery
from streamer.publish.thresholds import TOPICS, Thresholds
from streamer.records import MODELS, Floats, ForecastBatch, Ints, ModelName, Outgoing, TickBatch
from streamer.store.journal import Source

LATENCIES = np.array([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0])
"""Upper bounds of the sample-to-forecast histogram, in seconds."""
CLOCK_STEP = 1e-6
"""Seconds between two messages that arrived, by the clock, at the same time or the wrong way round."""
BACKOFF = 16
"""Most times as many ticks as else between two trainings, after some that failed in a row."""


@dataclass(slots=True)
class Counts:
    """What a lane has done since it started; the metrics read it from another thread."""

    samples: int = 0
    bridged: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    ignored: int = 0
    forecasts: Counter[ModelName] = field(default_factory=Counter)
    latency: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(LATENCIES) + 1, np.int64))
    latency_sum: float = 0.0
    retrainings: Counter[tuple[str, str]] = field(default_factory=Counter)
    training_seconds: float = 0.0
    swapped_at: dict[Kind, float] = field(default_factory=dict)
    gated: dict[ModelName, float] = field(default_factory=dict)


def framed(stream: Stream) -> tuple[str, str]:
    """What stands before and after a series' name in the topic of its forecasts, which has no other placeholders."""
    start, end = stream.publish.topic.format(topic="\0", stream=stream.name).split("\0")
    return start, end


class StreamState:
    """Everything the daemon holds of one stream.

    `live` maps each kind of network to its bank; a swap replaces the whole mapping by one assignment. `preferred`
    is the network that won on the held-out part of the buffer, published until live scores can tell. `newest` [N,
    d] and `spoke` [N] are the last value of each series and the model last published. While a promotion warms new
    banks, `backlog` collects the waves they have to catch up with, and `swaps` are those that a snapshot may not
    hold yet: version, and first tick that each series, by id, was warmed on. `growth` is the most ticks that a
    series has gained since a training was last due, `version` that of the last training whose outcome counts here.
    `turn` is held from the acceptance of a batch to its last forecast: in between, series and states are not of the
    same tick. `retired`: a reload of the configuration has put another lane in place of this one.
    Where a message is several series, `parts` has them by source and part, and `names` theirs.
    Without `availability`, the topic on which the daemon says that it is there, Home Assistant is told nothing.
    """

    def __init__(self, stream: Stream, metrics: Metrics, availability: str | None = None) -> None:
        sizes = stream.sizes
        wanted = {lead for lead in metrics.leads or () if lead <= sizes.horizon}
        leads = sorted(wanted or {1, sizes.k, sizes.horizon})
        self.stream, self.sizes = stream, sizes
        self.source = Source(stream.name, stream.payload.field, sizes.d, stream.interval or 0.0)
        self.intake = Intake(stream)
        self.parts: dict[tuple[str, str], Series] = {}
        self.names: set[str] = set()
        self.series: list[Series] = []
        self.waves = TickBatcher(sizes.d, stream.max_gap)
        self.scores = Scores(leads, sizes.horizon, sizes.d, metrics.window)
        self.baseline = (
            HoltWinters(sizes.d, sizes.horizon, stream.season) if stream.baseline == "holt-winters" else None
        )
        self.thresholds = Thresholds(stream) if stream.thresholds else None
        announced = stream.publish.home_assistant
        self.discovery = Discovery(stream, announced, availability) if announced and availability else None
        self.newest = np.zeros((0, sizes.d))
        self.published_model = np.zeros(0, np.int64)
        self.live: Mapping[Kind, NetworkForecaster] = {}
        self.version = 0
        self.preferred: Kind | None = None
        self.backlog: deque[TickBatch] | None = None
        self.swaps: list[tuple[int, Mapping[int, int]]] = []
        self.growth = 0
        self.trained = False
        self.failures = 0
        self.lock = asyncio.Lock()
        self.retired = False
        self.counts = Counts()
        template = re.escape(stream.publish.topic.replace("{stream}", stream.name)).replace(r"\{topic\}", ".*")
        self.frame = ("", "") if self.intake.labelled else framed(stream)
        announcements = f"|{self.discovery.topics}" if self.discovery else ""
        forecasts = re.sub(r"\\{\w+\\}", "[^/]*", template)  # a label is one level
        self.own = re.compile(f"{forecasts}({TOPICS})?{announcements}", re.DOTALL)

    def add(self, ident: int, topic: str, part: str = "") -> Series:
        """A new series, at the next row."""
        series = Series(len(self.series), ident, topic, part, self.intake.labels(topic))
        if self.intake.multiseries:
            self.parts[topic, part] = series
            self.names.add(series.name)
        if series.row >= len(self.newest):
            room = max(64, len(self.newest) * 9 // 8)
            self.newest = np.concatenate([self.newest, np.zeros((room - len(self.newest), self.sizes.d))])
            self.published_model = np.pad(self.published_model, (0, room - len(self.published_model)))
            self.scores.grow(room)
            if self.baseline:
                self.baseline.grow(room)
            if self.thresholds:
                self.thresholds.grow(room)
            for bank in self.live.values():
                bank.grow(room)
        self.scores.restart(np.array([series.row]))
        self.series.append(series)  # last: the metrics' threads look up the arrays of every series they see
        return series

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

    def replay_sample(self, series: Series, tick: int, time: float, values: tuple[float, ...]) -> None:
        """A sample that was accepted before, at its tick of then: it waits in `waves` as if it had just come."""
        advance = tick - series.tick if series.tick >= 0 or tick == 0 else self.stream.max_gap + 2
        series.stand(tick, time, self.stream.interval, self.stream.max_gap)
        self.waves.add(series, values, advance, time)
        self.growth = max(self.growth, series.held - series.trained)

    def advance(self) -> list[ForecastBatch]:
        """Run the waiting waves through scores, networks and baselines: the forecasts they give, in order."""
        batches = [self.tick(wave) for wave in self.waves.take()]
        return [batch for batch in batches if batch is not None]

    def tick(self, wave: TickBatch) -> ForecastBatch | None:
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
        self.published_model[asked.rows] = chosen = self.choose(asked.rows, mean)
        ahead = None
        if self.thresholds:
            ahead = self.thresholds.meet(asked.rows, asked.x, mean[np.arange(len(chosen)), chosen])
        return ForecastBatch(asked, mean, chosen, ahead)

    def forecast(self, wave: TickBatch) -> Floats:
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
        series = [self.series[row] for row in wave.rows.tolist()]
        interval = self.intervals(series, wave.tick, wave.time)
        versions: dict[ModelName, int] = {kind: bank.version for kind, bank in self.live.items()}
        speakers = [(model, versions.get(model, 0)) for model in MODELS]
        spoken = [speakers[chosen] for chosen in batch.chosen.tolist()]
        mean = rounded(batch.mean[np.arange(len(series)), batch.chosen])
        names, topics = [one.name for one in series], self.topics(series)
        extra = [one.extra for one in series] if self.intake.labelled else None
        payloads = encode_all(names, wave.time, interval, spoken, mean, extra)
        for model, count in zip(MODELS, np.bincount(batch.chosen, minlength=len(MODELS)).tolist(), strict=True):
            self.counts.forecasts[model] += count
        latency = np.maximum(now - wave.arrived, 0)
        self.counts.latency += np.bincount(np.searchsorted(LATENCIES, latency), minlength=len(LATENCIES) + 1)
        self.counts.latency_sum += float(latency.sum())
        answers = zip(topics, payloads, strict=True)
        out = [Outgoing(topic, payload, publish.qos, publish.retain) for topic, payload in answers]
        if self.thresholds and batch.ahead is not None:
            out += self.thresholds.encode(batch, series, topics, interval, spoken)
        return self.discovery.announce(names, topics) + out if self.discovery else out

    def topics(self, series: Sequence[Series]) -> list[str]:
        """Where the forecasts of these series go; made each time, as it would take a hundred bytes of each to keep."""
        if self.intake.labelled:
            template, stream = self.stream.publish.topic, self.stream.name
            return [template.format(topic=one.name, stream=stream, **one.labels) for one in series]
        start, end = self.frame
        return [f"{start}{one.name}{end}" for one in series]

    def intervals(self, series: Sequence[Series], tick: Ints, time: Floats) -> Floats:
        """Seconds between two samples of each of these series, as far as it knows at its tick: [b]."""
        if self.stream.interval is not None:
            return np.full(len(series), self.stream.interval)
        places = zip(series, tick.tolist(), time.tolist(), strict=True)
        return np.array([one.spacing(at, moment) for one, at, moment in places])

    def scale(self) -> Scale:
        """Scales for a new bank: series that no training has seen follow their own first samples."""
        return Scale(self.sizes.d, self.stream.retrain.minimum)

    def repeat(self, rows: Ints, now: float) -> ForecastBatch | None:
        """The newest forecasts of these rows as they were made, None if none was due at their newest tick."""
        series = [self.series[row] for row in rows.tolist()]
        tick, time = np.array([one.tick for one in series], np.int64), np.array([one.time for one in series])
        due = (tick > 0) & (tick % self.stream.publish.every == 0)
        if not due.any():
            return None
        b = int(due.sum())
        wave = TickBatch(
            rows[due], self.newest[rows[due]], tick[due], time[due], np.zeros(b, np.bool_), np.full(b, now, np.float64)
        )
        ahead = self.thresholds.lead[wave.rows] if self.thresholds else None
        return ForecastBatch(wave, self.forecast(wave), self.published_model[wave.rows], ahead)

    def go_live(
        self, banks: Mapping[Kind, NetworkForecaster], preferred: Kind | None, version: int, since: float
    ) -> None:
        """Put new networks in place of those of their kind, or beside them: one assignment."""
        self.scores.reset([MODELS.index(kind) for kind in banks])
        self.live, self.preferred, self.version, self.trained = {**self.live, **banks}, preferred, version, True
        self.counts.swapped_at.update(dict.fromkeys(banks, since))

    def due(self) -> bool:
        """Whether a training is due: some series has grown by `retrain.minimum`, or by `every` since the last one.

        Each failure in a row doubles that, up to BACKOFF times; until a network is live it is of `minimum`.
        """
        retrain = self.stream.retrain
        begun = self.trained and (self.live or not self.failures)
        needed = (retrain.every if begun else retrain.minimum) * min(2**self.failures, BACKOFF)
        if not retrain.every or self.growth < needed:
            return False
        self.trained, self.growth = True, 0
        for series in self.series:
            series.trained = series.held
        return True
