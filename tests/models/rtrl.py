"""Real-time recurrent learning in numpy, float64: gradients that are carried forward with the state, without a window.

A trace is the derivative of the state by a weight; at any tick the gradient of an error there is its product with the
trace (Williams and Zipser 1989). For a fully connected cell that is n numbers for each weight. Where each number
of a state acts on itself alone, a weight reaches one of them alone, and the trace is as large as the weights.
"""

import numpy as np
from numpy.typing import NDArray

from streamer.records import Floats
from tests.models.equations import Weights

Complex = NDArray[np.complex128]


class Dense:
    """The vanilla cell, h' = tanh(V·[h; x; 1]): p[k, i, j] = ∂h_k/∂V_ij, n·n·(n + d + 1) numbers."""

    def __init__(self, v: Floats) -> None:
        self.v, self.h = v, np.zeros(len(v))
        self.p = np.zeros((len(v), *v.shape))

    def step(self, x: Floats) -> Floats:
        """The next state; p'[k] = (1 - h'_k²)·(Σ_l V_kl·p[l] + [k = i]·[h; x; 1]_j)."""
        n, given = len(self.v), np.concatenate([self.h, x, [1.0]])
        self.h = np.tanh(self.v @ given)
        moved = np.tensordot(self.v[:, :n], self.p, 1)
        moved[np.arange(n), np.arange(n)] += given
        self.p = (1 - self.h**2)[:, None, None] * moved
        return self.h

    def gradient(self, error: Floats) -> Floats:
        """By V, of an error whose derivative by h is given."""
        return np.tensordot(error, self.p, 1)


class Diagonal:
    """The linear recurrent unit's z' = λ·z + w·x with w = γ·B: z, ∂z/∂λ and ∂z/∂w, 2·(d + 2) numbers for each z."""

    def __init__(self, weights: Weights) -> None:
        self.turn: Complex = np.exp(-np.exp(weights["nu"]) + 1j * np.exp(weights["theta"]))
        pairs, d = len(self.turn), weights["B"].shape[1]
        self.weights, self.b = weights, weights["B"][:pairs] + 1j * weights["B"][pairs:]
        self.z, self.by_turn = np.zeros((2, pairs), complex)
        self.by_taken = np.zeros((pairs, d), complex)

    def step(self, x: Floats) -> Complex:
        self.by_turn = self.turn * self.by_turn + self.z
        self.by_taken = self.turn[:, None] * self.by_taken + x
        self.z = self.turn * self.z + np.exp(self.weights["gamma"]) * (self.b @ x)
        return self.z

    def gradient(self, error: Complex) -> dict[str, Floats]:
        """By each weight, of an error whose derivatives by Re z and Im z are the parts of `error`."""
        gamma, angle = np.exp(self.weights["gamma"]), np.exp(self.weights["theta"])
        by_turn = error.conj() * self.by_turn * self.turn
        by_taken = error.conj()[:, None] * self.by_taken * gamma[:, None]
        return {
            "nu": -(by_turn * np.exp(self.weights["nu"])).real,
            "theta": (by_turn * 1j * angle).real,
            "gamma": (by_taken * self.b).sum(1).real,
            "B": np.concatenate([by_taken.real, -by_taken.imag]),
        }
