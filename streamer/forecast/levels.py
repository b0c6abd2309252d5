"""The arithmetic of the guard (guard.py), loops over series in plain formulas."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.records import Floats, Ints

BEYOND, CLIPPED = 10.0, 3.0
"""Running deviations from the level: beyond which values are not believed at once, and to which they are clipped."""
BELIEVED = 3
LONG, SLOW = 200, 10_000
"""Ticks over which level and deviation, and the slow deviation, are means, once there were as many. The slow one still
knows the size of a change after a long standstill."""
LONGEST = 400
"""Values in a row that are counted: from there on, all are believed."""
START = 7
"""Values whose median is the first level: up to three of them may be wild."""
TRIPS = 3
"""Jumps, each forgotten over SLOW ticks, from which on they are the nature of a series."""
HOME = 3.0
"""Running deviations from its level before within which a series that is away is back."""
EXACT = 1e12
"""Running deviations up to which what was learned can be moved along and back: in double precision there is less
than a thousandth of a deviation of rounding."""
FEWEST = 3
"""Values from which on one can be far outside: up to START, BEYOND counts 10^0.5 times as much for each one less."""


class State(NamedTuple):
    """level, deviation, slow [N, d]: running means of x and, over LONG and SLOW ticks, of |x - level|; seen [N] values;
    beyond [N, d] in a row, negative below; clipped [N] values so far. first [N, START, d]: the first values, and later
    the distances of those that differ from a constant. given [N, START, d]: the first values after clipping, NaN where
    the series has begun anew since."""

    level: Floats
    deviation: Floats
    slow: Floats
    seen: Ints
    beyond: NDArray[np.int16]
    clipped: Ints
    first: Floats
    given: Floats


class Jumps(NamedTuple):
    """newest [N, d]: the value that was last not clipped; newest_at [N, d]: its tick; rises [N, d] since the last fall.
    away [N, d]: by how much the series has jumped in all, 0 at home; home [N, d, 2]: level and newest value before;
    trips [N, d]: how many jumps, fading; settling [N, d]: for how many more ticks one that is away is expected back."""

    newest: Floats
    newest_at: Ints
    rises: NDArray[np.uint8]
    away: Floats
    home: Floats
    trips: NDArray[np.float32]
    settling: NDArray[np.uint8]


class Now(NamedTuple):
    """A tick of each of these rows: x, moved [b, d]; issued [b, L, d] is what was published for it, at the leads."""

    rows: Ints
    x: Floats
    tick: Ints
    leads: Ints
    issued: Floats
    moved: Floats


@compiled
def calm_all(s: State, j: Jumps, now: Now, known: int) -> NDArray[np.bool_]:
    """Clip values x in place; write into moved; which of these series begin anew, [b]."""
    x, anew = now.x, np.zeros(len(now.rows), np.bool_)
    for i in range(len(now.rows)):
        row = now.rows[i]
        if np.isnan(x[i, 0]):
            continue
        s.seen[row] += 1
        constant, clipped, seen = s.slow[row].max() == 0, False, s.seen[row]
        for c in range(x.shape[1]):
            came = x[i, c]
            if seen <= START:
                x[i, c], wild = begin(s, row, c, came)
                anew[i] |= wild
            if seen >= START:
                if s.slow[row, c] == 0:
                    anew[i] |= moves(s, row, c, came) and constant
                before = j.away[row, c]
                x[i, c] = calmed(s, j, row, c, came, expected(s, j, now, i, c) if seen >= known else np.nan)
                now.moved[i, c] = j.away[row, c] - before
            clipped |= came != x[i, c]
            if came == x[i, c]:
                count(j, now, i, c, came)
        if anew[i]:
            s.given[row, : seen - 1] = np.nan
        s.clipped[row] += clipped
    return anew


@compiled
def calm_series(s: State, j: Jumps, x: Floats, moved: Floats, known: int) -> None:
    """Clip the values x [T, d] of a single series, one after another, and write into moved [T, d]."""
    one, none, nothing = np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros((1, 0, x.shape[1]))
    for t in range(len(x)):
        calm_all(s, j, Now(one, x[t : t + 1], np.full(1, t), none, nothing, moved[t : t + 1]), known)


@compiled
def count(j: Jumps, now: Now, i: int, c: int, x: float) -> None:
    """A calm value: whether it rises, and that it is the newest."""
    row, before = now.rows[i], j.newest[now.rows[i], c]
    if x > before:
        j.rises[row, c] = min(j.rises[row, c], 254) + 1
    elif x < before and not now.moved[i, c]:
        j.rises[row, c] = 0
    j.newest[row, c], j.newest_at[row, c] = x, now.tick[i]


@compiled
def begin(s: State, row: int, c: int, x: float) -> tuple[float, bool]:
    """One of the first values, clipped if it is far outside, and whether one is that was given before.

    Level and deviation are medians of all values so far.
    """
    newest = s.seen[row] - 1
    s.first[row, newest, c] = s.given[row, newest, c] = x
    values = s.first[row, : newest + 1, c].copy()
    level = np.median(values)
    deviation = np.median(np.abs(values - level))
    s.level[row, c], s.deviation[row, c], s.slow[row, c] = level, deviation, deviation
    if newest + 1 < START and (newest + 1 < FEWEST or deviation == 0):
        return x, False
    limit, wild = BEYOND * 10 ** ((START - 1 - newest) / 2) * deviation, False
    for j in range(newest):
        wild |= abs(s.given[row, j, c] - level) > limit
    if abs(x - level) > limit:
        x = s.given[row, newest, c] = level + np.sign(x - level) * deviation * CLIPPED
    return x, wild


@compiled
def moves(s: State, row: int, c: int, x: float) -> bool:
    """Whether a constant ends: the BELIEVED-th value that differs from it gives its median distance as deviation."""
    off, count = abs(x - s.level[row, c]), s.beyond[row, c]
    if off == 0:
        return False
    s.first[row, count, c], s.beyond[row, c] = off, count + 1
    if count + 1 < BELIEVED:
        return False
    deviation = np.median(s.first[row, :BELIEVED, c].copy())
    s.deviation[row, c], s.slow[row, c], s.beyond[row, c] = deviation, deviation, 0
    return True


@compiled
def calmed(s: State, j: Jumps, row: int, c: int, x: float, expected: float) -> float:
    """A value, clipped if it is far outside and not believed; level and deviations follow it.

    expected: what it would be if nothing had happened since the last calm one; NaN: it cannot be a jump.
    """
    deviation, slow = s.deviation[row, c], s.slow[row, c]
    limit = BEYOND * max(deviation, slow / 10)
    if limit == 0:
        level: float = s.level[row, c]
        return level
    j.trips[row, c] *= np.float32(1 - 1 / SLOW)
    j.settling[row, c] = max(j.settling[row, c], 1) - 1
    if j.rises[row, c] >= LONG and x < s.level[row, c] - deviation and jumps(s, j, row, c, x - expected, 0):
        return x
    back = j.away[row, c] != 0 and returns(s, j, row, c, x, limit, HOME * max(deviation, slow))
    off = x - s.level[row, c]
    if back or abs(off) <= limit:
        s.beyond[row, c] = 0
    elif not believes(s, row, c, x):
        x = s.level[row, c] + np.sign(off) * limit * (CLIPPED / BEYOND)
    elif jumps(s, j, row, c, x - expected, limit):
        return x
    else:
        s.level[row, c], s.deviation[row, c] = x, max(deviation, abs(off) / BEYOND)
        return x
    if not j.settling[row, c]:
        follow(s, row, c, x, min(abs(off), limit))
    return x


@compiled
def follow(s: State, row: int, c: int, x: float, size: float) -> None:
    """Level and deviations after a value, `size` away from the level before it was clipped."""
    seen = s.seen[row]
    s.level[row, c] += (x - s.level[row, c]) / min(seen, LONG)
    s.deviation[row, c] += (size - s.deviation[row, c]) / min(seen, LONG)
    s.slow[row, c] += (size - s.slow[row, c]) / min(seen, SLOW)


@compiled
def believes(s: State, row: int, c: int, x: float) -> bool:
    """Whether this value far outside has come often enough in a row."""
    off, before = x - s.level[row, c], s.beyond[row, c]
    side = 1 if off > 0 else -1
    in_row = min(abs(before) + 1, LONGEST) if before * side > 0 else 1
    reach = BEYOND * max(s.deviation[row, c], s.slow[row, c]) * 10.0 ** (in_row - BELIEVED + 1)
    believed = in_row >= BELIEVED and abs(off) <= reach
    s.beyond[row, c] = 0 if believed else side * in_row
    return believed


@compiled
def expected(s: State, j: Jumps, now: Now, i: int, c: int) -> float:
    """What was published for this tick at the last calm one, or shortly before; else the value of then."""
    row = now.rows[i]
    for k in range(len(now.leads)):
        if now.leads[k] >= now.tick[i] - j.newest_at[row, c] and np.isfinite(now.issued[i, k, c]):
            issued: float = now.issued[i, k, c]
            return issued
    newest: float = j.newest[row, c]
    return newest


@compiled
def jumps(s: State, j: Jumps, row: int, c: int, by: float, limit: float) -> bool:
    """Whether a value that is believed is a jump, by more than the limit, with which level and what was learned move.

    Part of the way back is no jump that counts.
    """
    away = j.away[row, c]
    nearer = abs(away + by) < abs(away)
    usual = j.trips[row, c] > TRIPS - 1 and not nearer
    if usual or not limit < abs(by) < EXACT * max(s.deviation[row, c], s.slow[row, c]):
        return False
    if not away:
        j.home[row, c, 0], j.home[row, c, 1] = s.level[row, c], j.newest[row, c]
    s.level[row, c] += by
    j.away[row, c] += by
    j.trips[row, c] += np.float32(not nearer)
    j.settling[row, c] = LONG
    return True


@compiled
def returns(s: State, j: Jumps, row: int, c: int, x: float, limit: float, near: float) -> bool:
    """Whether a series that is away is back: so near to where it was before, and nearer than to its level of now.

    One that has settled where it is can only jump back. A counter is back where it goes on from its value before.
    """
    level, low, high = s.level[row, c], j.home[row, c].min(), j.home[row, c].max()
    off = max(low - x, x - high, 0.0)
    here = abs(x - level)
    back: bool = off <= min(near, here) and (j.settling[row, c] > 0 or here > limit)
    if j.rises[row, c] >= LONG:
        back = x >= high and x - j.newest[row, c] > abs(j.away[row, c]) / 2
    if back:
        s.level[row, c] -= j.away[row, c]
        j.away[row, c] = j.settling[row, c] = 0
    return back
