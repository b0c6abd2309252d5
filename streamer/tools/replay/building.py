"""A simulated room, heated on workdays: its temperature in °C, endless and seeded. Its local time is UTC."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

HOUR, DAY = 3600.0, 86_400.0
"""Seconds."""
THURSDAY = 3
"""Day of the week of 1970-01-01, counted from Monday, 0."""
CHUNK = 1000
"""Samples that random numbers are drawn for at a time."""


@dataclass(frozen=True, slots=True)
class Building:
    """A room of one heat capacity behind one wall, in °C and seconds.

    The heating wants `warm` from 06:00 to 18:00, Monday to Friday, and `cool` else. It turns on in full from one degree
    below, follows within about `inertia`, and warms the room by `power` °C an hour. The room loses its difference to
    the air outside with the time constant `wall`. Outside it is 6 °C on average, warmest at 15:00, with weather of
    standard deviation `weather` that lasts about two days. A reading has Gaussian noise of standard deviation `noise`.
    """

    warm: float = 21.0
    cool: float = 16.0
    power: float = 3.0
    inertia: float = 900.0
    wall: float = 20 * HOUR
    swing: float = 4.0
    weather: float = 1.0
    noise: float = 0.15

    def wanted(self, time: float) -> float:
        """What the heating aims at, at this time in seconds since 1970."""
        workday = (time // DAY + THURSDAY) % 7 < 5
        return self.warm if workday and 6 * HOUR <= time % DAY < 18 * HOUR else self.cool

    def stream(self, seed: int, interval: float, start: float) -> Iterator[float]:
        """A reading every `interval` seconds without end; the first one at `start`, in seconds since 1970."""
        random = np.random.default_rng(seed)
        room, heat, weather, time = self.cool, 0.0, 0.0, start
        lasts, follows = interval / (2 * DAY), 1 - math.exp(-interval / self.inertia)
        while True:
            for gust, error in random.normal(size=(CHUNK, 2)).tolist():
                weather += -weather * lasts + self.weather * math.sqrt(2 * lasts) * gust
                outside = 6 + self.swing * math.sin(2 * math.pi * (time / DAY - 9 / 24)) + weather
                heat += (min(max(self.wanted(time) - room, 0.0), 1.0) - heat) * follows
                room += interval * ((outside - room) / self.wall + self.power / HOUR * heat)
                time += interval
                yield room + self.noise * error
