"""The arithmetic of the linear experts (linear.py), loops over series in plain formulas."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.forecast.codes import MOST_8, decoded, encoded, unit_of
from streamer.forecast.effects import Effects, Seen, begin_effects, correct_effects, effect, keep_deviations
from streamer.forecast.factor import CUT, LEAST_SIZE, LONG, WILD, begin_p, take_in, weighed
from streamer.records import Floats, Ints

LAGS = 8
MEANS = np.array([2, 4, 8, 16, 32, 64, 168, 512], np.float32)
"""Time constants of the means, in ticks."""
SHARES = 1 / MEANS
COUNT_MEANS = 8
FEATURES = LAGS - 1 + COUNT_MEANS + 2
AT_RESIDUAL = FEATURES - 2
FIRST_SIZE = 2.0
"""Size of errors, in units of δ, until there are some."""
STEADY = 3
"""Changes that are seen before anything is learned: δ of fewer is no scale."""
LARGEST = 1e4
"""The largest size of a feature."""

F32 = NDArray[np.float32]


class Past(NamedTuple):
    """What the experts know of all series; E experts, L leads, h ticks.

    ticks [N] taken in; rises [N] changes seen; since [N] the tick that the series began anew at. origin [N, d] is near
    the values; x [N, d] the newest less the origin; means [N, d, 8] likewise; delta [N, d]. Of the newest ticks, in
    slot tick mod their number: residuals [N, d, E, h + 8], of which the first expert's are the values less the origin;
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

    factor [N, d, E, D·(D + 1)/2] is P (factor.py). w [N, L, d, E, D]. size [N, L, d, E]: mean sizes of errors, of
    which there were as many as `met` [N, L, d]. gain [N, h, d, E, D]: gains of the newest h ticks, in slot tick mod h,
    as codes of unit [N, h, d, E] (codes.py).
    """

    factor: F32
    w: F32
    size: F32
    met: F32
    gain: NDArray[np.int8]
    unit: F32


@compiled
def step_all(
    s: Past, q: Regression, v: Effects, rows: Ints, x: Floats, tick: Ints, fresh: NDArray[np.bool_], usual: Floats,
    leads: Ints, now: Seen,
) -> None:  # fmt: skip
    """One tick of each row: x [b, d]; usual [b, d, E] is what each expert takes for the usual value of its slot.

    now: what is known of covariates.
    """
    phi, b, h = np.empty(FEATURES, np.float32), np.empty(FEATURES, np.float32), s.scale.shape[1]
    for i in range(len(rows)):
        row, missing, begins = rows[i], np.isnan(x[i, 0]), s.ticks[rows[i]] == 0
        if begins and np.isnan(x[i]).any():
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
        if now.expert >= 0 and not v.begun[row]:
            begin_effects(v, row, q.w, q.size, now.expert)
        for c in range(x.shape[1]):
            value, unknown = residuals(s, row, c, x[i, c], usual[i, c], tick[i]), np.isnan(x[i, c])
            learn(s, q, v, row, c, tick[i], leads, steady and not unknown, phi, now)
            keep(s, row, c, value, unknown or anew)
            predicts = s.rises[row] >= STEADY and s.delta[row, c] > 0
            s.scale[row, tick[i] % h, c] = s.delta[row, c] if predicts else 0
            if predicts:
                regress(s, q, row, c, tick[i], phi, b)
        if now.expert >= 0:
            keep_deviations(v, now, i, row, tick[i] % h, s.delta)


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
    experts, slot = s.newest.shape[2], tick % s.residuals.shape[3]
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
        s.newest[row, c, e] = s.residuals[row, c, e, slot] = residual
    return value


@compiled
def ago(slot: int, ticks: int, size: int) -> int:
    """The slot of so many ticks before, of `size` slots and no more ticks than that."""
    return slot - ticks if slot >= ticks else slot - ticks + size


@compiled
def learn(
    s: Past, q: Regression, v: Effects, row: int, c: int, tick: int, leads: Ints, teaches: bool, phi: F32, now: Seen
) -> None:
    """Let the means behind follow, and if the tick teaches correct W_h of each lead by the error of its prediction."""
    long, h = s.residuals.shape[3], s.scale.shape[1]
    here, slot = tick % long, tick % h
    phi[FEATURES - 1] = 1
    for k in range(len(leads)):
        origin = tick - leads[k]
        if origin < s.since[row]:
            continue
        then, at = ago(here, leads[k], long), ago(slot, leads[k], h)
        value, per = s.residuals[row, c, 0, then], inverse(s.scale[row, at, c])
        least = np.float32(1) / np.float32(s.ticks[row] - leads[k])
        for j in range(COUNT_MEANS):
            mean = s.behind[row, k, c, j]
            mean += max(SHARES[j], least) * (value - mean)
            s.behind[row, k, c, j] = mean
            phi[LAGS - 1 + j] = bounded(mean - value, per)
        if not teaches or s.scale[row, at, c] <= 0:
            continue
        q.met[row, k, c] += 1
        for e in range(s.newest.shape[2]):
            describe(s, row, c, e, then, origin - s.since[row], per, phi)
            moved = (s.newest[row, c, e] - s.residuals[row, c, e, then]) * per
            correct(q, row, c, k, e, at, moved, phi)
            if e == now.expert:
                gain, unit = q.gain[row, at, c, e], q.unit[row, at, c, e]
                correct_effects(v, now, row, k, c, at, moved, per, q.met[row, k, c], phi, gain, unit)


@compiled
def correct(q: Regression, row: int, c: int, k: int, e: int, slot: int, moved: np.float32, phi: F32) -> None:
    """Correct the weights of one expert at one lead: its residual has moved by so much since the tick of a slot.

    Weights that are no numbers any more begin anew. No branches and no views of arrays: this is the innermost loop.
    """
    error, size = moved - weighed(q.w, row, k, c, e, phi), q.size[row, k, c, e]
    sound = abs(error) < np.inf
    most = np.float32(CUT) * size
    cut = min(max(error, -most), most) * q.unit[row, slot, c, e] if sound else np.float32(0)
    for j in range(FEATURES):
        held = q.w[row, k, c, e, j] if sound else np.float32(0)
        q.w[row, k, c, e, j] = held + decoded(np.float32(q.gain[row, slot, c, e, j]), cut)
    size += (min(abs(error), np.float32(WILD) * size) - size) / min(q.met[row, k, c], np.float32(LONG))
    q.size[row, k, c, e] = max(size, np.float32(LEAST_SIZE)) if sound else np.float32(FIRST_SIZE)


@compiled
def keep(s: Past, row: int, c: int, value: np.float32, still: bool) -> None:
    """The newest value, the means, and δ, which a missing or a first value leaves as it is."""
    if not still:
        change, delta = abs(value - s.x[row, c]), s.delta[row, c]
        if change > 0:
            s.delta[row, c] = delta + (change - delta) / np.float32(min(s.rises[row], LONG)) if delta > 0 else change
    least = np.float32(1) / np.float32(s.ticks[row])
    for j in range(COUNT_MEANS):
        s.means[row, c, j] += max(SHARES[j], least) * (value - s.means[row, c, j])
    s.x[row, c] = value


@compiled
def inverse(scale: np.float32) -> np.float32:
    """1 / δ, finite: where features would be larger they are cut anyway."""
    return min(np.float32(1) / scale, np.float32(1e38))


@compiled
def bounded(value: np.float32, per: np.float32) -> np.float32:
    """A feature: a value times `per`, 1 / δ."""
    return min(max(value * per, -np.float32(LARGEST)), np.float32(LARGEST))


@compiled
def describe(s: Past, row: int, c: int, e: int, slot: int, before: int, per: np.float32, phi: F32) -> None:
    """The features of φ that are of one expert, of the tick in this slot; the series began so many ticks before."""
    newest = at = s.residuals[row, c, e, slot]
    for j in range(1, LAGS):
        if j <= before:
            at = s.residuals[row, c, e, ago(slot, j, s.residuals.shape[3])]
        phi[j - 1] = bounded(at - newest, per)
    phi[AT_RESIDUAL] = bounded(newest, per) if e else 0


@compiled
def describe_newest(s: Past, row: int, c: int, e: int, tick: int, phi: F32) -> None:
    """φ of the newest tick, for one expert."""
    per = inverse(s.delta[row, c])
    for j in range(COUNT_MEANS):
        phi[LAGS - 1 + j] = bounded(s.means[row, c, j] - s.x[row, c], per)
    phi[FEATURES - 1] = 1
    describe(s, row, c, e, tick % s.residuals.shape[3], tick - s.since[row], per, phi)


@compiled
def regress(s: Past, q: Regression, row: int, c: int, tick: int, phi: F32, projected: F32) -> None:
    """P, and the gain of the newest tick, which waits for the truths to come."""
    slot = tick % s.scale.shape[1]
    for e in range(s.newest.shape[2]):
        describe_newest(s, row, c, e, tick, phi)
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
def steps_all(
    s: Past, q: Regression, v: Effects, rows: Ints, tick: Ints, left: Ints, right: Ints, share: Floats, now: Seen
) -> F32:
    """δ·W_h·φ of these rows at all leads, [E, b, h, d], straight lines between those of the grid; with covariates, what
    is known of which at the h leads is in `now`, [E + 1, b, h, d]."""
    d, experts, leads, h = s.x.shape[1], s.newest.shape[2], q.w.shape[1], len(left)
    out = np.full((experts + (now.expert >= 0), len(rows), h, d), np.nan, np.float32)
    phi, at = np.empty(FEATURES, np.float32), np.empty(leads, np.float32)
    for i in range(len(rows)):
        row = rows[i]
        for c in range(d):
            if s.rises[row] < STEADY or s.delta[row, c] <= 0:
                continue
            for e in range(experts):
                describe_newest(s, row, c, e, tick[i], phi)
                for k in range(leads):
                    at[k] = weighed(q.w, row, k, c, e, phi) * s.delta[row, c]
                for j in range(h):
                    t = np.float32(share[j])
                    out[e, i, j, c] = at[left[j]] * (1 - t) + at[right[j]] * t
                if e != now.expert or not v.begun[row]:
                    continue
                for k in range(leads):
                    at[k] = weighed(v.w, row, k, c, 0, phi) * s.delta[row, c]
                for j in range(h):
                    t = np.float32(share[j])
                    steps = at[left[j]] * (1 - t) + at[right[j]] * t
                    ends, delta = (left[j], right[j]), s.delta[row, c]
                    out[experts, i, j, c] = steps + effect(v, now, row, tick[i] % h, i, c, j, ends, t, delta)
    return out
