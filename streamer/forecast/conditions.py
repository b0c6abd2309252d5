"""What is known when a forecast is made, in; how large its errors will be beside their usual size, out.

σ = 1 + w·φ, with φ = (√pace, spread) less what these usually are. Errors are large where the newest ones were (pace),
and where forecasters do not agree (spread). w follows the ratio of each error to its usual size by normalised least
mean squares; all leads learn one w, as what is uncertain at one lead is at the others too.

The newest change and the place of the newest value in the range of its series tell to which side errors will be: θ has
a part that each of them is multiplied by (tracks.py).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.records import Floats

F32 = NDArray[np.float32]
Codes = NDArray[np.int8]

PACE, CHANGE, PLACE = 0, 1, 2
"""What is known at a tick, in the order in which it is kept."""
KNOWN = 3
MOST = 3.9
"""Beyond this size nothing counts for more."""
UNIT = 32.0
"""Steps of 1 that it is kept in: 8 bits hold up to MOST."""
NEWEST = 0.1
"""Share of the newest errors in the pace."""
CHANGES = 500
"""Samples over which the mean change between two of them is one, and the range of a series is followed."""
WIDE = 1.25
"""Mean absolute deviations in a standard deviation."""
RATE, FIRST = 2e-4, 300.0
"""Share of an error of σ by which w is mended, and 1 over how many truths: at first more."""
LEAST, LARGEST = 0.2, 5.0
"""Of 1 + w·φ, and the largest ratio that w learns from."""
CALM, ALARM = 0.5, 1.4
"""√pace below and above which σ goes with it: so a series that begins to stand still, or whose noise has become larger,
has its bands before w has learned so."""
USUAL = 1000
"""Truths over which what pace and spread usually are is a mean."""
HUGE = 1e37
"""Changes and errors count for no more, so that sums of them stay finite."""


class Conditions(NamedTuple):
    """Those of all series, as `Bands` has them."""

    pace: F32
    known: Codes
    weights: F32
    usual: F32
    change: F32
    changes: NDArray[np.int16]
    value: Floats
    level: Floats
    deviation: F32


@compiled
def note(
    s: Conditions, row: int, now: int, c: int, y: float, calm: float, fresh: bool, pace: float, met: float
) -> None:
    """The newest value of one series and element, after so many truths; `calm` is what the guard makes of it, `pace`
    how large its errors were. Where a series starts anew it has changed from nothing.

    What is known from now on, until a truth tells what it was worth, is kept in slot `now`.
    """
    if not np.isnan(pace):
        s.pace[row, c] += NEWEST * (pace - s.pace[row, c])
    if fresh:
        s.value[row, c] = np.nan
    change = 0.0
    if calm == y:
        change = (y - s.value[row, c]) / s.change[row, c]
        follow(s, row, c, y)
    root = np.sqrt(s.pace[row, c]) - 1
    s.usual[row, -1, c] += (root - s.usual[row, -1, c]) / min(met + 10, USUAL)
    s.known[row, now, PACE, c], s.known[row, now, CHANGE, c] = kept(root), kept(change)
    s.known[row, now, PLACE, c] = kept((calm - s.level[row, c]) / (WIDE * s.deviation[row, c]))


@compiled
def follow(s: Conditions, row: int, c: int, y: float) -> None:
    """A value y that the guard believes: how much its series changes, and within what range it is."""
    if not np.isnan(s.value[row, c]):
        s.changes[row, c] = min(s.changes[row, c] + 1, CHANGES)
        s.change[row, c] += (min(abs(y - s.value[row, c]), HUGE) - s.change[row, c]) / s.changes[row, c]
    share = 1 / (s.changes[row, c] + 1)
    s.level[row, c] += share * (y - s.level[row, c])
    s.deviation[row, c] += share * (min(abs(y - s.level[row, c]), HUGE) - s.deviation[row, c])
    s.value[row, c] = y


@compiled
def kept(value: float) -> np.int8:
    """A condition in 8 bits; one that is not known is 0."""
    return np.int8(np.rint(UNIT * min(max(value, -MOST), MOST))) if abs(value) < np.inf else np.int8(0)


@compiled
def spread_of(predicted: Floats, published: float, size: float) -> float:
    """How far forecasts lie from the published one, in usual errors: mean over models [M] without the first, which is
    the reference, and the last, which is the mixture. One far away counts for MOST, one that says nothing for none."""
    total, count = 0.0, 0
    for m in range(1, len(predicted) - 1):
        off = abs(predicted[m] - published)
        if off < np.inf and size > 0:
            total, count = total + min(off / size, MOST), count + 1
    return total / count if count else 0.0


@compiled
def sigma(s: Conditions, row: int, then: int, k: int, c: int, spread: float) -> float:
    """σ of what is forecast under the conditions of slot `then`, at lead k of the grid, where forecasts spread so."""
    root, w = s.known[row, then, PACE, c] / UNIT, s.weights[row, :, c]
    linear = 1 + w[0] * (root - s.usual[row, -1, c]) + w[1] * (spread - s.usual[row, k, c])
    found: float = min(max(linear, LEAST), LARGEST) * min(1.0, (1 + root) / CALM) * max(1.0, (1 + root) / ALARM)
    return found


@compiled
def mend(s: Conditions, row: int, then: int, k: int, c: int, spread: float, ratio: float, met: float) -> None:
    """The error of such a forecast, beside its usual size; NaN where it teaches nothing."""
    w = s.weights[row, :, c]
    pace, beyond = s.known[row, then, PACE, c] / UNIT - s.usual[row, -1, c], spread - s.usual[row, k, c]
    if not np.isnan(ratio):
        left = min(ratio, LARGEST) - (1 + w[0] * pace + w[1] * beyond)
        step = max(RATE, 1 / (FIRST + met)) / (1 + pace * pace + beyond * beyond) * left
        w[0] += np.float32(step * pace)
        w[1] += np.float32(step * beyond)
    s.usual[row, k, c] += beyond / min(met + 1, USUAL)
