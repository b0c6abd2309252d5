"""Numbers that wait in few bits: a value, relative to the largest of its group, as a signed square of a whole number;
and single precision cut to 16 bits.

A code q of at most `most` stands for q·|q| / most² of the largest. So steps are fine near 0 and coarse near the
largest: a value is off by at most 1 / most of the largest, and one a hundred times smaller by a tenth of that.
"""

import numpy as np

from streamer.compiled import compiled

MOST_8, MOST_16 = 127, 32_767
"""The largest codes of 8 and of 16 bits."""


@compiled
def unit_of(largest: np.float32, most: int) -> np.float32:
    """What a code of 1 stands for."""
    return largest / np.float32(most) / np.float32(most)


@compiled
def encoded(value: np.float32, largest: np.float32, most: int) -> np.float32:
    """The code of a value, to be stored as a whole number; 0 where all are 0."""
    if not largest > 0:
        return np.float32(0)
    code: np.float32 = np.rint(np.float32(most) * np.sqrt(abs(value) / largest))
    return code if value > 0 else -code


@compiled
def decoded(code: np.float32, unit: np.float32) -> np.float32:
    """The value of a code."""
    return code * abs(code) * unit


@compiled
def coarseness(code: np.float32, unit: np.float32) -> np.float32:
    """How far the value may be from what its code stands for."""
    return (abs(code) + np.float32(1)) * unit


SHORT_NONE = -1
"""The short code of nothing: as a number it would be none."""
MOST_SHORT = 3e38
"""No larger size has a short code."""


@compiled
def short_encoded(value: float) -> np.int16:
    """A value in 16 bits: the upper half of single precision, whose steps are 0.4 to 0.8 % of it."""
    bits = np.float32(min(max(value, -MOST_SHORT), MOST_SHORT)).view(np.int32)
    return np.int16((bits + 32_768) >> 16)


@compiled
def short_decoded(code: np.int16) -> np.float32:
    """The value of such a code; it grows with what was encoded."""
    found: np.float32 = np.int32(np.int32(code) << 16).view(np.float32)
    return found
