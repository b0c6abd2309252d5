"""Streams in, the metrics of their bands out: whether they keep their promise, and what they are worth."""

from collections.abc import Sequence

import numpy as np
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge

from streamer.stream.state import StreamState


def band_metrics(streams: Sequence[StreamState]) -> list[Gauge]:
    """By stream, lead, and level of a band or quantile of a bound. Coverage alone says little: see Winkler."""
    labels = ["stream", "lead", "level"]
    text = "Share of truths that a band shall hold, between a quantile and its counterpart."
    levels = Gauge("streamer_band_level_ratio", text, labels=["stream", "level"])
    text = "Share of truths within the band issued for them (rolling), mean over series."
    coverage = Gauge("streamer_band_coverage_ratio", text, labels=labels)
    text = "Width / mean absolute error of persistence on the same truths (rolling), mean over series."
    width = Gauge("streamer_band_width_ratio", text, labels=labels)
    text = "Winkler score / mean absolute error of persistence, same truths (rolling), mean over series."
    winkler = Gauge("streamer_band_winkler_ratio", text, labels=labels)
    text = "Pinball loss of a bound / mean absolute error of persistence, same truths (rolling), mean over series."
    pinball = Gauge("streamer_band_pinball_ratio", text, labels=["stream", "lead", "bound"])
    for stream in streams:
        if (judge := stream.panel.coverage) is None:
            continue
        for level in judge.pairs:
            levels.add_metric([stream.name, level], float(level))
        found = judge.promise()
        tables = (coverage, found.coverage), (width, found.width), (winkler, found.winkler), (pinball, found.pinball)
        for metric, table in tables:
            for which, values in table.items():
                for lead, value in zip(stream.panel.leads, values.tolist(), strict=True):
                    if value == value:  # not NaN
                        metric.add_metric([stream.name, str(lead), which], value)
    return [levels, coverage, width, winkler, pinball]


def surprise_metrics(streams: Sequence[StreamState]) -> list[Counter | Gauge]:
    """Of streams that announce values outside their bands."""
    text = "Series that were announced for values outside their bands."
    announced = Counter("streamer_surprises", text, labels=["stream"])
    now = Gauge("streamer_surprised_series", "Series that are announced now.", labels=["stream"])
    for stream in streams:
        if stream.outlet.surprising:
            announced.add_metric([stream.name], stream.counts.surprises)
            now.add_metric([stream.name], stream.outlet.surprising.count())
    return [announced, now]


def bound_metrics(streams: Sequence[StreamState], per_series: int) -> list[Gauge]:
    """Of single series, what had been published as bounds of the newest value, and where it lay between them."""
    labels = ["stream", "series", "element", "lead", "bound"]
    text = "Bound that was published for the newest value, at this quantile, so many ticks before."
    bound = Gauge("streamer_series_bound", text, labels=labels)
    text = "Where the newest value lay in the band of one tick before: -1, 1 at its bounds, 0 in the middle."
    surprise = Gauge("streamer_series_surprise", text, labels=["stream", "series"])
    for stream in streams:
        panel, some = stream.panel, stream.series[:per_series]
        if panel.bands is None:
            continue
        values = panel.surprise(np.arange(len(some))).tolist() if len(panel.bands.rule.quantiles) > 1 else []
        for series, value in zip(some, values, strict=False):
            if value == value:  # not NaN
                surprise.add_metric([stream.name, series.name], value)
        quantiles = [str(one) for one in stream.config.publish.quantiles]
        for series in some:
            found = panel.newest[series.row] + panel.bands.offset[series.row][:, panel.shown]
            for i, j, element in np.argwhere(~np.isnan(found)).tolist():
                key = [stream.name, series.name, str(element), str(panel.leads[j]), quantiles[i]]
                bound.add_metric(key, found[i, j, element])
    return [bound, surprise]
