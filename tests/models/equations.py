"""Each cell in a few lines of numpy, float64, written from its equations: the oracle of the tests."""

from collections.abc import Callable, Mapping

import numpy as np

from streamer.records import CellName, Floats, Sizes

Step = Callable[[Floats, Floats], Floats]
Weights = Mapping[str, Floats]


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def native(weights: Weights) -> tuple[Floats, Floats, Floats, Floats]:
    """W, U and their biases, as torch's modules call them."""
    w, u, bw, bu = (weights[f"core.{part}_l0"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    return w, u, bw, bu


def rnn(weights: Weights) -> Step:
    w, u, bw, bu = native(weights)
    return lambda x, s: np.asarray(np.tanh(w @ x + bw + u @ s + bu))


def gru(weights: Weights) -> Step:
    w, u, bw, bu = native(weights)

    def step(x: Floats, s: Floats) -> Floats:
        (ar, az, an), (gr, gz, gn) = np.split(w @ x + bw, 3), np.split(u @ s + bu, 3)
        z = sigmoid(az + gz)
        return np.asarray((1 - z) * np.tanh(an + sigmoid(ar + gr) * gn) + z * s)

    return step


def lstm(weights: Weights) -> Step:
    w, u, bw, bu = native(weights)

    def step(x: Floats, s: Floats) -> Floats:
        h, c = np.split(s, 2)
        i, f, g, o = np.split(w @ x + bw + u @ h + bu, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return np.concatenate([sigmoid(o) * np.tanh(c), c])

    return step


def peephole(weights: Weights) -> Step:
    w, u, b, (p_i, p_f, p_o) = (weights[name] for name in ("W", "U", "b", "p"))

    def step(x: Floats, s: Floats) -> Floats:
        h, c = np.split(s, 2)
        i, f, o, g = np.split(w @ x + u @ h + b, 4)
        new = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g)
        return np.concatenate([sigmoid(o + p_o * new) * np.tanh(new), new])

    return step


def mrnn(weights: Weights) -> Step:
    v, a, a0, u, w, b = (weights[name] for name in "VAaUWb")
    return lambda x, s: np.asarray(np.tanh(v @ np.diag(a @ x + a0) @ u @ s + w @ x + b))


def lru(weights: Weights) -> Step:
    turn = np.exp(-np.exp(weights["nu"]) + 1j * np.exp(weights["theta"]))
    gamma, b_in, c, d, b = np.exp(weights["gamma"]), weights["B"], weights["C"], weights["D"], weights["b"]
    pairs, n = len(turn), len(b)
    taken, read = b_in[:pairs] + 1j * b_in[pairs:], c[:, :pairs] - 1j * c[:, pairs:]

    def step(x: Floats, s: Floats) -> Floats:
        z = turn * (s[n : n + pairs] + 1j * s[n + pairs :]) + gamma * (taken @ x)
        return np.concatenate([np.tanh((read @ z).real + d @ x + b), z.real, z.imag])

    return step


def slstm(weights: Weights) -> Step:
    w, u, b = (weights[name] for name in "WUb")

    def step(x: Floats, s: Floats) -> Floats:
        h, c, count, m = np.split(s, 4)
        o, g, i, f = np.split(w @ x + u @ h + b, 4)
        new = np.maximum(np.log(sigmoid(f)) + m, i)
        kept, taken = sigmoid(f) * np.exp(m - new), np.exp(i - new)
        c, count = kept * c + taken * np.tanh(g), kept * count + taken
        return np.concatenate([sigmoid(o) * c / count, c, count, new])

    return step


EQUATIONS: dict[CellName, Callable[[Weights], Step]] = {
    "rnn": rnn,
    "gru": gru,
    "lstm": lstm,
    "peephole": peephole,
    "mrnn": mrnn,
    "lru": lru,
    "slstm": slstm,
}


def cell(weights: Weights, name: str, sizes: Sizes) -> Step:
    """F(x, s) of the cell called `name` in a network: x [d], s [S] -> [S]."""
    if sizes.layers == 1:
        return EQUATIONS[sizes.cell](within(weights, f"{name}."))
    steps = [EQUATIONS[sizes.cell](within(weights, f"{name}.layers.{at}.")) for at in range(sizes.layers)]
    n = len(weights["P.weight"][0]) // sizes.layers if name != "F1" else sizes.split[0]

    def step(x: Floats, s: Floats) -> Floats:
        h, more = (np.split(part, sizes.layers) for part in (s[: n * sizes.layers], s[n * sizes.layers :]))
        for at, layer in enumerate(steps):
            x, more[at] = np.split(layer(x, np.concatenate([h[at], more[at]])), [n])
            h[at] = x
        return np.concatenate([*h, *more])

    return step


def within(weights: Weights, inside: str) -> Weights:
    """The weights below a name."""
    return {key.removeprefix(inside): value for key, value in weights.items() if key.startswith(inside)}
