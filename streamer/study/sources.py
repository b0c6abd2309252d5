"""Series to forecast: the paper's waves, or a CSV file, cut into windows for training and tests.

Axes: T samples, b windows, m samples of a window, h leads, c known inputs.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from streamer.errors import SourceError
from streamer.paper.waves import waves
from streamer.records import Floats
from streamer.tools.replay.csvfile import csv_file
from streamer.tools.replay.signals import WAVES

M, H = 70, 40
LEARNED = 0.6
"""Share of a CSV file, its oldest, that is learned from; the rest is tested on."""
DAY_SECONDS = 86_400.0
LEAST = 1e-6
"""Smallest deviation of a window that it is divided by."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows x [b, M], their continuations y [b, H], and known inputs u [b, M + H, c]."""

    x: Tensor
    y: Tensor
    u: Tensor


@dataclass(frozen=True, slots=True)
class Series:
    """Values [T], known inputs [T, c], which values were measured, and the first and last places that windows may
    have: a window and its truths lie in `first` … `last` - 1.

    `scaled`: a window is read relative to its last value, in units of its deviation.
    """

    values: Floats
    known: Floats
    measured: "np.ndarray[tuple[int], np.dtype[np.bool_]]"
    first: int
    last: int
    scaled: bool = False

    def windows(self, origins: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Windows:
        """The windows whose first truths are at these places."""
        at = origins[:, None] + np.arange(-M, H)
        held = torch.from_numpy(self.values[at].astype(np.float32))
        return Windows(held[:, :M], held[:, M:], torch.from_numpy(self.known[at].astype(np.float32)))

    def drawn(self, rng: np.random.Generator, b: int) -> Windows:
        """Random windows."""
        return self.windows(rng.integers(self.first + M, self.last - H + 1, b))

    def spread(self, most: int) -> Windows:
        """At most this many windows, evenly spread, whose newest sample and truths were all measured."""
        places = np.arange(self.first + M, self.last - H + 1)
        whole = np.convolve(self.measured, np.ones(H + 1), "valid")[places - 1] > H
        places = places[whole]
        return self.windows(places[:: max(1, math.ceil(len(places) / most))])


@dataclass(frozen=True, slots=True)
class Source:
    """Series to learn from together, and series by name to test on."""

    taught: tuple[Series, ...]
    tests: dict[str, Series]

    @property
    def c(self) -> int:
        """Number of known inputs."""
        return int(self.taught[0].known.shape[1])

    def batch(self, rng: np.random.Generator, b: int) -> Windows:
        """b windows to learn from, of all series alike."""
        parts = [series.drawn(rng, b // len(self.taught)) for series in self.taught]
        return Windows(
            torch.cat([part.x for part in parts]),
            torch.cat([part.y for part in parts]),
            torch.cat([part.u for part in parts]),
        )


def paper_waves(seed: int, points: int) -> Source:
    """Both waves of the paper with `points` samples; tests have fresh noise. Nothing is known beforehand."""
    sets = [waves([seed], fresh, 1, points, "gaussian", torch.device("cpu")).x.view(2, -1) for fresh in (False, True)]
    taught, tests = (
        [Series(row.double().numpy(), np.zeros((points, 0)), np.ones(points, bool), 0, points) for row in rows]
        for rows in sets
    )
    return Source(tuple(taught), dict(zip(WAVES, tests, strict=True)))


def csv_series(path: Path) -> Source:
    """A CSV file with the time in its first column and the value in its last, on its grid, gaps filled with the last
    value. Known inputs: sine and cosine of the time of day, where samples are at least a minute apart.

    Raises SourceError if the file is malformed or too short.
    """
    samples = list(csv_file(path, columns=[last_column(path)], time_column="1", quiet=True))
    if len(samples) < 2:
        raise SourceError(f"{path}: has {len(samples)} samples; give it more")
    times = np.array([sample.time for sample in samples])
    interval = float(np.median(np.diff(times)))
    ticks = np.rint((times - times[0]) / interval).astype(int)
    size = int(ticks[-1]) + 1
    split = round(LEARNED * size)
    if size - split < M + H:
        raise SourceError(f"{path}: has {size} ticks; {math.ceil((M + H) / (1 - LEARNED))} are needed")
    measured = np.zeros(size, bool)
    measured[ticks] = True
    held = np.zeros(size)
    held[ticks] = [sample.values[0] for sample in samples]
    values = held[np.maximum.accumulate(np.where(measured, np.arange(size), 0))]
    angle = 2 * math.pi * (times[0] + interval * np.arange(size)) / DAY_SECONDS
    known = np.stack([np.sin(angle), np.cos(angle)], 1) if interval >= 60 else np.zeros((size, 0))
    whole = (values, known, measured)
    return Source((Series(*whole, 0, split, True),), {path.stem: Series(*whole, split - M, size, True)})


def last_column(path: Path) -> str:
    """The position of a CSV file's last column, from 1.

    Raises SourceError if the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            return str(file.readline().count(",") + 1)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error


def units(x: Tensor) -> tuple[Tensor, Tensor]:
    """The last value and the deviation of each window x [b, M], both [b, 1]."""
    return x[:, -1:], x.std(1, keepdim=True).clamp(min=LEAST)
