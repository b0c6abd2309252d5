"""Streams in, the metrics of their thresholds out: how soon forecasts cross them, and how sure that is."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from prometheus_client.core import GaugeMetricFamily as Gauge

from streamer.ingest.grid import Series
from streamer.publish.thresholds import Thresholds, in_seconds
from streamer.records import Floats
from streamer.stream.state import StreamState

SOONEST = 5
"""Series, of each stream and threshold, that are named while they cross it."""
TIMES = "lead", "earliest", "latest"
"""The fields of Crossings that are times."""
METRICS = (
    ("lead", "streamer_threshold_seconds", "Time until the newest forecast crosses it"),
    ("earliest", "streamer_threshold_earliest_seconds", "Time until the first of the outermost bounds crosses it"),
    ("latest", "streamer_threshold_latest_seconds", "Time until the last of the outermost bounds crosses it"),
    ("probability", "streamer_threshold_probability_ratio", "Probability of being beyond it, at its greatest lead"),
)
"""Field of Crossings, metric, and what it is."""


def threshold_metrics(streams: Sequence[StreamState], per_series: int) -> Iterator[Gauge]:
    """Of each stream, that of its series which is soonest or likeliest, and of single series."""
    labels, single = ["stream", "threshold"], ["stream", "series", "threshold"]
    crossing = Gauge("streamer_threshold_series", "Series whose newest forecast crosses it.", labels=labels)
    text = f"Time until the newest forecast crosses it, of the {SOONEST} series of the stream that cross it soonest."
    soonest, families = Gauge("streamer_threshold_soonest_seconds", text, labels=single), {}
    for field, name, text in METRICS:
        which, none = ("least", "; +Inf where none is announced") if field in TIMES else ("greatest", "")
        whole = Gauge(name, f"{text}, the {which} of the stream's series{none}.", labels=labels)
        each = Gauge(name.replace("streamer_", "streamer_series_"), f"{text}, of one series{none}.", labels=single)
        families[field] = whole, each
    for stream in streams:
        if (thresholds := stream.outlet.thresholds) is None:
            continue
        series = stream.series[:]
        crosses = thresholds.said(slice(len(series))).crosses
        for i, one in enumerate(thresholds.thresholds):
            crossing.add_metric([stream.name, one.name], int(crosses[:, i].sum()))
        times = until(stream, thresholds, len(series))
        for one, column in zip(thresholds.thresholds, times["lead"].T, strict=True):
            name_soonest(soonest, [stream.name, one.name], series, column)
        for field, found in times.items():
            whole, each = families[field]
            for one, column in zip(thresholds.thresholds, found.T, strict=True):
                of_all = column.min(initial=math.inf) if field in TIMES else column.max(initial=0.0)
                whole.add_metric([stream.name, one.name], of_all)
                for member, value in zip(series[:per_series], column.tolist(), strict=False):
                    each.add_metric([stream.name, member.name, one.name], value)
    yield from (crossing, soonest)
    for pair in families.values():
        yield from pair


def name_soonest(family: Gauge, of: Sequence[str], series: Sequence[Series], column: Floats) -> None:
    """Add the SOONEST series of a stream and a threshold; column: seconds of each series, inf for none."""
    for row in np.argsort(column, kind="stable")[:SOONEST].tolist():
        if math.isfinite(column[row]):
            family.add_metric([of[0], series[row].name, of[1]], float(column[row]))


def until(stream: StreamState, thresholds: Thresholds, count: int) -> dict[str, Floats]:
    """The fields of Crossings that can be told of the first so many series, [count, T]; times in seconds, inf: none."""
    said = thresholds.said(slice(count))
    interval = stream.panel.intervals(np.arange(count))[:, None]
    found = {name: in_seconds(getattr(said, name), interval) for name in (TIMES if thresholds.doubtful else TIMES[:1])}
    return {**found, "probability": said.probability} if thresholds.doubtful else found
