"""The arithmetic of the seasons (seasonal.py): values of slots in 16 bits, loops over series in plain formulas.

A code q stands for origin + q·unit, of a series and element. The unit is 1, 2 or 5 times a power of ten, so that the
decimals of most sensors come back exactly; in any case a value is off by at most a 13,000th of the range of all that is
kept. Where a value does not fit, origin and unit are fitted anew to all that is kept, and once in the longest cycle, so
that the unit shrinks again when a wide range is past.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.records import Floats, Ints

NONE = -32_768
"""The code of a slot that has seen nothing."""
MOST = 32_767
"""The largest code."""
I16 = NDArray[np.int16]


class Slots(NamedTuple):
    """The state of all slots, as `Seasons` has it."""

    usual: I16
    last: I16
    origin: Floats
    unit: Floats
    seen: I16


@compiled
def look_up(codes: I16, origin: Floats, unit: Floats, rows: Ints, slots: Ints) -> Floats:
    """The values of slots [b, n] of these rows among codes [N, Σ slots, d], [b, n, d]; NaN for none."""
    (b, n), d = slots.shape, codes.shape[2]
    out = np.empty((b, n, d))
    for i in range(b):
        row = rows[i]
        for c in range(d):
            begin, per = origin[row, c], unit[row, c]
            for j in range(n):
                code = codes[row, slots[i, j], c]
                out[i, j, c] = np.nan if code == NONE else begin + code * per
    return out


@compiled
def take_in_all(
    s: Slots, rows: Ints, x: Floats, tick: Ints, slots: Ints, alphas: Floats, counts: Ints, reach: Floats
) -> None:
    """One tick of each row: its value x [b, d] into a slot of each cycle, slots [b, cycles].

    alphas: [cycles] the least share that it replaces; of usual values further than `reach` [b, d] away, all: else a
    sensor that failed for a day would take years to be forgotten. counts: [cycles] how many slots each has. A slot's
    values are counted in the shortest cycle: in one n times as long, a slot has seen an nth of them.
    """
    if not len(counts):
        return
    shortest = np.argmin(counts)
    first = counts[:shortest].sum()
    for i in range(len(rows)):
        row, at = rows[i], slots[i, shortest] - first
        seen = int(s.seen[row, at])
        for c in range(x.shape[1]):
            if np.isnan(x[i, c]):
                continue
            if not abs(x[i, c] - s.origin[row, c]) <= MOST * s.unit[row, c]:
                fit(s, row, c, x[i, c], True)
            elif tick[i] % s.usual.shape[1] == 0:
                fit(s, row, c, x[i, c], False)
            code = (x[i, c] - s.origin[row, c]) / s.unit[row, c] if s.unit[row, c] > 0 else 0.0
            for k in range(len(counts)):
                slot = slots[i, k]
                share = max(alphas[k], 1 / (1 + seen * counts[shortest] // counts[k]))
                before = s.usual[row, slot, c]
                begins = before == NONE or abs(code - before) * s.unit[row, c] > reach[i, c] > 0
                s.usual[row, slot, c] = np.rint(code if begins else before + share * (code - before))
                s.last[row, slot, c] = np.rint(code)
        s.seen[row, at] = min(seen + 1, MOST)


@compiled
def fit(s: Slots, row: int, c: int, x: float, always: bool) -> None:
    """Origin and unit such that x and all that is kept take up half of the codes; where that would not make the unit
    smaller, only if it must be."""
    origin, unit = s.origin[row, c], s.unit[row, c]
    low = high = x
    for j in range(s.usual.shape[1]):
        for code in (s.usual[row, j, c], s.last[row, j, c]):
            if code != NONE:
                low, high = min(low, origin + code * unit), max(high, origin + code * unit)
    new = rounded_up((high / 2 - low / 2) / (MOST // 2))
    if new >= unit and not always:
        return
    middle = low / 2 + high / 2
    middle = np.rint(middle / new) * new if new > 0 and abs(middle) < 2**53 * new else middle
    for j in range(s.usual.shape[1]):
        s.usual[row, j, c] = recoded(s.usual[row, j, c], origin, unit, middle, new)
        s.last[row, j, c] = recoded(s.last[row, j, c], origin, unit, middle, new)
    s.origin[row, c], s.unit[row, c] = middle, new


@compiled
def recoded(code: int, origin: float, unit: float, middle: float, new: float) -> int:
    """The code of the same value with another origin and unit."""
    if code == NONE or new == 0:
        return NONE if code == NONE else 0
    return int(np.rint((origin + code * unit - middle) / new))


@compiled
def rounded_up(unit: float) -> float:
    """The next number up that is 1, 2 or 5 times a power of ten; 0 for 0."""
    if unit <= 0:
        return 0.0
    ten: float = 10.0 ** np.floor(np.log10(unit))
    for times in (1.0, 2.0, 5.0):
        if unit <= times * ten:
            return times * ten
    return 10 * ten
