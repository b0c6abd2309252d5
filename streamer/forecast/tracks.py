"""The loops of bands (bands.py), over series, elements, leads and quantiles: truths in, and bounds of forecasts out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.forecast.codes import SHORT_NONE, short_decoded, short_encoded
from streamer.records import Floats, Ints

LONG, PRIOR = 100.0, 6.0
"""Truths over which s is a mean; and those that the changes between samples count for before the first one."""
CHANGES = 500
"""Samples over which the mean change between two of them is one."""
PACE = 0.1
"""Share of the newest errors in the pace."""
WILD = 10.0
"""Times its usual size that an error counts for in the pace."""
TIE = 1e-3
"""Mean changes within which a truth is neither above nor below a bound: in a standstill nothing is to be learnt."""
MOST_MET = 1e7
LEAST = 1e-3
"""Least size of errors in a slot, beside the mean over slots."""
LARGEST = 1e37
"""Errors count for no more, so that sums of them stay finite."""
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
    pace: F32
    change: F32
    changes: NDArray[np.int16]
    value: Floats
    alone: NDArray[np.bool_]


class Rule(NamedTuple):
    """What does not change: quantiles [Q], the rates of θ, and θ at the beginning, that of normal errors; leads [L],
    their first slots in the ring, and those left and right of each lead [h]; limits of bounds; the model that is
    published where `alone` says so."""

    quantiles: Floats
    rates: Floats
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
            if at.fresh[i]:
                s.value[row, c] = np.nan
            ratio, pace = learn(s, rule, row, at.tick[i], at.slot[i], c, y, calm[i, c] == y, doubted, matured[i])
            if not np.isnan(ratio) and s.day.shape[1]:
                day, mean = s.day[row, at.slot[i], c], s.day[row, :, c].mean()
                day += max(at.share[i], 1 / (s.met[row, c] / s.day.shape[1] + 3)) * (ratio / mean - day)
                s.day[row, at.slot[i], c] = max(day, LEAST)
                s.met[row, c] = min(s.met[row, c] + 1, MOST_MET)
            if not np.isnan(pace):
                s.pace[row, c] += PACE * (pace - s.pace[row, c])
            if calm[i, c] == y:
                if not np.isnan(s.value[row, c]):
                    s.changes[row, c] = min(s.changes[row, c] + 1, CHANGES)
                    change = min(abs(y - s.value[row, c]), LARGEST)
                    s.change[row, c] += (change - s.change[row, c]) / s.changes[row, c]
                s.value[row, c] = y


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
    """The truth y of one series and element, at all leads; its errors beside s, and beside s·day, NaN for none.

    Sizes follow |error|, up to the usual one if it is not believed. Each θ moves by whether y lay below its bound.
    """
    h, last, change = doubted.shape[1], len(matured) - 1, np.float64(s.change[row, c])
    day = np.float64(s.day[row, slot, c]) if s.day.shape[1] else 1.0
    errors, sizes, ratios, count = 0.0, 0.0, 0.0, 0
    for k in range(len(rule.leads)):
        lead = rule.leads[k]
        then, pending = (tick - lead) % h, rule.begins[k] + tick % lead
        own = s.alone.shape[1] > 0 and s.alone[row, then]
        off = matured[rule.single if own else last, k, c] - y
        for q in range(len(rule.quantiles)):
            code = s.ring[row, pending, q, c]
            above = np.nan if code == SHORT_NONE else off + short_decoded(code)
            s.offset[row, q, k, c] = above
            if abs(above) > TIE * change:
                s.theta[row, q, k, c] += rule.rates[q] * (rule.quantiles[q] - (above > 0))
        if np.isnan(off):
            continue
        seen = s.seen[row, k, c]
        size = size_of(s.sizes[row, 0, k, c], s.sizes[row, 1, k, c], seen, change, lead)
        error = min(abs(off), LARGEST if believed and not doubted[row, then, c] else size * day)
        share = max(1 / LONG, 1 / (seen + PRIOR))
        usual = 1.0 if not seen else np.float64(s.sizes[row, 1, k, c])
        size = size if not seen else np.float64(s.sizes[row, 0, k, c])
        s.sizes[row, 0, k, c] = size = size + share * (error - size)
        s.sizes[row, 1, k, c] = usual = usual + share * (day - usual)
        s.seen[row, k, c] = min(seen, 254) + 1
        size = size / usual
        errors, sizes = errors + error, sizes + size
        if size * day > 0:
            ratios, count = ratios + min(error / (size * day), WILD), count + 1
    return errors / sizes if sizes > 0 else np.nan, ratios / count if count else np.nan


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
    """Bounds [b, Q, h, d] of forecasts mean [b, h, d]."""
    b, h, d = mean.shape
    count, leads = len(rule.quantiles), len(rule.leads)
    out, base, days = np.empty((b, count, h, d)), np.empty((count, leads)), np.ones(h)
    for i in range(b):
        row = rows[i]
        for c in range(d):
            widths(s, rule, row, c, base)
            if s.day.shape[1]:
                for j in range(h):
                    days[j] = s.day[row, slots[i, j], c]
            for q in range(count):
                spread(base[q], days, rule.left, rule.right, rule.share, mean[i, :, c], out[i, q, :, c])
                for k in range(leads):
                    j = rule.leads[k] - 1
                    code = short_encoded(base[q, k] * days[j])
                    out[i, q, j, c] = mean[i, j, c] + short_decoded(code)
                    if keep:
                        s.ring[row, rule.begins[k] + tick[i] % (j + 1), q, c] = code
                limit(out[i, q, :, c], rule.lowest, rule.highest)
        if keep and s.alone.shape[1]:
            s.alone[row, tick[i] % h] = own[i]
    return out


@compiled
def widths(s: Tracks, rule: Rule, row: int, c: int, out: Floats) -> None:
    """θ·s·√pace [Q, L], which grows with the quantile."""
    pace, change = np.sqrt(s.pace[row, c]), np.float64(s.change[row, c])
    for k in range(len(rule.leads)):
        size = size_of(s.sizes[row, 0, k, c], s.sizes[row, 1, k, c], s.seen[row, k, c], change, rule.leads[k])
        highest = -np.inf
        for q in range(len(rule.quantiles)):
            highest = out[q, k] = max(highest, (rule.normal[q] + s.theta[row, q, k, c]) * size * pace)


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
