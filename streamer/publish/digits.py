"""Forecasts and their bounds in, their numbers as JSON out, with the digits that mean something.

Axes: curves [b, 1 + Q, h, d] are forecasts and then their bounds; x [b, d] the newest values before them.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.records import Floats, Ints

DIGITS, MOST_DIGITS = 10, 15
"""Significant digits of an element's largest value that are written: those beyond 10 mostly only lengthen messages, and
15 are what double precision holds for sure."""
DIGITS_OF_CHANGE = 4
"""Digits of the largest step from the newest value that are written as well."""
DIGITS_OF_WIDTH = 4
"""Digits of a band's width beyond which neither its bounds nor its mean mean anything."""

FINEST, LARGEST = -290, 308
"""Powers of ten that sizes are told apart by. Below the first a forecast loses digits: smoothing a series that fell to
0 leads there, and 1/value would overflow."""
POWERS = np.array([float(f"1e{power}") for power in range(FINEST, LARGEST + 1)])
TENS = np.array([float(f"1e{power}") for power in range(LARGEST + 1)])
AT_ONCE = 64
"""Forecasts that are written before their text is cut apart: so memory is bounded, whatever the batch."""
LONGEST = 28
"""Bytes that a number takes at most, with a comma and brackets."""
FIXED, SMALL = 16, -5
"""Digits before the point up to which a number is written without an exponent, and zeros after it."""
COMMA, MINUS, POINT, OPEN, CLOSE = b",-.[]"
NULL, ZERO, ZEROS, ENDS, EXPONENT = (
    np.frombuffer(text, np.uint8) for text in (b"null", b"0.0", b"0.0000", b"0" * FIXED + b".0", b"e-")
)
U, TEN, WHOLE = np.uint64, np.uint64(10), np.array([10**power for power in range(17)], np.uint64)
EIGHT, MOST = 1e8, 1e16

Bytes = NDArray[np.uint8]


class Text(NamedTuple):
    """What stands before the first list, between two, and after the last, and then the least and the largest number,
    which have digits of their own; where each begins and ends. Those numbers, and whether there are any."""

    all: Bytes
    ends: Ints
    lowest: float
    highest: float
    limited: bool


def rounded(curves: Floats, x: Floats) -> Floats:
    """The curves, rounded to the digits that they need.

    They are DIGITS significant digits of an element's largest value, and more where these would not show
    DIGITS_OF_CHANGE digits of the largest step from the newest value, as of a meter that stands at 1e12; but at no lead
    more than DIGITS_OF_WIDTH digits of how far apart the curves are.
    """
    return round_all(np.ascontiguousarray(curves), np.ascontiguousarray(x))


def written(curves: Floats, x: Floats, limits: tuple[float, float], pieces: Sequence[bytes]) -> list[bytes]:
    """For each of b the same curves, within limits, as JSON lists: after each piece but the last comes a list."""
    parts, limited = [*pieces, *map(orjson.dumps, limits)], bool(np.isfinite(limits).any())
    joined, ends = np.array(bytearray(b"".join(parts))), np.cumsum([0, *map(len, parts)])
    text = Text(joined, ends, float(limits[0]), float(limits[1]), limited)
    curves, x = np.ascontiguousarray(curves), np.ascontiguousarray(x)
    longest, found = len(joined) + (math.prod(curves.shape[1:]) + 1) * LONGEST, list[bytes]()
    out = np.empty(min(len(curves), AT_ONCE) * longest, np.uint8)
    for begin in range(0, len(curves), AT_ONCE):
        cuts = write_all(curves[begin : begin + AT_ONCE], x[begin : begin + AT_ONCE], text, out).tolist()
        whole = out[: cuts[-1]].tobytes()
        found += [whole[start:end] for start, end in pairwise([0, *cuts])]
    return found


@compiled
def exponent(size: float, guess: int) -> int:
    """The power of ten that a size begins with, from a guess: sizes that follow one another are mostly alike."""
    at = guess - FINEST
    while at < LARGEST - FINEST and size >= POWERS[at + 1]:
        at += 1
    while at > 0 and size < POWERS[at]:
        at -= 1
    return at + FINEST


