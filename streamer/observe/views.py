"""Streams in, what of them is shown out. Called on the daemon's loop between two batches: small copies, no loops over
series but for their times."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.forecast.coverage import FEWEST, FIELDS, FIRST, HEARD, NAIVE, Promise
from streamer.forecast.mix import MIX
from streamer.forecast.panel import Panel
from streamer.forecast.skill import MOST
from streamer.ingest.grid import Series
from streamer.lanes.slow import SlowLane
from streamer.observe import answers
from streamer.observe.rejections import rejection
from streamer.observe.words import better, ended, next_training
from streamer.publish.digits import rounded
from streamer.records import Floats, ForecastBatch, Ints
from streamer.stream.state import StreamState

NOTHING_PROMISED = Promise({}, {}, {}, {})


@dataclass(frozen=True, slots=True)
class Table:
    """All n series of one stream.

    time, value (of element 0), width, surprise: [n]; skill: [n, R] against each of the references; ahead: [n, T]
    seconds to each threshold, inf where it is not crossed. See `answers.Summary`.
    """

    stream: str
    series: list[Series]
    references: list[str]
    thresholds: list[tuple[str, str, float]]
    time: Floats
    value: Floats
    skill: Floats
    width: Floats
    surprise: Floats
    ahead: Floats


def table(stream: StreamState) -> Table:
    """A stream as it stands."""
    series, panel = stream.series[:], stream.panel
    n = len(series)
    thresholds = stream.outlet.thresholds
    known = [(str(one.name), str(one.direction), one.value) for one in (thresholds.thresholds if thresholds else ())]
    lead = thresholds.lead[:n] if thresholds else np.empty((n, 0))
    crosses = np.isfinite(lead)
    ahead = np.where(crosses, lead, 0) * panel.intervals(np.arange(n))[:, None]
    return Table(
        stream.name,
        series,
        panel.skill.references,
        known,
        np.fromiter((one.time for one in series), np.float64, n),
        panel.newest[:n, 0].copy(),
        skills(panel, slice(n)),
        widths(panel, n),
        surprises(panel, n),
        np.where(crosses, ahead, np.inf),
    )


def skills(panel: Panel, rows: slice) -> Floats:
    """Skill of the mixture against each reference, mean over the leads shown, [n, R]."""
    own, others = (panel.skill.sums[rows, :, i, -1].astype(np.float64) for i in (0, 1))
    return 1 - mean(divided(np.minimum(own, MOST * others), others))


def widths(panel: Panel, n: int) -> Floats:
    """Width of the outermost band over the mean error of persistence, at the last lead shown, [n]."""
    judge = panel.coverage
    if judge is None or not judge.pairs:
        return np.full(n, np.nan)
    sums = judge.sums[:n, -1].astype(np.float64)
    low, high = next(iter(judge.pairs.values()))
    width = sums[:, FIRST + FIELDS * high + 2] - sums[:, FIRST + FIELDS * low + 2]
    return divided(width, np.where(sums[:, HEARD] < min(FEWEST, judge.window / 2), 0, sums[:, NAIVE]))


def surprises(panel: Panel, n: int) -> Floats:
    """Error of the newest value over the mean error one tick ahead, [n]."""
    weight, _, sizes = panel.scores.sums[:n, 0, :, -1].astype(np.float64).T
    return divided(np.abs(panel.newest[:n] - panel.one_ahead[:n]).mean(1), divided(sizes, weight))


def divided(some: Floats, by: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    found: Floats = np.divide(some, by, out=np.full(some.shape, np.nan), where=by > 0)
    return found


def mean(some: Floats) -> Floats:
    """Over the last axis, of what is known; NaN where nothing is."""
    known = ~np.isnan(some)
    return divided(np.where(known, some, 0).sum(-1), known.sum(-1).astype(np.float64))


def peeked(stream: StreamState, rows: Ints) -> ForecastBatch:
    """The newest forecasts of these rows, of all models, as they were made. Nothing is kept of it."""
    return stream.panel.repeat(stream.standing(rows))


def forecasts(stream: StreamState, batch: ForecastBatch) -> list[answers.Forecast]:
    """A batch as it is published."""
    curves = np.clip(rounded(batch.curves, batch.ticks.x), *stream.outlet.limits)
    d, names = stream.config.sizes.d, [str(one) for one in stream.config.publish.quantiles]
    shown: NDArray[Any] = curves[..., 0] if d == 1 else curves
    values = batch.ticks.x[:, 0] if d == 1 else batch.ticks.x
    spoken = stream.panel.speakers()
    found = []
    for i, row in enumerate(batch.ticks.rows.tolist()):
        curve = shown[i].tolist()
        quantiles = dict(zip(names, curve[1:], strict=False))
        value = values[i].tolist() if d > 1 else [float(values[i])]
        time, interval = float(batch.ticks.time[i]), float(batch.interval[i])
        model = spoken[int(batch.chosen[i])]
        found.append(answers.Forecast(stream.series[row].ident, time, interval, value, *model, curve[0], quantiles))
    return found


def detail(stream: StreamState, row: int, logged: Container[tuple[str, str]] = ()) -> answers.Detail:
    """All about one series; `logged`: topic and reason of rejections."""
    series, panel, rows = stream.series[row], stream.panel, np.array([row])
    batch, grid = peeked(stream, rows), panel.mix.grid
    speaks = np.isfinite(batch.mean[:, :-1].sum((2, 3)))
    weights = panel.mix.weights(rows, speaks)[0, :, :, 0]
    sums = panel.scores.sums[row].astype(np.float64)
    errors = divided(sums[:, 2], sums[:, 0]).T
    ratios = divided(*(panel.skill.sums[row, :, i, -1].astype(np.float64) for i in (0, 1)))
    overall = dict(zip(panel.skill.references, skills(panel, slice(row, row + 1))[0].tolist(), strict=True))
    promise = panel.coverage.promise(slice(row, row + 1)) if panel.coverage else NOTHING_PROMISED
    left = crossings(stream, row)
    return answers.Detail(
        series.ident,
        stream.name,
        series.name,
        dict(series.labels),
        series.time,
        series.tick,
        better(overall),
        grid.leads.tolist(),
        {name: weights[i].tolist() for i, name in enumerate(panel.mix.models) if weights[i].any()},
        {name: errors[i].tolist() for i, name in enumerate(panel.models) if np.isfinite(errors[i]).any()},
        list(panel.leads),
        {name: (1 - ratios[i]).tolist() for i, name in enumerate(panel.skill.references)},
        {level: values.tolist() for level, values in promise.coverage.items()},
        {level: values.tolist() for level, values in promise.winkler.items()},
        left,
        versions(stream),
        [rejection(reason) for reason in stream.counts.rejected if (series.topic, reason) in logged],
        forecasts(stream, batch)[0] if series.tick > 0 else None,
    )


def crossings(stream: StreamState, row: int) -> list[answers.Crossing]:
    """Where one series stands to the thresholds."""
    thresholds = stream.outlet.thresholds
    if thresholds is None:
        return []
    seconds = thresholds.lead[row] * stream.panel.intervals(np.array([row]))
    return [
        answers.Crossing(one.name, one.direction, one.value, float(left) if np.isfinite(left) else None)
        for one, left in zip(thresholds.thresholds, seconds, strict=True)
    ]


def overview(streams: Sequence[StreamState]) -> list[answers.Stream]:
    """All streams."""
    found = []
    for stream in streams:
        panel, counts, config = stream.panel, stream.counts, stream.config
        ratios = (panel.skill.ratio(one)[panel.models.index(MIX)] for one in panel.skill.references)
        means = (float(mean(1 - ratio)) for ratio in ratios)
        skill: dict[str, float | None] = dict(zip(panel.skill.references, means, strict=True))
        found.append(
            answers.Stream(
                stream.name,
                len(stream.series),
                counts.samples,
                sum(counts.forecasts.values()),
                [rejection(reason, count) for reason, count in counts.rejected.most_common()],
                list(panel.models),
                list(panel.leads),
                config.sizes.horizon,
                config.interval,
                skill,
                better(skill),
                versions(stream),
                next_training(stream),
            )
        )
    return found


def moment(streams: Sequence[StreamState], slow: SlowLane | None) -> answers.Moment:
    """What all streams and the slow lane are doing."""
    results: dict[str, dict[str, int]] = {}
    for stream in streams:
        results[stream.name] = {
            f"{kind} {result}": count for (kind, result), count in sorted(stream.counts.trainings.ended.items())
        }
    busy = slow.activity if slow else None
    now = None
    if busy and busy.stream:
        now = answers.Activity(busy.stream, busy.device, busy.kind, busy.epoch, busy.epochs)
    return answers.Moment(
        {stream.name: stream.counts.samples for stream in streams},
        {stream.name: versions(stream) for stream in streams},
        now,
        [one.name for one in streams if one.schedule.under_way and not (busy and busy.stream == one.name)],
        results,
        {stream.name: stream.counts.trainings.seconds for stream in streams},
    )


def trainings(slow: SlowLane | None) -> list[answers.Training]:
    """The newest trainings, newest first."""
    return [
        answers.Training(
            one.stream,
            one.cause,
            one.begun,
            one.seconds,
            one.device,
            {kind: [*losses] for kind, losses in one.losses.items()},
            ended(one),
        )
        for one in reversed(slow.diary if slow else ())
    ]


def versions(stream: StreamState) -> dict[str, int]:
    """Versions of the live networks by kind."""
    return {kind: network.version for kind, network in stream.panel.networks.items()}
