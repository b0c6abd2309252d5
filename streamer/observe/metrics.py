"""Every Prometheus metric, declared once, in base units, with the label `stream` and, where it applies, `model` and
`lead` (ticks ahead).

The values are read from the streams when Prometheus asks, so a scrape costs the fast lane nothing.
"""

import math
import shutil
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version

import numpy as np
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import HistogramMetricFamily as Histogram
from prometheus_client.core import InfoMetricFamily as Info
from prometheus_client.registry import Collector

from streamer.forecast.contract import REFERENCE
from streamer.forecast.panel import Panel
from streamer.lanes.fast import FastLane
from streamer.models import KINDS
from streamer.mqtt.link import Link
from streamer.observe.bands import band_metrics, bound_metrics, surprise_metrics
from streamer.observe.covariates import covariate_metrics
from streamer.observe.thresholds import threshold_metrics
from streamer.records import Floats
from streamer.stream.counts import LATENCIES
from streamer.stream.schedule import CAUSES
from streamer.stream.state import StreamState

Metric = Counter | Gauge | Histogram | Info

RESULTS = (
    "swapped", "kept", "retired",
    "crashed", "device", "diverged", "hung", "journal", "killed", "no_data", "no_device", "out_of_memory", "timeout",
)  # fmt: skip
"""Results of a retraining that are shown from the start: a rate cannot see a counter's first step from nothing."""


def limits(link: Link) -> tuple[int, int]:
    """Messages that the queue and the outbox may hold."""
    return link._config.queue, link._config.outbox


def clipped(stream: StreamState) -> int:
    """Values of a stream that were far outside."""
    return int(stream.panel.shared.guard.clipped.sum())


COUNTERS: tuple[tuple[str, str, Callable[[StreamState], int]], ...] = (
    ("samples", "Samples accepted.", lambda one: one.counts.samples),
    ("bridged_ticks", "Missing ticks bridged by the models.", lambda one: one.counts.bridged),
    ("unbridged_gaps", "Gaps not bridged, as their series had too many at once.", lambda one: one.counts.gaps),
    ("filled_ticks", "Ticks filled with the last value (fill: last).", lambda one: one.counts.filled),
    ("gathered_readings", "Readings that samples are made of.", lambda one: one.counts.gathered),
    ("ignored_messages", "Messages without a value that is asked for.", lambda one: one.counts.ignored),
    ("sets_back", "Series begun anew at an earlier time.", lambda one: one.index.clocks.sets_back),
    ("forgotten_series", "Series that were forgotten.", lambda one: one.counts.forgotten),
    ("outliers", "Values far outside, which forecasters were given clipped.", clipped),
)
"""Counters of each stream: name, help, and what is counted."""


