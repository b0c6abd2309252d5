"""The arithmetic of the linear experts (linear.py), loops over series in plain formulas."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.forecast.codes import MOST_8, decoded, encoded, unit_of
from streamer.forecast.factor import begin_p, dot, take_in
from streamer.records import Floats, Ints

LAGS = 8
MEANS = np.array([2, 4, 8, 16, 32, 64, 168, 512], np.float32)
"""Time constants of the means, in ticks."""
SHARES = 1 / MEANS
COUNT_MEANS = 8
FEATURES = LAGS - 1 + COUNT_MEANS + 2
AT_RESIDUAL = FEATURES - 2
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

F32 = NDArray[np.float32]


class Past(NamedTuple):
    """What the experts know of all series; E experts, L leads, h ticks.

    ticks [N] taken in; rises [N] changes seen; since [N] the tick that the series began anew at. origin [N, d] the
    first value; x [N, d] the newest less the origin; means [N, d, 8] likewise; delta [N, d]. Of the newest ticks, in
    slot tick mod their number: residuals [N, h + 8, d, E], of which the first expert's are the values less the origin;
    scale [N, h, d] δ, 0 where nothing was predicted. newest [N, d, E] residuals. behind [N, L, d, 8]: the means as they
    were one lead ago, from which the features of that tick are made again.
    """

    ticks: Ints
    rises: Ints
    since: Ints
    origin: Floats
    x: F32
    means: F32
    delta: F32
    residuals: F32
    newest: F32
    scale: F32
    behind: F32


class Regression(NamedTuple):
    """What the experts have learned; D features.

    factor [N, d, E, D·(D + 1)/2] is P (factor.py). w [N, L, d, E, D]. size, met [N, L, d, E]: mean sizes of errors, and
    how many there were. gain [N, h, d, E, D]: gains of the newest h ticks, in slot tick mod h, as codes of unit
    [N, h, d, E] (codes.py).
    """

    factor: F32
    w: F32
    size: F32
    met: F32
    gain: NDArray[np.int8]
    unit: F32


@compiled
def step_all(
    s: Past, q: Regression, rows: Ints, x: Floats, tick: Ints, fresh: NDArray[np.bool_], usual: Floats, leads: Ints
) -> None:
    """One tick of each row: x [b, d]; usual [b, d, E] is what each expert takes for the usual value of its slot."""
    phi, b, h = np.empty(FEATURES, np.float32), np.empty(FEATURES, np.float32), s.scale.shape[1]
    for i in range(len(rows)):
        row, missing, begins = rows[i], np.isnan(x[i, 0]), s.ticks[rows[i]] == 0
        if begins and missing:
            continue
        if begins:
            begin(s, q, row, x[i])
        if begins or fresh[i]:
            s.since[row] = tick[i]
            s.behind[row] = s.means[row]
        anew = tick[i] == s.since[row]
        steady = s.rises[row] >= STEADY
        s.ticks[row] += 1
        if not missing and not anew:
            s.rises[row] += 1
        for c in range(x.shape[1]):
            value = residuals(s, row, c, x[i, c], usual[i, c], tick[i])
            learn(s, q, row, c, tick[i], leads, steady and not missing, phi)
            keep(s, row, c, value, missing or anew)
            predicts = s.rises[row] >= STEADY and s.delta[row, c] > 0
            s.scale[row, tick[i] % h, c] = s.delta[row, c] if predicts else 0
            if predicts:
                regress(s, q, row, c, tick[i], phi, b)


@compiled
def begin(s: Past, q: Regression, row: int, x: Floats) -> None:
    """The first sample of a series."""
    s.origin[row] = x
    q.size[row] = FIRST_SIZE
    for c in range(q.factor.shape[1]):
        for e in range(q.factor.shape[2]):
            begin_p(q.factor[row, c, e], FEATURES)


@compiled
def residuals(s: Past, row: int, c: int, x: float, usual: Floats, tick: int) -> np.float32:
    """Keep the residuals of a tick; its value less the origin.

    Where a slot has seen nothing the residual stays as it was. A missing value is the usual one of the last expert,
    with its residual.
    """
    experts, slot = s.newest.shape[2], tick % s.residuals.shape[1]
    value = np.float32(x - s.origin[row, c])
    if np.isnan(value):
        last = usual[experts - 1]
        value = s.x[row, c]
        if experts > 1 and not np.isnan(last):
            value = np.float32(last - s.origin[row, c]) + s.newest[row, c, experts - 1]
    for e in range(experts):
        residual = value
        if e:
            unknown = np.isnan(usual[e])
            residual = s.newest[row, c, e] if unknown else np.float32(value - np.float32(usual[e] - s.origin[row, c]))
        s.newest[row, c, e] = s.residuals[row, slot, c, e] = residual
    return value


@compiled
def ago(slot: int, ticks: int, size: int) -> int:
    """The slot of so many ticks before, of `size` slots and no more ticks than that."""
    return slot - ticks if slot >= ticks else slot - ticks + size


@compiled
def learn(s: Past, q: Regression, row: int, c: int, tick: int, leads: Ints, teaches: bool, phi: F32) -> None:
    """Let the means behind follow, and if the tick teaches correct W_h of each lead by the error of its prediction."""
    long, h = s.residuals.shape[1], s.scale.shape[1]
    now, slot = tick % long, tick % h
    for k in range(len(leads)):
        origin = tick - leads[k]
        if origin < s.since[row]:
            continue
        then, at = ago(now, leads[k], long), ago(slot, leads[k], h)
        value, scale = s.residuals[row, then, c, 0], s.scale[row, at, c]
        follow(s.behind[row, k, c], value, s.ticks[row] - leads[k])
        if not teaches or scale <= 0:
            continue
        describe_means(s.behind[row, k, c], value, scale, phi)
        for e in range(s.newest.shape[2]):
            describe_lags(s.residuals[row, :, c, e], then, origin - s.since[row], scale, phi)
            phi[AT_RESIDUAL] = phi[AT_RESIDUAL] if e else 0
            moved = (s.newest[row, c, e] - s.residuals[row, then, c, e]) / scale
            correct(q, row, c, k, e, at, moved, phi)


@compiled
def correct(q: Regression, row: int, c: int, k: int, e: int, slot: int, moved: np.float32, phi: F32) -> None:
    """Correct the weights of one expert at one lead: its residual has moved by so much since the tick of a slot."""
    w, gain, size = q.w[row, k, c, e], q.gain[row, slot, c, e], q.size[row, k, c, e]
    error = moved - dot(w, phi)
    if not np.isfinite(error):
        w[:], q.size[row, k, c, e] = 0, FIRST_SIZE
        return
    cut = min(max(error, -np.float32(CUT) * size), np.float32(CUT) * size) * q.unit[row, slot, c, e]
    for j in range(FEATURES):
        w[j] += decoded(np.float32(gain[j]), cut)
    q.met[row, k, c, e] += 1
    share = min(q.met[row, k, c, e], np.float32(LONG))
    size += (min(abs(error), np.float32(WILD) * size) - size) / share
    q.size[row, k, c, e] = max(size, np.float32(LEAST_SIZE))


@compiled
def keep(s: Past, row: int, c: int, value: np.float32, still: bool) -> None:
    """The newest value, the means, and δ, which a missing or a first value leaves as it is."""
    if not still:
        change, delta = abs(value - s.x[row, c]), s.delta[row, c]
        if change > 0:
            s.delta[row, c] = delta + (change - delta) / np.float32(min(s.rises[row], LONG)) if delta > 0 else change
    follow(s.means[row, c], value, s.ticks[row])
    s.x[row, c] = value


@compiled
def follow(means: F32, value: np.float32, ticks: int) -> None:
    """Take a value into the means, as the ticks-th of the series."""
    least = np.float32(1) / np.float32(ticks)
    for j in range(COUNT_MEANS):
        means[j] += max(SHARES[j], least) * (value - means[j])


@compiled
def bounded(value: np.float32, scale: np.float32) -> np.float32:
    """A feature in units of δ."""
    return min(max(value / scale, -np.float32(LARGEST)), np.float32(LARGEST))


@compiled
def describe_means(means: F32, value: np.float32, scale: np.float32, phi: F32) -> None:
    """The features of φ that all experts share: of a tick with this value and these means."""
    for j in range(COUNT_MEANS):
        phi[LAGS - 1 + j] = bounded(means[j] - value, scale)
    phi[FEATURES - 1] = 1


@compiled
def describe_lags(residuals: F32, slot: int, before: int, scale: np.float32, phi: F32) -> None:
    """The features of φ that are of one expert, of the tick in this slot; before `before` ticks its residuals began."""
    newest = at = residuals[slot]
    for j in range(1, LAGS):
        if j <= before:
            slot = ago(slot, 1, len(residuals))
            at = residuals[slot]
        phi[j - 1] = bounded(at - newest, scale)
    phi[AT_RESIDUAL] = bounded(newest, scale)


@compiled
def describe(s: Past, row: int, c: int, e: int, tick: int, phi: F32) -> None:
    """φ of the newest tick, for one expert."""
    slot = tick % s.residuals.shape[1]
    describe_means(s.means[row, c], s.x[row, c], s.delta[row, c], phi)
    describe_lags(s.residuals[row, :, c, e], slot, tick - s.since[row], s.delta[row, c], phi)
    phi[AT_RESIDUAL] = phi[AT_RESIDUAL] if e else 0


@compiled
def regress(s: Past, q: Regression, row: int, c: int, tick: int, phi: F32, projected: F32) -> None:
    """P, and the gain of the newest tick, which waits for the truths to come."""
    slot = tick % s.scale.shape[1]
    for e in range(s.newest.shape[2]):
        describe(s, row, c, e, tick, phi)
        norm = take_in(q.factor[row, c, e], phi, projected)
        if not norm >= 1:  # rounding has spoilt P
            begin_p(q.factor[row, c, e], FEATURES)
            norm = take_in(q.factor[row, c, e], phi, projected)
        largest = np.float32(0)
        for j in range(FEATURES):
            largest = max(largest, abs(projected[j]))
        q.unit[row, slot, c, e] = unit_of(largest / norm, MOST_8)
        for j in range(FEATURES):
            q.gain[row, slot, c, e, j] = np.int8(encoded(projected[j], largest, MOST_8))


@compiled
def steps_all(s: Past, q: Regression, rows: Ints, tick: Ints, left: Ints, right: Ints, share: Floats) -> F32:
    """δ·W_h·φ of these rows at all leads, [b, E, h, d], straight lines between those of the grid."""
    d, experts, leads, h = s.x.shape[1], s.newest.shape[2], q.w.shape[1], len(left)
    out = np.full((len(rows), experts, h, d), np.nan, np.float32)
    phi, at = np.empty(FEATURES, np.float32), np.empty(leads, np.float32)
    for i in range(len(rows)):
        row = rows[i]
        for c in range(d):
            if s.rises[row] < STEADY or s.delta[row, c] <= 0:
                continue
            for e in range(experts):
                describe(s, row, c, e, tick[i], phi)
                for k in range(leads):
                    at[k] = dot(q.w[row, k, c, e], phi) * s.delta[row, c]
                for j in range(h):
                    t = np.float32(share[j])
                    out[i, e, j, c] = at[left[j]] * (1 - t) + at[right[j]] * t
    return out