@compiled
def places_of(curves: Floats, x: Floats, i: int, places: Ints) -> None:
    """Decimal places [h, d] of the curves of one forecast; negative before the point."""
    each, h, d = curves.shape[1:]
    for c in range(d):
        low = high = curves[i, 0, 0, c]
        for j in range(1, h):
            low, high = min(low, curves[i, 0, j, c]), max(high, curves[i, 0, j, c])
        magnitude = exponent(max(high, -low), 0)
        finer = exponent(max(high - x[i, c], x[i, c] - low), magnitude)
        most = min(max(magnitude - finer + DIGITS_OF_CHANGE, DIGITS), MOST_DIGITS) - 1 - magnitude
        guess = finer
        for j in range(h):
            places[j, c] = most
            low = high = curves[i, 0, j, c]
            for e in range(1, each):
                low, high = min(low, curves[i, e, j, c]), max(high, curves[i, e, j, c])
            if high > low:
                guess = exponent(high - low, guess)
                places[j, c] = min(most, DIGITS_OF_WIDTH - 1 - guess)


@compiled
def scaled(value: float, places: int) -> float:
    """A value in units of its last place, a whole number."""
    found: float = np.rint(value * TENS[places] if places >= 0 else value / TENS[-places])
    return found


@compiled
def unscaled(whole: float, places: int) -> float:
    """The value of a whole number of units of the last place."""
    found: float = whole / TENS[places] if places >= 0 else whole * TENS[-places]
    return found


@compiled
def round_all(curves: Floats, x: Floats) -> Floats:
    """`rounded`."""
    out, places = np.empty(curves.shape), np.empty(curves.shape[2:], np.int64)
    for i in range(curves.shape[0]):
        places_of(curves, x, i, places)
        for e in range(curves.shape[1]):
            for j in range(curves.shape[2]):
                for c in range(curves.shape[3]):
                    out[i, e, j, c] = unscaled(scaled(curves[i, e, j, c], places[j, c]), places[j, c])
    return out


@compiled
def write_all(curves: Floats, x: Floats, text: Text, out: Bytes) -> Ints:
    """The lists of all forecasts one after another into out, in between pieces of text: where each forecast ends.

    Most numbers are written here, since handing an array on takes longer than that: it is counted who has it.
    """
    b, each, h, d = curves.shape
    places, cuts, at = np.empty((h, d), np.int64), np.empty(b, np.int64), 0
    for i in range(b):
        places_of(curves, x, i, places)
        for e in range(each):
            at = copy(out, at, text.all, text.ends[e], text.ends[e + 1])
            for j in range(h):
                out[at] = COMMA if j else OPEN
                out[at + 1] = OPEN
                at += 1 + (d > 1)
                for c in range(d):
                    number = scaled(curves[i, e, j, c], places[j, c])
                    eight, before, count = plain(number, places[j, c])
                    out[at] = COMMA
                    at += c > 0
                    if count and not text.limited:
                        out[at] = MINUS
                        begin = U(at + (number < 0))
                        after, rest = begin + U(before), eight >> U(8 * before)
                        for k in range(8):
                            out[begin + U(k)] = np.uint8(eight >> U(8 * k))
                        out[after] = POINT
                        for k in range(8):
                            out[after + U(k + 1)] = np.uint8(rest >> U(8 * k))
                        at += (number < 0) + count
                    else:
                        at = put(out, at, number, places[j, c], text, each)
                out[at] = CLOSE
                at += d > 1
            out[at] = CLOSE
            at += 1
        cuts[i] = at = copy(out, at, text.all, text.ends[each], text.ends[each + 1])
    return cuts


@compiled
def plain(number: float, places: int) -> tuple[np.uint64, int, int]:
    """A whole number of units of the last place, where it has at most eight digits: these, how many stand before the
    point, and how many bytes it takes; 0 bytes where it has more."""
    whole, count = U(min(abs(number), MOST)), 1
    while places > 1 and whole % TEN == 0:
        whole, places = whole // TEN, places - 1
    for power in range(1, 8):
        count += whole >= WHOLE[power]
    count = max(count, places + 1)
    fits = abs(number) < EIGHT and 0 < places < 8
    return in_text(whole) >> U(8 * (8 - min(count, 8))), count - places, count + 1 if fits else 0


