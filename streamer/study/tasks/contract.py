"""What a task is: lessons, a loss, and exams on fresh sequences.

Axes: b sequences, T steps, d inputs, o outputs. Shorter sequences of a batch end in zeros that nobody asks about.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as fn

from streamer.records import Floats
from streamer.study.reader import Reader

Rng = np.random.Generator
EXAM = 256
"""Sequences of an exam that are run side by side."""
TRIAL, ENOUGH = 500, 0.999
"""Sequences of a trial exam, and the share of them that solves a task."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs x [b, T, d], wanted outputs y [b, T, o], and where they are asked for, `asked` [b, T]."""

    x: Tensor
    y: Tensor
    asked: Tensor


@dataclass(frozen=True, slots=True)
class Sequences:
    """Inputs x [T, d], wanted y [T, o] and the steps asked for, `asked` [T], of one sequence."""

    x: Floats
    y: Floats
    asked: Floats


def padded(sequences: Sequence[Sequences]) -> Batch:
    """Sequences of any lengths as one batch."""
    longest = max(len(one.x) for one in sequences)

    def stacked(parts: list[Floats]) -> Tensor:
        held = np.zeros((len(parts), longest, *parts[0].shape[1:]), np.float32)
        for row, part in zip(held, parts, strict=True):
            row[: len(part)] = part
        return torch.from_numpy(held)

    return Batch(
        stacked([one.x for one in sequences]),
        stacked([one.y for one in sequences]),
        stacked([one.asked for one in sequences]).bool(),
    )


def grown(rng: Rng, shortest: int, longest: int, part: float) -> int:
    """A length for a lesson, from `shortest` to what grows to `longest` in the first two thirds of the training."""
    return int(rng.integers(shortest, round(shortest + (longest - shortest) * min(1.0, 1.5 * part)) + 1))


def last(length: int) -> Floats:
    """Where a sequence of this length is asked about that is asked at its last step alone, [T]."""
    asked = np.zeros(length)
    asked[-1] = 1
    return asked


class Task(ABC):
    """A task of questions that are answered yes (1) or no (0) by the sign of an output."""

    d: ClassVar[int]
    o: ClassVar[int]
    figure: ClassVar[str]
    """What the literature reports, for the table."""
    name: str
    far: "Task | None" = None
    """The same with longer sequences, which the trained network is examined on as well."""

    @abstractmethod
    def sequence(self, rng: Rng) -> Sequences:
        """One sequence."""

    def lesson(self, rng: Rng, b: int, part: float) -> Batch:
        """A batch of b sequences to learn from when this part of the training is over, 0 to 1."""
        return self.draw(rng, b)

    def draw(self, rng: Rng, b: int) -> Batch:
        """A batch of b sequences."""
        return padded([self.sequence(rng) for _ in range(b)])

    def loss(self, said: Tensor, batch: Batch) -> Tensor:
        """The mean loss over what is asked; said: [b, T, o]."""
        return fn.binary_cross_entropy_with_logits(said[batch.asked], batch.y[batch.asked])

    def right(self, said: Tensor, batch: Batch) -> Tensor:
        """Which sequences were answered right at every step that is asked for, [b]."""
        return (((said > 0) == (batch.y > 0.5)).all(2) | ~batch.asked).all(1)

    @torch.no_grad()
    def share(self, network: Reader, rng: Rng, size: int) -> float:
        """The share of `size` fresh sequences that are answered right."""
        found = []
        for done in range(0, size, EXAM):
            batch = self.draw(rng, min(EXAM, size - done))
            found.append(self.right(network(batch.x)[0], batch))
        return float(torch.cat(found).float().mean())

    def solved(self, network: Reader, rng: Rng) -> bool:
        """Whether a trial exam says that nothing is left to learn."""
        return self.share(network, rng, TRIAL) >= ENOUGH

    def exams(self, network: Reader, rng: Rng, size: int) -> dict[str, float]:
        """What the trained network reaches, by name of the exam, the first being the task it was trained on."""
        asked = [self] if self.far is None else [self, self.far]
        return {task.name: task.share(network, rng, size) for task in asked}

    def words(self, score: float) -> str:
        """A score as the table shows it."""
        return f"{100 * score:.4g} %"
