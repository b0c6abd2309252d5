"""aⁿbⁿ and aⁿbⁿcⁿ: which symbols may come next, for n far beyond the lessons (Gers and Schmidhuber 2001)?"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streamer.study.reader import Reader
from streamer.study.tasks.contract import Rng, Sequences, Task

BEGIN = 0
"""Input of the symbol before the first a; the letters follow. Outputs are the letters, and last the end."""


@dataclass(frozen=True)
class Counting(Task):
    """Strings of the letters, n of each, n = 1 … `most`; examined on every n up to `far_n`.

    The score is the largest N with every n <= N right at all steps.
    """

    letters: str
    most: int
    far_n: int

    @property
    def name(self) -> str:  # type: ignore[override]
        return "".join(f"{letter}ⁿ" for letter in self.letters)

    @property
    def figure(self) -> str:  # type: ignore[override]
        return "LSTM to n = 1000" if self.letters == "ab" else "–"

    @property
    def d(self) -> int:  # type: ignore[override]
        return 1 + len(self.letters)

    @property
    def o(self) -> int:  # type: ignore[override]
        return len(self.letters) + 1

    def sequence(self, rng: Rng) -> Sequences:
        n = int(rng.integers(1, self.most + 1))
        symbols = [BEGIN, *np.repeat(np.arange(1, self.d), n).tolist()]
        legal = [self.legal(index, i + 1, n) for index in range(len(self.letters)) for i in range(n)]
        y = np.array([np.eye(self.o)[0], *legal])
        return Sequences(np.eye(self.d)[symbols], y, np.ones(len(symbols)))

    def legal(self, index: int, i: int, n: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        """What may follow the i-th of n symbols of letter number `index`: 1 for legal, [o]."""
        y = np.zeros(self.o)
        if index == 0:
            y[:2] = 1  # n is not known before the first b
        else:
            y[index + (i == n)] = 1
        return y

    @torch.no_grad()
    def exams(self, network: Reader, rng: Rng, size: int) -> dict[str, float]:
        """One pass along a's, from which every n branches off; the n of a letter end one after the other."""
        unit = torch.eye(self.d)
        y, s = network.step(unit[[BEGIN]], network.zero_state(1))
        right = torch.full((self.far_n,), bool(((y > 0) == torch.eye(self.o)[0].bool()).all()))
        at, so_far = list[Tensor](), True
        for _ in range(self.far_n):
            y, s = network.step(unit[[1]], s)
            so_far = so_far and bool(((y > 0) == torch.from_numpy(self.legal(0, 1, 2) > 0)).all())
            right[len(at)] &= so_far
            at.append(s)
        states = torch.cat(at)
        for index in range(1, len(self.letters)):
            right &= self.branch(network, states, index)
        wrong = (~right).nonzero()
        return {f"{self.name}, n ≤ {self.far_n}": float(wrong[0] if len(wrong) else self.far_n)}

    def solved(self, network: Reader, rng: Rng) -> bool:
        return min(self.exams(network, rng, 0).values()) == self.far_n

    def branch(self, network: Reader, states: Tensor, index: int) -> Tensor:
        """Run letter `index` n times from the n-th state, in place; which n were right at every step."""
        x = torch.eye(self.d)[[1 + index]]
        right = torch.ones(len(states), dtype=torch.bool)
        within, over = (torch.from_numpy(self.legal(index, i, 2) > 0) for i in (1, 2))
        for i in range(1, len(states) + 1):
            left = states[i - 1 :]
            y, left[:] = network.step(x.expand(len(left), -1), left.clone())
            right[i - 1] &= bool(((y[0] > 0) == over).all())
            right[i:] &= ((y[1:] > 0) == within).all(1)
        return right

    def words(self, score: float) -> str:
        return f"{score:.0f}"
