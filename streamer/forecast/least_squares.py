"""The arithmetic of the linear experts (linear.py), loops over series in plain formulas."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.records import Floats, Ints

LAGS = 8
MEANS = np.array([2, 4, 8, 16, 32, 64, 168, 512], np.float32)
"""Time constants of the means, in ticks."""
COUNT_MEANS = 8
FEATURES = LAGS - 1 + COUNT_MEANS + 2
RIDGE = 0.1
CUT = 1.5
FIRST_SIZE = 2.0
"""Size of errors, in units of δ, until there are some."""
LEAST_SIZE = 0.1
"""Least size of errors: on a flat stretch it would end at 0, and nothing could be learned any more."""
LONG = 500
"""Ticks over which δ and the sizes of errors are means, once there were as many."""
WILD = 5.0
"""Times its mean size that an error may count for in that mean."""
STEADY = 3
"""Changes that are seen before anything is learned: δ of fewer is no scale."""
LARGEST = 1e4
"""The largest size of a feature."""
STEPS = 32767.0
"""Features and gains wait for their truths as whole numbers of so many steps of their largest."""

F32 = NDArray[np.float32]


class Past(NamedTuple):
    """What the experts know of all series; E experts.

    ticks [N] taken in; rises [N] changes seen; since [N] the tick that the series began anew at. origin [N, d] the
    first value; x [N, d] the newest less the origin; means [N, d, 8] likewise; delta [N, d]. lags [N, d, E, 8]:
    residuals, the newest first.
    """

    ticks: Ints
    rises: Ints
    since: Ints
    origin: Floats
    x: F32
    means: F32
    delta: F32
    lags: F32


class Regression(NamedTuple):
    """What the experts have learned; L leads, D features, h ticks.

    p [N, d, E, D, D]. w [N, L, d, E, D]. size, met [N, L, d, E]: mean sizes of errors, and how many there were. Of the
    newest h ticks, in slot tick mod h: waiting [N, h, d, E, 2, D] features and gain, in steps of step [N, h, d, E, 2];
    base [N, h, d, E] the residual; scale [N, h, d] δ.
    """

    p: Floats
    w: F32
    size: F32
    met: F32
    waiting: NDArray[np.int16]
    step: F32
    base: F32
    scale: F32


@compiled
def step_all(
    s: Past, q: Regression, rows: Ints, x: Floats, tick: Ints, fresh: NDArray[np.bool_], usual: Floats, leads: Ints
) -> None:
    """One tick of each row: x [b, d]; usual [b, d, E] is what each expert takes for the usual value of its slot."""
    for i in range(len(rows)):
        row, missing, begins = rows[i], np.isnan(x[i, 0]), s.ticks[rows[i]] == 0
        if begins and missing:
            continue
        if begins:
            begin(s, q, row, x[i])
        if begins or fresh[i]:
            s.since[row] = tick[i]
        anew = tick[i] == s.since[row]
        steady = s.rises[row] >= STEADY
        s.ticks[row] += 1
        if not missing and not anew:
            s.rises[row] += 1
        for c in range(x.shape[1]):
            value, unknown = residuals(s, row, c, x[i, c], usual[i, c], anew), np.isnan(x[i, c])
            if steady and not unknown:
                learn(s, q, row, c, tick[i], leads)
            keep(s, row, c, value, unknown or anew)
            if s.rises[row] >= STEADY and s.delta[row, c] > 0:
                regress(s, q, row, c, tick[i] % q.scale.shape[1])
            else:
                q.scale[row, tick[i] % q.scale.shape[1], c] = 0


@compiled
def begin(s: Past, q: Regression, row: int, x: Floats) -> None:
    """The first sample of a series."""
    s.origin[row] = x
    q.size[row] = FIRST_SIZE
    for c in range(q.p.shape[1]):
        for e in range(q.p.shape[2]):
            for j in range(FEATURES):
                q.p[row, c, e, j, j] = 1 / RIDGE


@compiled
def residuals(s: Past, row: int, c: int, x: float, usual: Floats, anew: bool) -> np.float32:
    """Put the residuals of a tick before the lags; its value less the origin.

    Where a slot has seen nothing the residual stays as it was. A missing value is the usual one of the last expert,
    with its residual. A series that begins anew has as many residuals before as the first one.
    """
    experts = s.lags.shape[2]
    value = np.float32(x - s.origin[row, c])
    if np.isnan(value):
        last = usual[experts - 1]
        value = s.x[row, c]
        if experts > 1 and not np.isnan(last):
            value = np.float32(last - s.origin[row, c]) + s.lags[row, c, experts - 1, 0]
    for e in range(experts):
        held = s.lags[row, c, e, 0]
        residual = value
        if e:
            residual = held if np.isnan(usual[e]) else np.float32(value - np.float32(usual[e] - s.origin[row, c]))
        for j in range(LAGS - 1, 0, -1):
            s.lags[row, c, e, j] = residual if anew else s.lags[row, c, e, j - 1]
        s.lags[row, c, e, 0] = residual
    return value


@compiled
def learn(s: Past, q: Regression, row: int, c: int, tick: int, leads: Ints) -> None:
    """Correct W_h of each lead by the error of what was predicted for this tick."""
    for k in range(len(leads)):
        origin = tick - leads[k]
        slot = origin % q.scale.shape[1]
        scale = q.scale[row, slot, c]
        if origin < s.since[row] or scale <= 0:
            continue
        for e in range(s.lags.shape[2]):
            waiting, step, w = q.waiting[row, slot, c, e], q.step[row, slot, c, e], q.w[row, k, c, e]
            predicted = np.float32(0)
            for j in range(FEATURES):
                predicted += w[j] * waiting[0, j]
            if not np.isfinite(predicted * scale):
                w[:], q.size[row, k, c, e] = 0, FIRST_SIZE
                continue
            error = (s.lags[row, c, e, 0] - q.base[row, slot, c, e]) / scale - predicted * step[0]
            size, size_of = q.size[row, k, c, e], abs(error)
            cut = min(max(error, -np.float32(CUT) * size), np.float32(CUT) * size) * step[1]
            for j in range(FEATURES):
                w[j] += cut * waiting[1, j]
            q.met[row, k, c, e] += 1
            share = min(q.met[row, k, c, e], np.float32(LONG))
            size += (min(size_of, np.float32(WILD) * size) - size) / share
            q.size[row, k, c, e] = max(size, np.float32(LEAST_SIZE))


@compiled
def keep(s: Past, row: int, c: int, value: np.float32, still: bool) -> None:
    """The newest value, the means, and δ, which a missing or a first value leaves as it is."""
    if not still:
        change, delta = abs(value - s.x[row, c]), s.delta[row, c]
        if change > 0:
            s.delta[row, c] = delta + (change - delta) / np.float32(min(s.rises[row], LONG)) if delta > 0 else change
    for j in range(COUNT_MEANS):
        share = max(1 / MEANS[j], np.float32(1) / np.float32(s.ticks[row]))
        s.means[row, c, j] += share * (value - s.means[row, c, j])
    s.x[row, c] = value


@compiled
def features(s: Past, row: int, c: int, e: int, phi: F32) -> None:
    """φ of the newest tick."""
    lags, delta = s.lags[row, c, e], s.delta[row, c]
    for j in range(1, LAGS):
        phi[j - 1] = lags[j] - lags[0]
    for j in range(COUNT_MEANS):
        phi[LAGS - 1 + j] = s.means[row, c, j] - s.x[row, c]
    phi[FEATURES - 2] = lags[0] if e else 0
    phi[FEATURES - 1] = delta  # one, in units of δ
    for j in range(FEATURES):
        phi[j] = min(max(phi[j] / delta, -np.float32(LARGEST)), np.float32(LARGEST))


@compiled
def regress(s: Past, q: Regression, row: int, c: int, slot: int) -> None:
    """P, and the gain of the newest tick, which waits with its features for the truths to come."""
    phi, projected = np.empty(FEATURES, np.float32), np.empty(FEATURES)
    q.scale[row, slot, c] = s.delta[row, c]
    for e in range(s.lags.shape[2]):
        features(s, row, c, e, phi)
        p, norm = q.p[row, c, e], 1.0
        for j in range(FEATURES):
            total = 0.0
            for k in range(FEATURES):
                total += p[j, k] * phi[k]
            projected[j] = total
            norm += phi[j] * total
        if not norm >= 1:  # rounding has spoilt P
            p[:], projected[:], norm = 0, phi / RIDGE, 1 + (phi * phi).sum() / RIDGE
            for j in range(FEATURES):
                p[j, j] = 1 / RIDGE
        for j in range(FEATURES):
            gain = projected[j] / norm
            for k in range(FEATURES):
                p[j, k] -= gain * projected[k]
        q.base[row, slot, c, e] = s.lags[row, c, e, 0]
        store(q, row, slot, c, e, 0, phi, 1.0)
        store(q, row, slot, c, e, 1, projected.astype(np.float32), norm)


@compiled
def store(q: Regression, row: int, slot: int, c: int, e: int, which: int, values: F32, norm: float) -> None:
    """Values over a norm, as whole numbers of steps."""
    largest = np.float32(0)
    for j in range(FEATURES):
        largest = max(largest, abs(values[j]))
    q.step[row, slot, c, e, which] = largest / norm / np.float32(STEPS)
    for j in range(FEATURES):
        q.waiting[row, slot, c, e, which, j] = (
            np.int16(np.rint(values[j] / largest * np.float32(STEPS))) if largest else 0
        )


@compiled
def steps_all(s: Past, q: Regression, rows: Ints, left: Ints, right: Ints, share: Floats) -> F32:
    """δ·W_h·φ of these rows at all leads, [b, E, h, d], straight lines between those of the grid."""
    d, experts, leads, h = s.lags.shape[1], s.lags.shape[2], q.w.shape[1], len(left)
    out = np.full((len(rows), experts, h, d), np.nan, np.float32)
    phi, at = np.empty(FEATURES, np.float32), np.empty(leads, np.float32)
    for i in range(len(rows)):
        row = rows[i]
        for c in range(d):
            if s.rises[row] < STEADY or s.delta[row, c] <= 0:
                continue
            for e in range(experts):
                features(s, row, c, e, phi)
                for k in range(leads):
                    total = np.float32(0)
                    for j in range(FEATURES):
                        total += q.w[row, k, c, e, j] * phi[j]
                    at[k] = total * s.delta[row, c]
                for j in range(h):
                    t = np.float32(share[j])
                    out[i, e, j, c] = at[left[j]] * (1 - t) + at[right[j]] * t
    return out
