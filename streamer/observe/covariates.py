"""Streams in, the metrics of their covariates out: what was told, what was missing, and what it does to forecasts."""

from collections.abc import Iterator, Sequence

import numpy as np
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge

from streamer.records import Floats
from streamer.stream.state import StreamState


def covariate_metrics(streams: Sequence[StreamState]) -> Iterator[Counter | Gauge]:
    """Of each covariate of each stream; without any, families that are empty."""
    labels = ["stream", "covariate"]
    told = Counter("streamer_covariate_messages", "Messages that said something of a covariate.", labels=labels)
    text = "Forecasts for which nothing was known of it: it had its usual value."
    missing = Counter("streamer_covariate_missing_forecasts", text, labels=labels)
    text = "What a usual deviation of it, at the predicted tick, adds to linear-covariates, in mean changes of a series"
    effect = Gauge("streamer_covariate_effect_ratio", f"{text}; median over series.", labels=[*labels, "lead"])
    for stream in streams:
        if (covariates := stream.intake.covariates) is None or (outlook := stream.ticks.outlook) is None:
            continue
        for i, one in enumerate(stream.config.covariates):
            told.add_metric([stream.name, one.name], covariates.told[i])
            missing.add_metric([stream.name, one.name], int(outlook.missing[i]))
        for name, table in effects(stream).items():
            for lead, value in table.items():
                effect.add_metric([stream.name, name, str(lead)], value)
    yield from (told, missing, effect)


def effects(stream: StreamState) -> dict[str, dict[int, float]]:
    """By covariate and grid lead, the median over series; of covariates that are observed, effects of the present."""
    experts = stream.panel.shared.experts
    covariates, series = experts.covariates, len(stream.series)
    state, delta = covariates.state, experts.delta[:series, 0].astype(np.float64)
    if not len(state.begun):
        return {}
    rows = np.flatnonzero(state.begun[:series] & (delta > 0))
    found: dict[str, dict[int, float]] = {}
    for i, name in enumerate(covariates.names):
        known = np.flatnonzero(covariates.which == i)
        at = len(covariates.names) + int(known[0]) if len(known) else i
        usual: Floats = (np.sqrt(state.of.square[rows, i]) * state.unit[rows, 0, i] / delta[rows])[:, None]
        sizes = (state.beta[rows, :, 0, at] * usual)[state.unit[rows, 0, i] > 0]
        if len(sizes):
            found[name] = dict(zip(covariates.leads.tolist(), np.median(sizes, 0).tolist(), strict=True))
    return found
