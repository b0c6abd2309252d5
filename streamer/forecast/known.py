"""Ticks and times in, known inputs of networks out: where a tick lies in each cycle, as sine and cosine waves."""

import numpy as np
from numpy.typing import NDArray

from streamer.config.cycles import HARMONICS, Dated
from streamer.forecast.calendar import Calendar
from streamer.records import Floats, Ints, Sizes

F32 = NDArray[np.float32]


class Known:
    """Known inputs [c] of a tick: for each cycle the cosine and sine of each harmonic. Only for sizes with c > 0."""

    def __init__(self, config: Dated, sizes: Sizes) -> None:
        self.calendar = Calendar(config)
        self.interval = 0.0 if config.interval is None else config.interval
        turns = [self.interval / cycle.period if cycle.period else 1 / cycle.slots for cycle in self.calendar.cycles]
        harmonics = np.arange(1, HARMONICS + 1)
        self.harmonics = 2 * np.pi * harmonics
        angles = np.arange(1, sizes.horizon)[:, None] * (np.array(turns)[:, None] * self.harmonics).ravel()
        self.turned = np.exp(1j * angles)  # [h - 1, waves]: from the next tick to those after it

    def next(self, tick: Ints, time: Floats) -> F32:
        """Those of the tick after each of these, whose samples are of these times: [b] -> [b, c]."""
        return self.parts(self.waves(tick, time))

    def coming(self, tick: Ints, time: Floats) -> F32:
        """Those of the k·p - 1 ticks after the next, [b, h - 1, c]; a change to summer time is not foreseen."""
        return self.parts(self.waves(tick, time)[:, None] * self.turned)

    def waves(self, tick: Ints, time: Floats) -> NDArray[np.complex128]:
        """Cosine and sine of all harmonics at the next tick, as complex numbers: [b] -> [b, waves]."""
        phases = np.stack(self.calendar.phases(tick + 1, time + self.interval), 1)
        angles = phases[:, :, None] * self.harmonics
        turned: NDArray[np.complex128] = np.exp(1j * angles).reshape(len(tick), -1)
        return turned

    @staticmethod
    def parts(waves: NDArray[np.complex128]) -> F32:
        """Complex numbers [.., waves] as pairs of numbers, [.., c]."""
        return waves.view(np.float64).astype(np.float32)
