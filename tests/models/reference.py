"""The networks in a few lines of numpy each, float64, written from the equations: the oracle of the tests."""

import numpy as np

from streamer.forecast.scale import TICKS
from streamer.models import Network, Traditional
from streamer.records import Floats
from tests.models.equations import cell


def numbers(network: Network) -> dict[str, Floats]:
    return {name: weight.double().numpy() for name, weight in network.state_dict().items()}


def memoryless(network: Network, xs: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Eq. (14): the state after the samples xs [T, d], NaN bridged, and the next `horizon` predictions."""
    weights, n = numbers(network), network.sizes.n * network.sizes.layers
    F, (P, p0) = cell(weights, "F", network.sizes), (weights["P.weight"], weights["P.bias"])
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
    weights, n2 = numbers(network), network.sizes.split[1] * network.sizes.layers
    F1, F2 = cell(weights, "F1", network.sizes), cell(weights, "F2", network.sizes)
    P, p0 = weights["P.weight"], weights["P.bias"]
    assert isinstance(network, Traditional)
    decoder = np.zeros(network.F2.state_size)

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


def residual(network: Network, xs: Floats, us: Floats, horizon: int) -> tuple[Floats, Floats]:
    """x̄ = x + P(s): as `memoryless`, with known inputs us [T + horizon, c], of each tick those of the next one."""
    weights, n, d = numbers(network), network.sizes.n * network.sizes.layers, network.sizes.d
    F, (P, p0) = cell(weights, "F", network.sizes), (weights["P.weight"], weights["P.bias"])
    s, last = np.zeros(network.state_size - d), np.zeros(d)
    for x, u in zip(xs, us, strict=False):
        last = last + P @ s[:n] + p0 if np.isnan(x).any() else x
        s = F(np.concatenate([last, u]), s)
    reached, out = np.concatenate([last, s]), []
    for u in us[len(xs) :]:
        last = last + P @ s[:n] + p0
        out.append(last)
        s = F(np.concatenate([last, u]), s)
    return reached, np.array(out[:horizon])


def live(network: Network, x: Floats, times: Floats, interval: float, horizon: int) -> tuple[Floats, Floats]:
    """A residual network on samples x [T] of these times, NaN bridged: its state, and its forecast in their unit."""
    mean = variance = slow = count = 0.0
    z, unit = [], 1.0
    for value in x:
        if not np.isnan(value):
            count += 1
            share, step = max(1 / TICKS, 1 / count), value - mean
            mean += share * step
            variance = (1 - share) * (variance + share * step**2)
            slow = (1 - 1 / count) * (slow + step**2 / count)
        unit = np.sqrt(max(variance, 1e-4 * slow)) or 1.0
        z.append((value - mean) / unit)
    after = (
        np.concatenate([times, times[-1] + interval * np.arange(1, horizon + 1)])[1:] - 4 * 86_400
    )  # from a Monday on
    angles = [2 * np.pi * k * np.append(after, after[-1]) / cycle for cycle in (86_400, 604_800) for k in (1, 2)]
    us = np.stack([wave(angle) for angle in angles for wave in (np.cos, np.sin)], 1)
    state, ahead = residual(network, np.array(z)[:, None], us, horizon)
    return state, mean + unit * ahead
