"""A configuration or a state directory in, past and forecast of one series out. A daemon may be running on it."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np

from streamer.config import Config
from streamer.config.loader import load
from streamer.errors import SourceError, StateError
from streamer.ingest.topics import joined
from streamer.lanes.machine import prepare
from streamer.observe.views import forecasts, peeked
from streamer.resume.fold import resume
from streamer.store.database import FILE
from streamer.store.journal import Journal, SeriesRow
from streamer.stream.state import StreamState

NAMED = 10
"""Series that an error lists."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The newest samples of a series, and the forecast that follows: times in seconds since 1970.

    mean and bounds are empty where there is no forecast; low and high are the ends of its band, quantiles what their
    shares are.
    """

    name: str
    times: list[float]
    values: list[float]
    ahead: list[float]
    mean: list[float]
    low: list[float]
    high: list[float]
    quantiles: tuple[float, ...]
    model: str

    @property
    def band(self) -> str:
        """The share of values that the band is to hold, in words."""
        return f"{self.quantiles[-1] - self.quantiles[0]:.0%} band" if len(self.quantiles) > 1 else ""


def curve(source: Path, series: str, samples: int, element: int) -> Curve:
    """Past and forecast by a configuration, the past alone by a state directory. Raises SourceError, StateError."""
    if source.is_dir():
        with opened(source) as journal:
            return past(journal, found(journal, series), samples, element)
    config = load(source)
    with opened(config.state.path) as journal:
        row = found(journal, series)
        return ahead(past(journal, row, samples, element), config, journal, row, element)


def opened(state: Path) -> closing[Journal]:
    """The journal of a state directory, to be read. Raises StateError."""
    if not (state / FILE).exists():
        raise StateError(f"{state}: holds no journal; name the daemon's configuration, or its state.path")
    return closing(Journal.read(state))


def found(journal: Journal, name: str) -> SeriesRow:
    """The series of this name. Raises SourceError, which names a few that there are."""
    rows = {joined(row.topic, row.part): row for source in journal.sources() for row in journal.series(source)}
    if name in rows:
        return rows[name]
    names = sorted(rows, key=lambda one: (name not in one, one))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    there = f"there are {', '.join(names[:NAMED])}{more}" if names else "there is none yet"
    raise SourceError(f"{name}: no such series; {there}")


def past(journal: Journal, row: SeriesRow, samples: int, element: int) -> Curve:
    """The newest samples of a series. Raises SourceError."""
    _, times, values = journal.dated(row.ident, samples)
    if len(values) and element >= values.shape[1]:
        raise SourceError(f"--element {element}: a sample has {values.shape[1]}, numbered from 0")
    name = joined(row.topic, row.part)
    return Curve(name, times.tolist(), values[:, element].tolist(), [], [], [], [], (), "")


def ahead(before: Curve, config: Config, journal: Journal, row: SeriesRow, element: int) -> Curve:
    """The same with the newest forecast, as the daemon's own code makes it of its states."""
    prepare()
    for stream in streams(config):
        known = {one.ident: one for one in journal.series(stream.source)}
        if row.ident not in known:
            continue
        resume(stream, known, journal, Event())
        at = next(one.row for one in stream.series if one.ident == row.ident)
        if stream.series[at].tick < 1:
            break
        (forecast,) = forecasts(stream, peeked(stream, np.array([at])))
        steps = [forecast.time + (i + 1) * forecast.interval for i in range(len(forecast.mean))]
        mean, *bounds = (
            [one[element] if isinstance(one, list) else one for one in curve]
            for curve in (forecast.mean, *forecast.quantiles.values())
        )
        low, high = (numbers(bounds[end]) if bounds else [] for end in (0, -1))
        quantiles = tuple(map(float, forecast.quantiles))
        return Curve(
            before.name, before.times, before.values, steps, numbers(mean), low, high, quantiles, forecast.model
        )
    return before


def streams(config: Config) -> Iterator[StreamState]:
    """New streams, as a daemon would begin with them."""
    return (StreamState(one, config.metrics) for one in config.streams)


def numbers(values: list[float | None]) -> list[float]:
    """The same; nothing is not a number."""
    return [float("nan") if value is None else value for value in values]
