"""Parity: is the number of ones among the bits odd? Asked once, at the end."""

from dataclasses import dataclass

import numpy as np

from streamer.study.tasks.contract import Rng, Sequences, Task, last


@dataclass(frozen=True)
class Parity(Task):
    """Sequences of `shortest` to `longest` bits, as ±1.

    Short ones are in the lessons because gradients find nothing in long ones alone.
    """

    shortest: int
    longest: int
    far: Task | None = None

    d = 1
    o = 1
    figure = "500 bits by weight guessing, 2,906 guesses (H&S 1996)"

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"parity, {self.shortest} to {self.longest} bits"

    def sequence(self, rng: Rng) -> Sequences:
        x = rng.choice([-1.0, 1.0], (int(rng.integers(self.shortest, self.longest + 1)), 1))
        return Sequences(x, np.full((len(x), 1), (x > 0).sum() % 2.0), last(len(x)))
