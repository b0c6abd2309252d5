"""Parity by weight guessing: draw all weights of a tiny recurrent network until it is right on every string.

Hochreiter and Schmidhuber, "LSTM can solve hard long time lag problems" (1996): a task that guessing solves says
nothing about learning. The network has a hidden unit, h_t = σ(w·[h_{t-1}, o_{t-1}, x_t, 1]), and an output that reads
it, o_t = σ(v·[h_t, o_{t-1}, x_t, 1]), from h = o = 0; all eight weights are uniform in [-100, 100].
"""

from dataclasses import dataclass

import numpy as np

from streamer.records import Floats
from streamer.study.tasks.contract import Rng

RANGE = 100.0
STRINGS = 100
"""Strings that a guess must answer right to count as a solution."""
TRIAL_BITS = 12
"""A guess is dropped that is wrong on a short string, before the long ones are run."""
GUESSES = 2_000


@dataclass(frozen=True, slots=True)
class Found:
    """A solution: weights [2, 4], w and v, and the number of guesses up to it."""

    weights: Floats
    guesses: int


def outputs(weights: Floats, bits: Floats) -> Floats:
    """The output after the last bit: weights [g, 2, 4], bits [T, s] as ±1 -> [g, s]."""
    w, v = weights.transpose(1, 2, 0)[..., None]
    h = o = np.zeros((len(weights), bits.shape[1]))
    for x in bits:
        h = sigmoid(w[0] * h + w[1] * o + w[2] * x + w[3])
        o = sigmoid(v[0] * h + v[1] * o + v[2] * x + v[3])
    return o


def sigmoid(a: Floats) -> Floats:
    """σ(a), whose exponential stays finite."""
    return np.asarray(1 / (1 + np.exp(-np.clip(a, -500, 500))))


def right(weights: Floats, bits: Floats) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which guesses are right on all strings of the same length, [g]."""
    odd = (bits > 0).sum(0) % 2 == 1
    return np.asarray(((outputs(weights, bits) > 0.5) == odd).all(1))


def guess(rng: Rng, length: int, most: int) -> Found | None:
    """Guess until all of STRINGS strings of `length` to 1.2·length bits are right; None after `most` guesses."""
    short = drawn(rng, TRIAL_BITS, STRINGS)
    long = [drawn(rng, int(rng.integers(length, length * 6 // 5 + 1)), 1) for _ in range(STRINGS)]
    for done in range(0, most, GUESSES):
        weights = rng.uniform(-RANGE, RANGE, (GUESSES, 2, 4))
        for i in np.flatnonzero(right(weights, short)):
            if all(right(weights[i : i + 1], bits)[0] for bits in long):
                return Found(weights[i], done + int(i) + 1)
    return None


def drawn(rng: Rng, length: int, strings: int) -> Floats:
    """Random bits as ±1, [T, strings]."""
    return rng.choice([-1.0, 1.0], (length, strings))
