"""Adding: the sum of two marked values among many (Hochreiter and Schmidhuber 1997, experiment 4)."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from streamer.study.tasks.contract import Batch, Rng, Sequences, Task, grown, last

NEAR = 0.04
"""An answer within this distance is right, as there."""
SHORTEST = 6
"""Shortest sequence in which two pairs can be marked."""


@dataclass(frozen=True)
class Adding(Task):
    """Sequences of `length` to 1.1·length pairs (value in [-1, 1], marker).

    The marker is 1 at one of the first ten pairs and at another one of the first length/2 - 1, -1 at both ends, else
    0. The answer is 0.5 + (sum of the marked values)/4; a marked first pair counts as 0. Lessons grow in length.
    """

    length: int

    d = 2
    o = 1
    figure = "LSTM 2559/2560 (T = 100 and 1000)"

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"adding, T = {self.length}"

    def sequence(self, rng: Rng) -> Sequences:
        length = int(rng.integers(self.length, self.length * 11 // 10 + 1))
        x = np.zeros((length, 2))
        x[:, 0] = rng.uniform(-1, 1, length)
        first = int(rng.integers(min(10, self.length // 2 - 1)))
        second = int(rng.choice([i for i in range(self.length // 2 - 1) if i != first]))
        if 0 in (first, second):
            x[0, 0] = 0
        answer = 0.5 + (x[first, 0] + x[second, 0]) / 4
        x[[first, second], 1] = 1
        x[[0, -1], 1] = -1
        return Sequences(x, np.full((length, 1), answer), last(length))

    def lesson(self, rng: Rng, b: int, part: float) -> Batch:
        return Adding(grown(rng, SHORTEST, self.length, part)).draw(rng, b)

    def loss(self, said: Tensor, batch: Batch) -> Tensor:
        return (said[batch.asked] - batch.y[batch.asked]).square().mean()

    def right(self, said: Tensor, batch: Batch) -> Tensor:
        return (((said - batch.y).abs() < NEAR).all(2) | ~batch.asked).all(1)
