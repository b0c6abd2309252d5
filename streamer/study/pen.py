"""Words as a pen writes them, in a Hershey vector font: a list of moves (dx, dy, lifted after it).

Axes: b words, T moves, U letters, A letters that there are. Needs the extra `study`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from streamer.records import Floats

FONT = "futural"
LETTERS = "acdehilmnorstu"
"""Letters that words are made of."""
UNIT = 0.15
"""Length of a move, in heights of a capital letter, that is 1 for the network."""
SCALE, SLANT, TREMBLE = 0.1, 0.15, 0.01
"""Deviations of a word's size and slant, and of each of its points, in heights."""
Rng = np.random.Generator
Strokes = list[Floats]
"""Points [P, 2] of each stroke."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Moves x [b, T, 3], zeros at the begin and behind the end, real [b, T], and letters c [b, U + 1, A]."""

    x: Tensor
    real: Tensor
    c: Tensor


class Pen:
    """Writes words in the font; no two are alike."""

    def __init__(self) -> None:
        from HersheyFonts import HersheyFonts

        self.font = HersheyFonts()
        self.font.load_default_font(FONT)
        self.font.normalize_rendering(1.0)

    def strokes(self, text: str) -> Strokes:
        """The font's own strokes, in heights."""
        return [np.array(stroke, float) for stroke in self.font.strokes_for_text(text) if len(stroke) > 1]

    def written(self, text: str, rng: Rng) -> Floats:
        """One way to write it: moves [T, 3], the first from the word's left end at the base line."""
        scale, slant = np.exp(SCALE * rng.normal()), SLANT * rng.normal()
        moves, last = [], np.zeros(2)
        for stroke in self.strokes(text):
            points = stroke @ [[scale, 0], [slant, scale]] + TREMBLE * rng.normal(size=stroke.shape)
            steps = np.diff(points, axis=0, prepend=last[None])
            lifted = np.zeros(len(points))
            lifted[-1] = 1
            moves.append(np.column_stack([steps / UNIT, lifted]))
            last = points[-1]
        return np.concatenate(moves)

    def batch(self, rng: Rng, b: int, least: int, most: int) -> Batch:
        """b random words of `least` to `most` letters."""
        words = ["".join(rng.choice(list(LETTERS), rng.integers(least, most + 1))) for _ in range(b)]
        return batch_of([self.written(word, rng) for word in words], words)


def batch_of(moves: Sequence[Floats], words: Sequence[str]) -> Batch:
    """Moves of words side by side; a move before the first says that the pen has been lifted."""
    longest, letters = max(map(len, moves)), max(map(len, words))
    x, real = torch.zeros(len(moves), longest + 1, 3), torch.zeros(len(moves), longest, dtype=torch.bool)
    x[:, 0, 2] = 1
    for i, some in enumerate(moves):
        x[i, 1 : len(some) + 1] = torch.from_numpy(some.astype(np.float32))
        real[i, : len(some)] = True
    return Batch(x, real, coded(words, letters))


def coded(words: Sequence[str], longest: int) -> Tensor:
    """Letters as unit vectors, and zeros behind the last one: [b, longest + 1, A]."""
    c = torch.zeros(len(words), longest + 1, len(LETTERS))
    for row, word in zip(c, words, strict=True):
        row[range(len(word)), [LETTERS.index(letter) for letter in word]] = 1
    return c


def lines(moves: Floats) -> Strokes:
    """The strokes that moves [T, 3] make, in heights."""
    points = UNIT * moves[:, :2].cumsum(0)
    ends = np.flatnonzero(moves[:, 2] > 0.5) + 1
    return [stroke for stroke in np.split(points, ends) if len(stroke)]
