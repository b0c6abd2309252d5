"""Every Prometheus metric, declared once; they are read from the lanes when Prometheus asks, so a scrape costs the
fast lane nothing. Base units, label `stream` and, where it applies, `model` and `lead` (ticks ahead)."""

import math
from collections.abc import Iterable, Iterator
from importlib.metadata import version

import numpy as np
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import HistogramMetricFamily as Histogram
from prometheus_client.core import InfoMetricFamily as Info
from prometheus_client.registry import Collector

from streamer.fastlane import FastLane
from streamer.lane import LATENCIES
from streamer.models import KINDS
from streamer.mqtt.link import Link
from streamer.records import MODELS

Metric = Counter | Gauge | Histogram | Info


class Readings(Collector):
    """The lanes and the link as metrics."""

    def __init__(self, fast: FastLane, link: Link, per_series: int) -> None:
        self.fast, self.lanes, self.link, self.per_series = fast, fast.lanes, link, per_series

    def collect(self) -> Iterator[Metric]:
        yield Info("streamer_build", "Version of the daemon.", {"version": version("streamer")})
        yield from self.link_metrics()
        yield from self.flow_metrics()
        yield from self.error_metrics()
        yield from self.training_metrics()
        if self.per_series:
            yield from self.series_metrics()

    def link_metrics(self) -> Iterable[Metric]:
        """The connection to the broker."""
        link, counts = self.link, self.link.counts
        yield gauge(
            "mqtt_connected", "1 while the broker is connected and all filters are subscribed.", link.subscribed
        )
        yield counter("mqtt_connects", "Connections made to the broker.", counts.connects)
        yield counter("mqtt_disconnects", "Connections to the broker lost.", counts.disconnects)
        yield counter("mqtt_received_messages", "Messages received.", counts.received)
        yield counter("mqtt_published_messages", "Messages handed to the broker.", counts.published)
        yield gauge("queue_messages", "Received messages that wait for the fast lane.", link.waiting)
        yield counter("queue_dropped_messages", "Received messages dropped because the queue was full.", counts.dropped)
        yield gauge("outbox_messages", "Forecasts that wait for the broker.", link.unsent)
        yield counter("outbox_refused_messages", "Forecasts that the broker refused.", counts.refused)
        yield counter("outbox_superseded_messages", "Forecasts dropped unsent for a newer one.", counts.superseded)

    def flow_metrics(self) -> Iterable[Metric]:
        """Samples in, forecasts out."""
        samples = Counter("streamer_samples", "Samples accepted.", labels=["stream"])
        bridged = Counter("streamer_bridged_ticks", "Missing ticks bridged by the models.", labels=["stream"])
        rejected = Counter("streamer_rejected_messages", "Messages that were no sample.", labels=["stream", "reason"])
        forecasts = Counter("streamer_forecasts", "Forecasts published.", labels=["stream", "model"])
        series = Gauge("streamer_series", "Series known.", labels=["stream"])
        latency = Histogram(
            "streamer_sample_to_forecast_seconds", "From a sample's arrival to its forecast's.", labels=["stream"]
        )
        for lane in self.lanes:
            name, counts = lane.stream.name, lane.counts
            samples.add_metric([name], counts.samples)
            bridged.add_metric([name], counts.bridged)
            for reason, count in sorted(counts.rejected.copy().items()):
                rejected.add_metric([name, reason], count)
            for model, count in sorted(counts.forecasts.copy().items()):
                forecasts.add_metric([name, model], count)
            series.add_metric([name], len(lane.series))
            bounds = [*map(str, LATENCIES.tolist()), "+Inf"]
            buckets = list(zip(bounds, np.cumsum(counts.latency).tolist(), strict=True))
            latency.add_metric([name], buckets, counts.latency_sum)
        text = "Messages of topics that no stream selects: subscriptions of an earlier configuration."
        return [
            samples,
            bridged,
            rejected,
            forecasts,
            series,
            latency,
            counter("unrouted_messages", text, self.fast.unrouted),
        ]

    def error_metrics(self) -> Iterable[Metric]:
        """Live scores by lead, and E_p."""
        labels = ["stream", "model", "lead"]
        rmse = Gauge("streamer_forecast_rmse", "Root mean squared error (rolling), units of the series.", labels=labels)
        mae = Gauge("streamer_forecast_mae", "Mean absolute error (rolling), units of the series.", labels=labels)
        skill = Gauge("streamer_forecast_skill_ratio", "1 - RMSE / RMSE of persistence (rolling).", labels=labels)
        e_p = Gauge("streamer_forecast_e_p", "E_p, RMSE over all k·p leads (rolling).", labels=["stream", "model"])
        for lane in self.lanes:
            name = lane.stream.name
            squares, absolutes = lane.scores.by_lead()
            for i, model in enumerate(MODELS):
                for j, lead in enumerate(lane.scores.leads.tolist()):
                    if math.isnan(squares[i, j]):
                        continue
                    key = [name, model, str(lead)]
                    rmse.add_metric(key, squares[i, j])
                    mae.add_metric(key, absolutes[i, j])
                    if squares[0, j] > 0:
                        skill.add_metric(key, 1 - squares[i, j] / squares[0, j])
            for model, value in zip(MODELS, lane.scores.e_p_of_stream().tolist(), strict=True):
                if not math.isnan(value):
                    e_p.add_metric([name, model], value)
        return [rmse, mae, skill, e_p]

    def training_metrics(self) -> Iterable[Metric]:
        """Retrainings, gate and swaps."""
        labels = ["stream", "model"]
        runs = Counter("streamer_retrainings", "Retrainings by result.", labels=[*labels, "result"])
        spent = Counter("streamer_retraining_seconds", "Time spent retraining.", labels=["stream"])
        live = Gauge("streamer_model_version", "Version of the live network, 0 for none.", labels=labels)
        swapped = Gauge("streamer_last_swap_timestamp_seconds", "When it went live.", labels=labels)
        gated = Gauge("streamer_gate_e_p", "E_p at the last training, held-out ticks, scaled units.", labels=labels)
        for lane in self.lanes:
            name, counts = lane.stream.name, lane.counts
            for (model, result), count in sorted(counts.retrainings.copy().items()):
                runs.add_metric([name, model, result], count)
            spent.add_metric([name], counts.training_seconds)
            for kind in KINDS:
                bank = lane.live.get(kind)
                live.add_metric([name, kind], bank.version if bank else 0)
            for kind, at in counts.swapped_at.copy().items():
                swapped.add_metric([name, kind], at)
            for model, value in counts.gated.copy().items():
                gated.add_metric([name, model], value)
        return [runs, spent, live, swapped, gated]

    def series_metrics(self) -> Iterable[Metric]:
        """The newest value of single series, and what was predicted for it `lead` ticks before."""
        actual = Gauge("streamer_series_actual", "Newest value.", labels=["stream", "series", "element"])
        labels = ["stream", "series", "element", "model", "lead"]
        predicted = Gauge("streamer_series_predicted", "What was predicted for the newest value.", labels=labels)
        for lane in self.lanes:
            for series in lane.series[: self.per_series]:
                for element in range(lane.sizes.d):
                    key = [lane.stream.name, series.topic, str(element)]
                    actual.add_metric(key, lane.newest[series.row, element])
                    for i, model in enumerate(MODELS):
                        for j, lead in enumerate(lane.scores.leads.tolist()):
                            value = float(lane.scores.matured[series.row, i, j, element])
                            if not math.isnan(value):
                                predicted.add_metric([*key, model, str(lead)], value)
        return [actual, predicted]


def gauge(name: str, text: str, value: float) -> Gauge:
    """A gauge of the whole daemon."""
    return Gauge(f"streamer_{name}", text, value=value)


def counter(name: str, text: str, value: float) -> Counter:
    """A counter of the whole daemon."""
    return Counter(f"streamer_{name}", text, value=value)


def registry(readings: Readings) -> CollectorRegistry:
    """The readings beside metrics of the process and of Python."""
    made = CollectorRegistry()
    made.register(readings)
    ProcessCollector(registry=made)
    PlatformCollector(registry=made)
    GCCollector(registry=made)
    return made