class Readings(Collector):
    """The streams and the link as metrics."""

    def __init__(self, fast: FastLane, link: Link, reloads: Counts[str], per_series: int) -> None:
        self.fast, self.link, self.reloads, self.per_series = fast, link, reloads, per_series

    @property
    def streams(self) -> Sequence[StreamState]:
        """The streams of now: a reload of the configuration puts others in their place."""
        return self.fast.streams

    def collect(self) -> Iterator[Metric]:
        yield Info("streamer_build", "Version of the daemon.", {"version": version("streamer")})
        yield from self.link_metrics()
        yield from self.storage_metrics()
        yield from self.flow_metrics()
        yield from self.error_metrics()
        yield from band_metrics(self.streams)
        yield from surprise_metrics(self.streams)
        yield from covariate_metrics(self.streams)
        yield from self.training_metrics()
        yield from threshold_metrics(self.streams, self.per_series)
        if self.per_series:
            yield from self.series_metrics()
            yield from bound_metrics(self.streams, self.per_series)

    def link_metrics(self) -> Iterable[Metric]:
        """The connection to the broker."""
        link, counts = self.link, self.link.counts
        queue, outbox = limits(link)
        yield gauge(
            "mqtt_connected", "1 while the broker is connected and all filters are subscribed.", link.subscribed
        )
        yield counter("mqtt_connects", "Connections made to the broker.", counts.connects)
        yield counter("mqtt_disconnects", "Connections to the broker lost.", counts.disconnects)
        yield counter("mqtt_received_messages", "Messages received.", counts.received)
        yield counter("mqtt_published_messages", "Messages handed to the broker.", counts.published)
        yield gauge("queue_messages", "Received messages that wait for the fast stream.", link.waiting)
        yield counter("queue_dropped_messages", "Received messages dropped because the queue was full.", counts.dropped)
        yield gauge("queue_limit_messages", "Most that may wait there (mqtt.queue).", queue)
        yield gauge("outbox_messages", "Forecasts that wait for the broker.", link.unsent)
        yield gauge("outbox_limit_messages", "Beyond it only the newest of each topic waits (mqtt.outbox).", outbox)
        yield counter("outbox_refused_messages", "Forecasts that the broker refused.", counts.refused)
        yield counter("outbox_superseded_messages", "Forecasts dropped unsent for a newer one.", counts.superseded)

    def storage_metrics(self) -> Iterable[Metric]:
        """The journal and the disk it lies on."""
        journal = self.fast.journal
        yield gauge("journal_size_bytes", "Journal on disk, with its write-ahead log.", journal.size_bytes())
        yield gauge("journal_last_commit_timestamp_seconds", "When something was last committed.", journal.committed)
        yield gauge("journal_blocked", "1 while the journal cannot be written.", self.fast.blocked)
        damaged = Counter("streamer_journal_damaged_rows", "Rows found damaged and left out.", labels=["table"])
        for table in ("log", "chunks", "models"):
            damaged.add_metric([table], journal.damage.rows[table])
        yield damaged
        aside = journal.set_aside is not None
        yield gauge("journal_set_aside", "1 if the journal was found damaged at the start, and begun anew.", aside)
        with suppress(OSError):  # the directory is gone, and the scrape is what tells about it
            disk = shutil.disk_usage(journal.path.parent)
            yield gauge("state_free_bytes", "Space left to the daemon where its state lies.", disk.free)
            yield gauge("state_capacity_bytes", "Size of the file system where its state lies.", disk.total)

    def flow_metrics(self) -> Iterable[Metric]:
        """Samples in, forecasts out."""
        yield from (
            per_stream(name, text, {one.name: count(one) for one in self.streams}) for name, text, count in COUNTERS
        )
        rejected = Counter("streamer_rejected_messages", "Messages that were no sample.", labels=["stream", "reason"])
        forecasts = Counter("streamer_forecasts", "Forecasts published.", labels=["stream", "model"])
        series = Gauge("streamer_series", "Series known.", labels=["stream"])
        latency = Histogram(
            "streamer_sample_to_forecast_seconds", "From a sample's arrival to its forecast's.", labels=["stream"]
        )
        for stream in self.streams:
            name, counts = stream.name, stream.counts
            for reason, count in sorted(counts.rejected.copy().items()):
                rejected.add_metric([name, reason], count)
            for model, count in sorted(counts.forecasts.copy().items()):
                forecasts.add_metric([name, model], count)
            series.add_metric([name], len(stream.series))
            bounds = [*map(str, LATENCIES.tolist()), "+Inf"]
            buckets = list(zip(bounds, np.cumsum(counts.latency.samples).tolist(), strict=True))
            latency.add_metric([name], buckets, counts.latency.seconds)
        text = "Messages of topics that no stream selects: subscriptions of an earlier configuration."
        yield from (rejected, forecasts, series, latency, counter("unrouted_messages", text, self.fast.unrouted))

    def error_metrics(self) -> Iterable[Metric]:
        """Live scores by lead, E_p, and the weights of the mixture.

        Errors in units of the series are means over the series of a stream, for streams whose series have one unit.
        Skill and MASE are means of each series' own ratio.
        """
        labels = ["stream", "model", "lead"]
        text = "Root mean squared error (rolling), mean over series, in their unit."
        rmse = Gauge("streamer_forecast_rmse", text, labels=labels)
        text = "Mean absolute error (rolling), mean over series, in their unit."
        mae = Gauge("streamer_forecast_mae", text, labels=labels)
        text = "E_p, RMSE over all k·p leads (rolling), in the unit of the series."
        e_p = Gauge("streamer_forecast_e_p", text, labels=["stream", "model"])
        weight = Gauge("streamer_mix_weight", "Weight in the published mixture, mean over series.", labels=labels)
        text = "1 - absolute error / that of persistence on the same truths (rolling), mean over series."
        skill = Gauge("streamer_forecast_skill_ratio", text, labels=labels)
        text = "Absolute error / that of the value one day (or cycle) before, same truths (rolling), mean over series."
        mase = Gauge("streamer_forecast_mase_ratio", text, labels=labels)
        for stream in self.streams:
            name, panel, scores = stream.name, stream.panel, stream.panel.scores
            by_lead = zip((rmse, mae), (one[:, panel.shown] for one in scores.by_lead()), strict=True)
            for metric, table in (*by_lead, (weight, panel.weights()[:, panel.shown]), *ratios(panel, skill, mase)):
                for i, j in np.argwhere(~np.isnan(table)).tolist():
                    metric.add_metric([name, panel.models[i], str(panel.leads[j])], table[i, j])
            for model, value in zip(panel.models, scores.e_p(panel.mix.grid).tolist(), strict=True):
                if not math.isnan(value):
                    e_p.add_metric([name, model], value)
        return [rmse, mae, skill, mase, e_p, weight]

    def training_metrics(self) -> Iterable[Metric]:
        """Retrainings, gate and swaps."""
        labels = ["stream", "model"]
        dues = Counter("streamer_retrainings_due", "Retrainings that were due, by cause.", labels=["stream", "cause"])
        runs = Counter("streamer_retrainings", "Retrainings by result.", labels=[*labels, "result"])
        spent = Counter("streamer_retraining_seconds", "Time spent retraining.", labels=["stream"])
        reloads = Counter("streamer_reloads", "Reloads of the configuration by result.", labels=["result"])
        for result in ("done", "refused"):
            reloads.add_metric([result], self.reloads[result])
        live = Gauge("streamer_model_version", "Version of the live network, 0 for none.", labels=labels)
        swapped = Gauge("streamer_last_swap_timestamp_seconds", "When it went live.", labels=labels)
        every = Gauge("streamer_retrain_every_ticks", "Ticks between trainings, 0 for none.", labels=["stream"])
        text = "Error / that of persistence on held-out ticks, median over series: what the gate compared last."
        gated = Gauge("streamer_gate_error_ratio", text, labels=labels)
        for stream in self.streams:
            name, counts = stream.name, stream.counts
            for cause in CAUSES:
                dues.add_metric([name, cause], counts.trainings.dues[cause])
            every.add_metric([name], stream.config.retrain.every)
            shown: dict[tuple[str, str], int] = {(kind, result): 0 for kind in KINDS for result in RESULTS}
            for (model, result), count in sorted({**shown, **counts.trainings.ended.copy()}.items()):
                runs.add_metric([name, model, result], count)
            spent.add_metric([name], counts.trainings.seconds)
            networks = stream.panel.networks
            for kind in KINDS:
                live.add_metric([name, kind], networks[kind].version if kind in networks else 0)
            for model, network in networks.items():
                swapped.add_metric([name, model], network.created)
            for model, value in counts.trainings.gated.copy().items():
                gated.add_metric([name, model], value)
        return [dues, runs, spent, reloads, live, swapped, every, gated]

    def series_metrics(self) -> Iterable[Metric]:
        """The newest value of single series, what was predicted for it `lead` ticks before, and each one's errors."""
        key = ["stream", "series"]
        actual = Gauge("streamer_series_actual", "Newest value.", labels=[*key, "element"])
        scored = [*key, "element", "model", "lead"]
        predicted = Gauge("streamer_series_predicted", "What was predicted for the newest value.", labels=scored)
        text = "Root mean squared error of one series (rolling), in its units."
        rmse = Gauge("streamer_series_rmse", text, labels=[*key, "model", "lead"])
        text = "1 - absolute error / that of persistence on the same truths (rolling), of one series."
        skill = Gauge("streamer_series_skill_ratio", text, labels=[*key, "model", "lead"])
        text = "Always 1: a level of the series' topic that streams[].topics gives a name, and what stands there."
        named = Gauge("streamer_series_label", text, labels=[*key, "name", "value"])
        for stream in self.streams:
            panel, scores = stream.panel, stream.panel.scores
            models, leads, newest = panel.models, scores.leads.tolist(), panel.newest
            shown, some = {*panel.shown}, stream.series[: self.per_series]
            skills = 1 - panel.skill.ratios(REFERENCE, slice(len(some)))
            for series in some:
                name, row = [stream.name, series.name], series.row
                for label in series.labels.items():
                    named.add_metric([*name, *label], 1)
                for element, value in enumerate(newest[row]):
                    actual.add_metric([*name, str(element)], value)
                for i, j in np.argwhere(scores.weight[row] > 0).tolist():
                    if j not in shown:
                        continue
                    error = math.sqrt(scores.squared[row, i, j] / scores.weight[row, i, j])
                    rmse.add_metric([*name, models[i], str(leads[j])], error)
                for i, j in np.argwhere(~np.isnan(skills[row])).tolist():
                    skill.add_metric([*name, models[i], str(panel.leads[j])], skills[row, i, j])
                for i, j, element in np.argwhere(~np.isnan(scores.matured[row])).tolist():
                    value = scores.matured[row, i, j, element]
                    predicted.add_metric([*name, str(element), models[i], str(panel.leads[j])], value)
        return [actual, predicted, rmse, skill, named]


def ratios(panel: Panel, skill: Gauge, mase: Gauge) -> Iterator[tuple[Gauge, Floats]]:
    """Skill against persistence, and errors relative to the other reference, if the stream has one: [M, L]."""
    naive, *others = panel.skill.references
    yield skill, 1 - panel.skill.ratio(naive)
    for reference in others:
        yield mase, panel.skill.ratio(reference)


def gauge(name: str, text: str, value: float) -> Gauge:
    """A gauge of the whole daemon."""
    return Gauge(f"streamer_{name}", text, value=value)


def per_stream(name: str, text: str, counts: Mapping[str, int]) -> Metric:
    """A counter with a value for each stream."""
    metric = Counter(f"streamer_{name}", text, labels=["stream"])
    for stream, count in counts.items():
        metric.add_metric([stream], count)
    return metric


def counter(name: str, text: str, value: float) -> Counter:
    """A counter of the whole daemon."""
    return Counter(f"streamer_{name}", text, value=value)


def registry(readings: Readings) -> CollectorRegistry:
    """The readings, and metrics of the process and of Python."""
    made = CollectorRegistry()
    made.register(readings)
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    GCCollector(registry=made)
    return made