@compiled
def copy(out: Bytes, at: int, text: Bytes, begin: Any, end: Any) -> int:
    """A piece of text; the place after it, as all that write have it."""
    for k in range(begin, end):
        out[at + k - begin] = text[k]
    return at + int(end - begin)


@compiled
def put(out: Bytes, at: int, number: float, places: int, text: Text, pieces: int) -> int:
    """A whole number of units of the last place, in the shortest form that has its digits; 21 is 21.0."""
    shown = unscaled(number, places)
    if text.limited and (shown < text.lowest or shown > text.highest):
        which = pieces + (1 if shown < text.lowest else 2)
        return copy(out, at, text.all, text.ends[which], text.ends[which + 1])
    if not abs(number) < MOST:
        return copy(out, at, NULL, 0, len(NULL))
    whole, count = U(abs(number)), 1
    if not whole:
        return copy(out, at, ZERO, 0, len(ZERO))
    out[at] = MINUS
    at += number < 0
    while whole % TEN == 0:
        whole, places = whole // TEN, places - 1
    while whole >= WHOLE[count]:
        count += 1
    return place(out, at, whole, count, count - places)


@compiled
def in_text(whole: np.uint64) -> np.uint64:
    """The eight last digits of a number below 10^8 as text, in the bytes of one number, the first the lowest.

    All halves, quarters and eighths are divided at once: n // 100 is n * 10486 >> 20 below 10^4, n // 10 is
    n * 103 >> 10 below 100.
    """
    first = whole // U(10_000)
    fours = first | (whole - first * U(10_000)) << U(32)
    upper = fours * U(10_486) >> U(20) & U(0x7F_0000_007F)
    twos = upper | (fours - upper * U(100)) << U(16)
    upper = twos * U(103) >> U(10) & U(0x000F_000F_000F_000F)
    return upper | (twos - upper * TEN) << U(8) | U(0x3030_3030_3030_3030)


@compiled
def store(out: Bytes, at: int, eight: np.uint64) -> None:
    """The bytes of a number, the lowest first; what comes next is written over those that are too many."""
    begin = U(at)
    for k in range(8):
        out[begin + U(k)] = np.uint8(eight >> U(8 * k))


@compiled
def digits(out: Bytes, at: int, whole: np.uint64, count: int) -> int:
    """A whole number of so many digits, at most 16."""
    if count > 8:
        upper = whole // WHOLE[8]
        store(out, at, in_text(upper) >> U(8 * (16 - count)))
        store(out, at + count - 8, in_text(whole - upper * WHOLE[8]))
    else:
        store(out, at, in_text(whole) >> U(8 * (8 - count)))
    return at + count


@compiled
def place(out: Bytes, at: int, whole: np.uint64, count: int, before: int) -> int:
    """So many digits, of which so many stand before the point, with zeros or an exponent where these are not there."""
    if SMALL < before <= 0:
        at = digits(out, copy(out, at, ZEROS, 0, 2 - before), whole, count)
    elif count <= before <= FIXED:
        at = copy(out, digits(out, at, whole, count), ENDS, len(ENDS) - 2 - before + count, len(ENDS))
    else:
        fixed = 0 < before <= FIXED
        ahead = before if fixed else 1
        digits(out, at + 1, whole, count)
        for k in range(at, at + ahead):
            out[k] = out[k + 1]
        out[at + ahead] = POINT
        at += count + (count > ahead)
        if not fixed:
            at = copy(out, at, EXPONENT, 0, 1 if before > 0 else 2)
            power = abs(before - 1)
            at = digits(out, at, U(power), 1 + (power > 9) + (power > 99))
    return at


def compile_all() -> None:
    """Have all compiled functions ready, as no message should wait."""
    curves, x = np.zeros((1, 1, 1, 1)), np.zeros((1, 1))
    rounded(curves, x)
    written(curves, x, (0.0, 1.0), [b"", b""])
