"""The paper's test signals (section 5.1): phase-modulated noisy waves, endless and seeded."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def sine(phase: Floats) -> Floats:
    """sin(2π·phase), period T = 1."""
    return np.sin(2 * math.pi * phase)


def trapezoid(phase: Floats, rise: float = 0.1, fall: float = 0.1, width: float = 0.4, space: float = 0.4) -> Floats:
    """A trapezoid between 0 and 1; rise, width (top), fall and space (bottom) follow each other and add to a period."""
    x = np.mod(phase, rise + width + fall + space)
    return np.interp(x, [0.0, rise, rise + width, rise + width + fall], [0.0, 1.0, 1.0, 0.0])


WAVES: dict[str, Callable[[Floats], Floats]] = {"sine": sine, "trapezoid": trapezoid}


@dataclass(frozen=True, slots=True)
class Signal:
    """G(t) = A0 + A·wave(t + Δ·sin(2πt/s)) + noise, sampled every dt.

    `delta` and `s` are the depth and the period of the phase modulation. The paper does not give A, A0 and the
    distribution of the noise: here A = 1, A0 = 0, and the noise is Gaussian with standard deviation `a`, or uniform
    on [-a, a].
    """

    wave: str = "sine"
    a: float = 0.15
    delta: float = 2.0
    s: float = 10.0
    dt: float = 0.01
    amplitude: float = 1.0
    offset: float = 0.0
    noise: Literal["gaussian", "uniform"] = "gaussian"

    def clean(self, start: int, size: int) -> Floats:
        """`size` values without noise, from sample number `start` on."""
        t = np.arange(start, start + size) * self.dt
        phase = t + self.delta * np.sin(2 * math.pi * t / self.s)
        return self.offset + self.amplitude * WAVES[self.wave](phase)

    def noisy(self, size: int, seed: int, start: int = 0) -> Floats:
        """`size` values from sample number `start` on, with noise drawn from `seed`."""
        return self.clean(start, size) + self._draw(np.random.default_rng(seed), size)

    def stream(self, seed: int, chunk: int = 1000) -> Iterator[float]:
        """The values of `noisy` without end, made in chunks; the size of a chunk does not change them."""
        rng = np.random.default_rng(seed)
        for start in count(0, chunk):
            yield from (self.clean(start, chunk) + self._draw(rng, chunk)).tolist()

    def _draw(self, rng: np.random.Generator, size: int) -> Floats:
        return rng.normal(0, self.a, size) if self.noise == "gaussian" else rng.uniform(-self.a, self.a, size)
