"""The loops of bands (bands.py), over series, elements, leads and quantiles: truths in, and bounds of forecasts out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.forecast.codes import SHORT_NONE, short_decoded, short_encoded
from streamer.forecast.conditions import CHANGE, HUGE, PLACE, UNIT, Codes, Conditions, mend, note, sigma, spread_of
from streamer.records import Floats, Ints

LONG, PRIOR = 100.0, 6.0
"""Truths over which s is a mean; and those that the changes between samples count for before the first one."""
LEAN = 5e-4
"""Standard deviations of [y < bound] by which what θ gains with a condition moves, times the condition."""
SOONER = 1.5
"""With a pace beyond 1, s follows so many times sooner at most."""
WILD = 10.0
"""Times its usual size that an error counts for in the pace."""
TIE = 1e-3
"""Mean changes within which a truth is neither above nor below a bound: in a standstill nothing is to be learnt."""
MOST_MET = 1e7
LEAST = 1e-3
"""Least size of errors in a slot, beside the mean over slots."""
F32 = NDArray[np.float32]


class Tracks(NamedTuple):
    """The state of bands, as `Bands` has it."""

    ring: NDArray[np.int16]
    offset: F32
    theta: F32
    sizes: F32
    seen: NDArray[np.uint8]
    day: F32
    met: F32
    alone: NDArray[np.bool_]
    now: Conditions


class Rule(NamedTuple):
    """What does not change: quantiles [Q], the rates of θ [Q, L], of what it gains with conditions [Q], and θ at the
    beginning, that of normal errors; leads [L], their first slots in the ring, and those left and right of each lead
    [h]; limits of bounds; the model that is published where `alone` says so."""

    quantiles: Floats
    rates: Floats
    leans: Floats
    normal: Floats
    leads: Ints
    begins: Ints
    left: Ints
    right: Ints
    share: Floats
    lowest: float
    highest: float
    single: int


class Places(NamedTuple):
    """One tick of each row: its number, whether its series starts anew, its slot, and what it counts for there."""

    rows: Ints
    tick: Ints
    fresh: NDArray[np.bool_]
    slot: Ints
    share: Floats


@compiled
def learn_all(
    s: Tracks, rule: Rule, at: Places, x: Floats, calm: Floats, doubted: NDArray[np.bool_], matured: Floats
) -> None:
    """The truths x [b, d] of one tick of each row, and what the guard makes of them."""
    for i in range(len(at.rows)):
        row = at.rows[i]
        for c in range(x.shape[1]):
            y = x[i, c]
            ratio, pace = learn(s, rule, row, at.tick[i], at.slot[i], c, y, calm[i, c] == y, doubted, matured[i])
            if not np.isnan(ratio) and s.day.shape[1]:
                day, mean = s.day[row, at.slot[i], c], s.day[row, :, c].mean()
                day += max(at.share[i], 1 / (s.met[row, c] / s.day.shape[1] + 3)) * (ratio / mean - day)
                s.day[row, at.slot[i], c] = max(day, LEAST)
            if not np.isnan(pace):
                s.met[row, c] = min(s.met[row, c] + 1, MOST_MET)
            note(s.now, row, at.tick[i] % doubted.shape[1], c, y, calm[i, c], at.fresh[i], pace, s.met[row, c])


@compiled
def learn(
    s: Tracks,
    rule: Rule,
    row: int,
    tick: int,
    slot: int,
    c: int,
    y: float,
    believed: bool,
    doubted: NDArray[np.bool_],
    matured: Floats,
) -> tuple[float, float]:
    """The truth y of one series and element, at all leads; its errors beside s·σ, and beside s·day, NaN for none.

    Sizes follow |error|, up to the usual one if it is not believed. Each θ moves by whether y lay below its bound.
    """
    h, last, change = doubted.shape[1], len(matured) - 1, np.float64(s.now.change[row, c])
    day = np.float64(s.day[row, slot, c]) if s.day.shape[1] else 1.0
    soon: float = min(max(s.now.pace[row, c], 1.0), SOONER)
    errors, sizes, ratios, count = 0.0, 0.0, 0.0, 0
    for k in range(len(rule.leads)):
        lead = rule.leads[k]
        then, pending = (tick - lead) % h, rule.begins[k] + tick % lead
        own = s.alone.shape[1] > 0 and s.alone[row, then]
        published = matured[rule.single if own else last, k, c]
        off, seen = published - y, s.seen[row, k, c]
        track(s, rule, row, k, pending, c, off, TIE * change, s.now.known[row, then, :, c])
        if np.isnan(off):
            continue
        size, usual = size_of(s.sizes[row, 0, k, c], s.sizes[row, 1, k, c], seen, change, lead), 1.0
        error, trusted = min(abs(off), HUGE), believed and not doubted[row, then, c]
        error = error if trusted else min(error, size * day)
        wide = spread_of(matured[:, k, c], published, size)
        times = sigma(s.now, row, then, k, c, wide)
        ratio = error / (size * day) if trusted and seen and size * day > 0 else np.nan
        mend(s.now, row, then, k, c, wide, ratio, s.met[row, c])
        share = max(soon / LONG, 1 / (seen + PRIOR))
        if seen:
            size, usual = np.float64(s.sizes[row, 0, k, c]), np.float64(s.sizes[row, 1, k, c])
        s.sizes[row, 0, k, c] = size = size + share * (error - size)
        s.sizes[row, 1, k, c] = usual = usual + share * (day * times - usual)
        s.seen[row, k, c] = min(seen, 254) + 1
        size = size / usual
        errors, sizes = errors + error / times, sizes + size
        if size * day > 0:
            ratios, count = ratios + min(error / (size * day), WILD), count + 1
    return errors / sizes if sizes > 0 else np.nan, ratios / count if count else np.nan


@compiled
def track(s: Tracks, rule: Rule, row: int, k: int, pending: int, c: int, off: float, tie: float, known: Codes) -> None:
    """Move the θ of a lead by where its bounds lay, whose forecast was `off` above the truth."""
    for q in range(len(rule.quantiles)):
        code = s.ring[row, pending, q, c]
        above = np.nan if code == SHORT_NONE else off + np.float64(short_decoded(code))
        s.offset[row, q, k, c] = above
        if abs(above) > tie:
            side, theta = rule.quantiles[q] - np.float64(above > 0), s.theta[row, q, k, :, c]
            theta[0] += rule.rates[q, k] * side
            for j in (CHANGE, PLACE):
                theta[j] += rule.leans[q] * side * (known[j] / UNIT)


@compiled
def size_of(size: float, usual: float, seen: int, change: float, lead: int) -> float:
    """The running size of errors at a lead; before the first truth that of changes, of which errors are the sum."""
    first: float = change * np.sqrt(lead)
    found: float = size / usual if seen else first
    return found


@compiled
def issue_all(
    s: Tracks, rule: Rule, rows: Ints, tick: Ints, mean: Floats, slots: Ints, own: NDArray[np.bool_], keep: bool
) -> Floats:
    """Bounds [b, Q, h, d] of what is published of the forecasts mean [b, M, h, d]."""
    b, last, h, d = len(rows), mean.shape[1] - 1, mean.shape[2], mean.shape[3]
    count, leads = len(rule.quantiles), len(rule.leads)
    out, base, days = np.empty((b, count, h, d)), np.empty((count, leads)), np.ones(h)
    for i in range(b):
        row, chosen = rows[i], rule.single if own[i] else last
        for c in range(d):
            published = mean[i, chosen, :, c]
            widths(s, rule, row, tick[i] % h, c, mean[i, :, :, c], published, base)
            if s.day.shape[1]:
                for j in range(h):
                    days[j] = s.day[row, slots[i, j], c]
            for q in range(count):
                spread(base[q], days, rule.left, rule.right, rule.share, published, out[i, q, :, c])
                for k in range(leads):
                    j = rule.leads[k] - 1
                    code = short_encoded(base[q, k] * days[j])
                    out[i, q, j, c] = published[j] + short_decoded(code)
                    if keep:
                        s.ring[row, rule.begins[k] + tick[i] % (j + 1), q, c] = code
                limit(out[i, q, :, c], rule.lowest, rule.highest)
        if keep and s.alone.shape[1]:
            s.alone[row, tick[i] % h] = own[i]
    return out


@compiled
def widths(s: Tracks, rule: Rule, row: int, now: int, c: int, mean: Floats, published: Floats, out: Floats) -> None:
    """θ·s·σ [Q, L], which grows with the quantile, of the forecasts mean [M, h], of which one is published [h]."""
    known, change = s.now.known[row, now, :, c], np.float64(s.now.change[row, c])
    for k in range(len(rule.leads)):
        j = rule.leads[k] - 1
        size = size_of(s.sizes[row, 0, k, c], s.sizes[row, 1, k, c], s.seen[row, k, c], change, j + 1)
        size *= sigma(s.now, row, now, k, c, spread_of(mean[:, j], published[j], size))
        highest = -np.inf
        for q in range(len(rule.quantiles)):
            theta = s.theta[row, q, k, :, c]
            times = rule.normal[q] + theta[0] + (theta[CHANGE] * known[CHANGE] + theta[PLACE] * known[PLACE]) / UNIT
            highest = out[q, k] = max(highest, times * size)


@compiled
def spread(base: Floats, days: Floats, left: Ints, right: Ints, share: Floats, mean: Floats, out: Floats) -> None:
    """One bound [h]: the forecast, and what lies between leads of the grid [L] as large as errors are then."""
    for j in range(len(out)):
        out[j] = mean[j] + (base[left[j]] * (1 - share[j]) + base[right[j]] * share[j]) * days[j]


@compiled
def limit(out: Floats, lowest: float, highest: float) -> None:
    """Keep a bound within these, in place; NaN stays."""
    for j in range(len(out)):
        if out[j] < lowest:
            out[j] = lowest
        elif out[j] > highest:
            out[j] = highest
