"""Temporal order: which of X and Y came first and second, among distractors (H&S 1997, experiment 6a)."""

from dataclasses import dataclass

import numpy as np

from streamer.study.tasks.contract import Batch, Rng, Sequences, Task, grown, last

SYMBOLS = "EBabcdXY"
"""E begins and B ends a sequence, as there."""
SHORTEST = 10
"""Shortest sequence with a distractor between any two of its symbols that matter."""


@dataclass(frozen=True)
class Order(Task):
    """Sequences of `length` to 1.1·length symbols: X or Y at 0.1 to 0.2 and at 0.5 to 0.6 of `length`, the rest drawn
    from a, b, c, d. Lessons grow in length. The answer is one of four classes: XX, XY, YX, YY."""

    length: int

    d = len(SYMBOLS)
    o = 4
    figure = "LSTM 2559/2560"

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"temporal order, T = {self.length}"

    def lesson(self, rng: Rng, b: int, part: float) -> Batch:
        return Order(grown(rng, SHORTEST, self.length, part)).draw(rng, b)

    def sequence(self, rng: Rng) -> Sequences:
        tenth = self.length // 10
        length = int(rng.integers(self.length, self.length + tenth + 1))
        symbols = rng.integers(2, 6, length)
        symbols[0], symbols[-1] = 0, 1
        first, second = rng.integers(0, 2, 2)
        symbols[rng.integers(tenth, 2 * tenth + 1)] = 6 + first
        symbols[rng.integers(5 * tenth, 6 * tenth + 1)] = 6 + second
        return Sequences(np.eye(self.d)[symbols], np.tile(np.eye(4)[2 * first + second], (length, 1)), last(length))
