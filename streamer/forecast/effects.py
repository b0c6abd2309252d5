"""The arithmetic of linear-covariates (covariates.py), loops over series in plain formulas.

One expert of least squares, y = W·φ + noise, gets features f beside φ, which differ from lead to lead: y = W·φ + β·f +
noise. P of φ is shared by all leads (least_squares.py); it stays as it is, and of each lead there is S, that of what φ
does not tell of f. With G·φ the least squares of f on φ, by the same gains k, the joint recursion is, per lead

    f' = f − G·φ        e = y − W·φ − β·f        Δβ = S·f' / (1 + f'ᵀ·S·f') · e
    W += k·(e − Δβ·f') − Δβ·G        G += k·f'        β += Δβ

(block inverse of P; Frisch and Waugh, Econometrica 1, 1933). Errors e are cut as elsewhere in least squares.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.forecast.codes import decoded
from streamer.forecast.factor import CUT, LEAST_SIZE, LONG, WILD, begin_p, take_in, weighed
from streamer.records import Floats, Ints

F32 = NDArray[np.float32]
WARM = 3
"""Deviations of a covariate that are seen before one counts."""
LARGEST = 30.0
"""The largest size of a feature, in the deviations that were usual when it began to count; a value that deviates by
more of those that are usual now is wild: it counts as unknown, until such have come often enough to be usual."""


class Deviations(NamedTuple):
    """Of C covariates, of which K are known ahead, from what is usual.

    usual [N, C, slots]: usual values, NaN for none. square, met [N, C]: mean square of deviations from them, and how
    many there were; fixed [N, C]: their root when it was last taken for a unit. here [N, h, C], ahead [N, h, L, K]: as
    they were known at the newest h ticks, of that tick and of those L leads on, in slot tick mod h.
    """

    usual: F32
    square: F32
    met: Ints
    fixed: F32
    here: F32
    ahead: F32


class Effects(NamedTuple):
    """What linear-covariates has learned; F = C + K features, D those of φ.

    unit [N, d, C]: of the series per one of the covariate, 0 until it counts. begun [N]. w [N, L, d, 1, D], beta [N, L,
    d, F], factor [N, L, d, F·(F + 1)/2] of S, g [N, L, d, F, D], size [N, L, d] of errors.
    """

    of: Deviations
    unit: F32
    begun: NDArray[np.bool_]
    w: F32
    beta: F32
    factor: F32
    g: F32
    size: F32


class Seen(NamedTuple):
    """Deviations of covariates from what is usual, as known at one tick of b rows.

    present [b, C]; coming [b, leads, K], of the covariates `which` [K]. expert: the one of least squares that gets them
    as features, -1 for none. Room for features: f, rest, projected [F].
    """

    present: F32
    coming: F32
    which: Ints
    expert: int
    f: F32
    rest: F32
    projected: F32


@compiled
def deviations_ahead(v: Effects, rows: Ints, u: F32, slots: Ints, which: Ints) -> F32:
    """Deviations at the h ticks after these of b rows, in slots [b, h], of the covariates `which` [K]: [b, h, K]."""
    coming = np.zeros((len(rows), u.shape[2] - 1, len(which)), np.float32)
    for i in range(len(rows)):
        for h in range(u.shape[2] - 1):
            for j in range(len(which)):
                coming[i, h, j] = deviation_of(v, rows[i], which[j], slots[i, h], u[i, which[j], 1 + h])
    return coming


@compiled
def deviate_all(
    v: Effects, rows: Ints, u: F32, slots: Ints, leads: Ints, which: Ints, shares: Floats
) -> tuple[F32, F32]:
    """What is known of covariates, u [b, C, 1 + h], in slots [b, 1 + L] of these ticks and at the leads, as deviations.

    Usual values follow those of the present, by shares [b]. What is unknown or wild, or has no usual value yet, is as
    usual.
    """
    present = np.zeros(u.shape[:2], np.float32)
    coming = np.zeros((len(rows), len(leads), len(which)), np.float32)
    for i in range(len(rows)):
        row, slot = rows[i], slots[i, 0]
        for c in range(u.shape[1]):
            value, before = u[i, c, 0], v.of.usual[row, c, slot]
            if np.isnan(value):
                continue
            if np.isnan(before):
                v.of.usual[row, c, slot] = value if shares[i] > 0 else before
                continue
            deviation, most = value - before, widest(v, row, c)
            if abs(deviation) <= most:
                present[i, c] = deviation
                v.of.usual[row, c, slot] = before + np.float32(shares[i]) * deviation
            deviation = min(abs(deviation), most)
            v.of.met[row, c] += 1
            share = np.float32(1) / np.float32(min(v.of.met[row, c], LONG))
            v.of.square[row, c] += share * (deviation * deviation - v.of.square[row, c])
        for k in range(len(leads)):
            for j in range(len(which)):
                coming[i, k, j] = deviation_of(v, row, which[j], slots[i, 1 + k], u[i, which[j], leads[k]])
    return present, coming


@compiled
def widest(v: Effects, row: int, c: int) -> np.float32:
    """The largest deviation of a covariate that is not wild; any, until there are some."""
    root = np.sqrt(v.of.square[row, c])
    return np.float32(LARGEST) * root if v.of.met[row, c] >= WARM and root > 0 else np.float32(np.inf)


@compiled
def deviation_of(v: Effects, row: int, c: int, slot: int, value: np.float32) -> np.float32:
    """Of a value to come, which may be unknown or wild, from what is usual in its slot."""
    deviation: np.float32 = value - v.of.usual[row, c, slot]
    return deviation if abs(deviation) <= widest(v, row, c) else np.float32(0)


@compiled
def begin_effects(v: Effects, row: int, w: F32, size: F32, expert: int) -> None:
    """Begin with what the expert without covariates has learned: w [N, L, d, E, D], size [N, L, d, E]."""
    v.begun[row] = True
    v.beta[row] = 0
    v.g[row] = 0
    for k in range(v.beta.shape[1]):
        for c in range(v.beta.shape[2]):
            begin_p(v.factor[row, k, c], v.beta.shape[3])
            v.size[row, k, c] = size[row, k, c, expert]
            for j in range(w.shape[4]):
                v.w[row, k, c, 0, j] = w[row, k, c, expert, j]


@compiled
def keep_deviations(v: Effects, now: Seen, i: int, row: int, slot: int, delta: F32) -> None:
    """The deviations of row i of the batch wait for the truths to come; units are fixed once there is one.

    Where deviations have become much larger, the unit was that of noise, and all begins anew. delta [N, d] are running
    mean changes of the series.
    """
    for c in range(now.present.shape[1]):
        v.of.here[row, slot, c] = now.present[i, c]
        root = np.sqrt(v.of.square[row, c])
        if v.of.met[row, c] >= WARM and root > np.float32(LARGEST) * v.of.fixed[row, c]:
            v.begun[row] = v.begun[row] and v.of.fixed[row, c] == 0
            v.of.fixed[row, c] = root
            v.unit[row, :, c] = 0
        for e in range(delta.shape[1]):
            if v.unit[row, e, c] == 0 and v.of.fixed[row, c] > 0:
                v.unit[row, e, c] = delta[row, e] / v.of.fixed[row, c]
    for k in range(now.coming.shape[1]):
        for j in range(now.coming.shape[2]):
            v.of.ahead[row, slot, k, j] = now.coming[i, k, j]


@compiled
def feature(deviation: np.float32, unit: np.float32, per: np.float32) -> np.float32:
    """A deviation times the unit, in units of δ: per is 1 / δ."""
    return min(max(deviation * unit * per, -np.float32(LARGEST)), np.float32(LARGEST))


@compiled
def correct_effects(
    v: Effects, now: Seen, row: int, k: int, c: int, slot: int, moved: np.float32, per: np.float32, met: np.float32,
    phi: F32, gain: NDArray[np.int8], unit: np.float32,
) -> None:  # fmt: skip
    """Learn at one lead from a truth: the residual has moved by so much since the tick of a slot, φ was that tick's.

    gain [D] and unit: k of that tick, as codes.
    """
    covariates, features = v.of.here.shape[2], v.beta.shape[3]
    error, size = moved - weighed(v.w, row, k, c, 0, phi), v.size[row, k, c]
    for j in range(features):
        if j < covariates:
            now.f[j] = feature(v.of.here[row, slot, j], v.unit[row, c, j], per)
        else:
            now.f[j] = feature(v.of.ahead[row, slot, k, j - covariates], v.unit[row, c, now.which[j - covariates]], per)
        error -= v.beta[row, k, c, j] * now.f[j]
        now.rest[j] = now.f[j] - weighed(v.g, row, k, c, j, phi)
    if not abs(error) < np.inf:
        v.begun[row] = False
        return
    most = np.float32(CUT) * size
    weight = np.float32(1) if abs(error) <= most else most / abs(error)
    root = np.sqrt(weight)
    for j in range(features):
        now.f[j] = now.rest[j] * root
    norm, left = take_in(v.factor[row, k, c], now.f, now.projected), error
    for j in range(features):
        now.f[j] = now.projected[j] / norm * root * error
        v.beta[row, k, c, j] += now.f[j]
        left -= now.f[j] * now.rest[j]
    for i in range(len(phi)):
        share, moves = decoded(np.float32(gain[i]), unit * weight), np.float32(0)
        for j in range(features):
            moves += now.f[j] * v.g[row, k, c, j, i]
            v.g[row, k, c, j, i] += share * now.rest[j]
        v.w[row, k, c, 0, i] += share * left - moves
    size += (min(abs(error), np.float32(WILD) * size) - size) / min(met, np.float32(LONG))
    v.size[row, k, c] = max(size, np.float32(LEAST_SIZE))


@compiled
def effect(
    v: Effects, now: Seen, row: int, slot: int, i: int, c: int, j: int, ends: tuple[int, int], t: np.float32,
    delta: np.float32,
) -> np.float32:  # fmt: skip
    """δ·β·f of row i of a batch at its lead j, which lies a share t of the way between these ends on the grid; the tick
    is that of this slot.
    """
    found, covariates, per = np.float32(0), v.of.here.shape[2], np.float32(1) / delta
    for n in range(v.beta.shape[3]):
        ahead = n - covariates
        which = n if ahead < 0 else now.which[ahead]
        deviation = v.of.here[row, slot, n] if ahead < 0 else now.coming[i, j, ahead]
        beta = v.beta[row, ends[0], c, n] * (1 - t) + v.beta[row, ends[1], c, n] * t
        found += beta * feature(deviation, v.unit[row, c, which], per) * delta
    return found
