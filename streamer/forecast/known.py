"""Ticks, times and covariates in, known inputs of networks out: where a tick lies in each cycle, as sine and cosine
waves, and how far covariates deviate from their running means, in running deviations."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.config import Stream
from streamer.config.cycles import HARMONICS, Dated
from streamer.forecast.calendar import Calendar
from streamer.forecast.scale import LIMIT, deviation, follow_all
from streamer.part import Column, Rows
from streamer.records import Floats, Ints, Sizes, TickBatch

F32 = NDArray[np.float32]


class Waves:
    """For each cycle the cosine and sine of each harmonic."""

    def __init__(self, config: Dated, horizon: int) -> None:
        self.calendar = Calendar(config)
        self.interval = 0.0 if config.interval is None else config.interval
        turns = [self.interval / cycle.period if cycle.period else 1 / cycle.slots for cycle in self.calendar.cycles]
        harmonics = np.arange(1, HARMONICS + 1)
        self.harmonics = 2 * np.pi * harmonics
        angles = np.arange(1, horizon)[:, None] * (np.array(turns)[:, None] * self.harmonics).ravel()
        self.turned = np.exp(1j * angles)  # [h - 1, waves]: from the next tick to those after it

    def next(self, tick: Ints, time: Floats) -> F32:
        """Those of the tick after each of these, whose samples are of these times: [b] -> [b, waves]."""
        return self.parts(self.at(tick, time))

    def coming(self, tick: Ints, time: Floats) -> F32:
        """Those of the k·p - 1 ticks after the next, [b, h - 1, waves]; a change to summer time is not foreseen."""
        return self.parts(self.at(tick, time)[:, None] * self.turned)

    def at(self, tick: Ints, time: Floats) -> NDArray[np.complex128]:
        """Cosine and sine of all harmonics at the next tick, as complex numbers: [b] -> [b, waves]."""
        if not self.calendar.cycles:
            return np.zeros((len(tick), 0), np.complex128)
        phases = np.stack(self.calendar.phases(tick + 1, time + self.interval), 1)
        angles = phases[:, :, None] * self.harmonics
        turned: NDArray[np.complex128] = np.exp(1j * angles).reshape(len(tick), -1)
        return turned

    @staticmethod
    def parts(waves: NDArray[np.complex128]) -> F32:
        """Complex numbers [.., waves] as pairs of numbers, [.., c]."""
        return waves.view(np.float64).astype(np.float32)


class Known(Rows):
    """Known inputs [c] of a tick: waves, then covariates. Only for sizes with c > 0.

    u_count, u_mean, u_variance, u_slow [N, C]: of each covariate, as of values in `Running`.
    """

    name = "known"
    u_count: Floats
    u_mean: Floats
    u_variance: Floats
    u_slow: Floats

    def __init__(self, config: Dated, sizes: Sizes, covariates: int = 0) -> None:
        self.waves, self.covariates = Waves(config, sizes.horizon), covariates
        each = Column((covariates,))
        columns = {"u_count": each, "u_mean": each, "u_variance": each, "u_slow": each}
        super().__init__(**columns if covariates else {})

    @classmethod
    def of(cls, config: Stream, sizes: Sizes) -> "Known":
        """Those of a stream."""
        return cls(config, sizes, len(config.covariates))

    def fit(self) -> list[Any]:
        return [self.covariates]

    @property
    def interval(self) -> float:
        """Seconds between two ticks, 0 for none."""
        return self.waves.interval

    def next(self, batch: TickBatch, time: Floats) -> F32:
        """Those of the tick after each of these, [b, c]; `time` is theirs. Covariates follow what they are now."""
        waves = self.waves.next(batch.tick, time)
        if batch.u is None:
            return waves
        rows, own = batch.rows, (batch.rows[:, None] * self.covariates + np.arange(self.covariates)).ravel()
        mean, variance, slow = (array.reshape(-1, 1) for array in (self.u_mean, self.u_variance, self.u_slow))
        now = batch.u[:, :, 0].reshape(-1, 1).astype(np.float64)
        follow_all(self.u_count.reshape(-1), mean, variance, slow, own, now)
        return np.concatenate([waves, self.scaled(rows, batch.u[:, :, 1:2])[:, 0]], 1)

    def coming(self, batch: TickBatch) -> F32:
        """Those of the k·p - 1 ticks after the next, [b, h - 1, c]."""
        waves = self.waves.coming(batch.tick, batch.time)
        return waves if batch.u is None else np.concatenate([waves, self.scaled(batch.rows, batch.u[:, :, 2:])], 2)

    def scaled(self, rows: Ints, u: F32) -> F32:
        """Covariates [b, C, t] in running deviations from their running means, [b, t, C]; 0 where one is unknown."""
        mean, spread = self.u_mean[rows], deviation(self.u_mean[rows], self.u_variance[rows], self.u_slow[rows])
        return in_units(u.swapaxes(1, 2), mean[:, None], spread[:, None], self.u_count[rows][:, None])


def in_units(u: NDArray[Any], mean: Floats, spread: Floats, count: Floats) -> F32:
    """Covariates in running deviations from their means; 0 where one is unknown or was never met."""
    z = ((u - mean) / spread).clip(-LIMIT, LIMIT)
    return np.where(np.isnan(z) | (count == 0), 0, z).astype(np.float32)
