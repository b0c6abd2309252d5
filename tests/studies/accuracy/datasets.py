"""A CSV file of real measurements in; its series on a regular grid, and what is forecast and when, out."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.records import Floats, Ints
from streamer.tools.replay.sample import parse_time


@dataclass(frozen=True, slots=True)
class Spec:
    """One data set and how it is studied.

    interval: seconds between samples. stride: ticks between two origins. k, p: the horizon is k·p leads. day, week:
    ticks of the seasons that the data has, None for none. lags: inputs of RLS and LightGBM. stream: keys of the
    stream's configuration beside topics, payload, interval, model and retrain.
    """

    interval: float
    stride: int
    k: int
    p: int
    day: int | None = None
    week: int | None = None
    lags: int = 96
    stream: dict[str, Any] = field(default_factory=dict)

    @property
    def horizon(self) -> int:
        return self.k * self.p

    @property
    def seasons(self) -> dict[str, int]:
        """Name and ticks of each season that the data has, the longest last."""
        return {name: ticks for name, ticks in (("yesterday", self.day), ("last week", self.week)) if ticks}


SPECS: dict[str, Spec] = {
    "ETTh1": Spec(3600.0, stride=5, k=8, p=6, day=24, week=168),
    "traffic_i94": Spec(3600.0, stride=5, k=8, p=6, day=24, week=168, lags=48),
    "glucose_cgm": Spec(300.0, stride=5, k=8, p=6, day=288),
    "pv_serf": Spec(900.0, stride=2, k=8, p=6, day=96),
    "soil_moisture": Spec(3600.0, stride=6, k=8, p=5),
    "watch_accel": Spec(0.02, stride=1, k=8, p=5),
}


@dataclass(frozen=True, slots=True)
class Data:
    """The series of one data set on their grid.

    names: [s] of the series. time: [n] seconds since 1970. x: [n, s], NaN where a sample is missing.
    """

    name: str
    spec: Spec
    names: tuple[str, ...]
    time: Floats
    x: Floats

    @property
    def start(self) -> int:
        """How many samples may be learnt from before the first forecast is scored: 40 % of the grid, rounded up."""
        return -(-2 * len(self.x) // 5)

    @property
    def origins(self) -> Ints:
        """[o] positions, from 0, of the newest sample of each forecast that is scored.

        The first is the last sample of the first 40 %. All truths of the last one lie on the grid.
        """
        return np.arange(self.start - 1, len(self.x) - self.spec.horizon, self.spec.stride)

    @property
    def truth(self) -> Floats:
        """[s, o, h] what came, NaN where a sample is missing."""
        return self.x.T[:, ahead(self.origins, self.spec.horizon)]

    @property
    def present(self) -> NDArray[np.bool_]:
        """[n, s] whether there is a sample."""
        return ~np.isnan(self.x)


def ahead(origins: Ints, horizon: int) -> Ints:
    """[o, h] positions of the ticks that are forecast from each origin."""
    return origins[:, None] + np.arange(1, horizon + 1)


def filled(x: Floats) -> Floats:
    """[n] values, each missing one replaced by the newest before it; the first must exist."""
    at = np.where(np.isnan(x), 0, np.arange(len(x)))
    return x[np.maximum.accumulate(at)]


def load(folder: Path, name: str) -> Data:
    """Read a data set: the first column is the time, each other one a series. Raises OSError."""
    spec = SPECS[name]
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    time = np.array([parse_time(row[0]) for row in rows])
    at = np.rint((time - time[0]) / spec.interval).astype(np.int64)
    x = np.full((at[-1] + 1, len(header) - 1), np.nan)
    x[at] = np.array([[float(cell) for cell in row[1:]] for row in rows])
    names = (name,) if len(header) == 2 else tuple(header[1:])
    return Data(name, spec, names, time[0] + spec.interval * np.arange(len(x)), x)
