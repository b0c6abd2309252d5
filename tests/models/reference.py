"""The networks in a few lines of numpy each, float64, written from the equations: the oracle of the tests."""

from collections.abc import Callable, Mapping

import numpy as np

from streamer.models import Network
from streamer.records import Floats

Step = Callable[[Floats, Floats], Floats]


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def cell(weights: Mapping[str, Floats], name: str, kind: str) -> Step:
    """F(x, s) of the cell called `name`: x [d], s [S] -> [S]."""
    w, u, bw, bu = (weights[f"{name}.core.{part}_l0"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))

    def rnn(x: Floats, s: Floats) -> Floats:
        return np.asarray(np.tanh(w @ x + bw + u @ s + bu))

    def gru(x: Floats, s: Floats) -> Floats:
        (ar, az, an), (gr, gz, gn) = np.split(w @ x + bw, 3), np.split(u @ s + bu, 3)
        z = sigmoid(az + gz)
        return np.asarray((1 - z) * np.tanh(an + sigmoid(ar + gr) * gn) + z * s)

    def lstm(x: Floats, s: Floats) -> Floats:
        h, c = np.split(s, 2)
        i, f, g, o = np.split(w @ x + bw + u @ h + bu, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return np.concatenate([sigmoid(o) * np.tanh(c), c])

    return {"rnn": rnn, "gru": gru, "lstm": lstm}[kind]


def numbers(network: Network) -> dict[str, Floats]:
    return {name: weight.double().numpy() for name, weight in network.state_dict().items()}


def memoryless(network: Network, xs: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Eq. (14): the state after the samples xs [T, d], NaN bridged, and the next `horizon` predictions."""
    weights, n = numbers(network), network.sizes.n
    F, (P, p0) = cell(weights, "F", network.sizes.cell), (weights["P.weight"], weights["P.bias"])
    s = np.zeros(network.state_size)
    for x in xs:
        s = F(P @ s[:n] + p0 if np.isnan(x).any() else x, s)
    reached, out = s, []
    for _ in range(horizon):
        out.append(P @ s[:n] + p0)
        s = F(out[-1], s)
    return reached, np.array(out)


def traditional(network: Network, xs: Floats, horizon: int) -> tuple[Floats, Floats]:
    """s_t = F1(x_t, s_{t-1}) carried; σ_i = F2(s, σ_{i-1}) from zero, x̄ = P(σ_i), each block of k fed back to F1."""
    weights, (n1, n2) = numbers(network), network.sizes.split
    F1, F2 = cell(weights, "F1", network.sizes.cell), cell(weights, "F2", network.sizes.cell)
    P, p0 = weights["P.weight"], weights["P.bias"]
    decoder = np.zeros(n2 * network.state_size // n1)

    def block(s: Floats, k: int) -> list[Floats]:
        sigma, out = decoder, []
        for _ in range(k):
            sigma = F2(s, sigma)
            out.append(P @ sigma[:n2] + p0)
        return out

    s = np.zeros(network.state_size)
    for x in xs:
        s = F1(block(s, 1)[0] if np.isnan(x).any() else x, s)
    reached, out = s, block(s, network.sizes.k)
    while len(out) < horizon:
        for x in out[-network.sizes.k :]:
            s = F1(x, s)
        out += block(s, network.sizes.k)
    return reached, np.array(out[:horizon])


REFERENCES = {"memoryless": memoryless, "traditional": traditional}
