"""P of recursive least squares as U·diag·Uᵀ in single precision: features in, P·φ out.

U is triangular with ones on its diagonal. Its columns lie one after another: what is above the diagonal, and in place
of the 1 the element of the diagonal matrix. So P of D features takes D·(D + 1)/2 numbers.
"""

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled

RIDGE = 0.1
CUT = 1.5
"""Mean sizes of the errors of a lead at which errors are cut."""
LEAST_SIZE = 0.1
"""Least size of errors: on a flat stretch it would end at 0, and nothing could be learned any more."""
LONG = 500
"""Ticks over which δ and the sizes of errors are means, once there were as many."""
WILD = 5.0
"""Times its mean size that an error may count for in that mean."""

F32 = NDArray[np.float32]


def packed(features: int) -> int:
    """Numbers that P takes."""
    return features * (features + 1) // 2


@compiled
def begin_p(factor: F32, features: int) -> None:
    """P = I / RIDGE."""
    factor[:] = 0
    at = 0
    for j in range(features):
        factor[at + j] = 1 / RIDGE
        at += j + 1


@compiled
def take_in(factor: F32, phi: F32, projected: F32) -> np.float32:
    """P after a tick with features φ; P·φ from before it, and 1 + φᵀ·P·φ, of which the gain is the quotient.

    Bierman's update of U and the diagonal (Measurement updating using the U-D factorization, Automatica 12, 1976):
    P stays positive, and single precision does what double does for P itself.
    """
    norm, at = np.float32(1), 0
    for j in range(len(phi)):
        f = phi[j]
        for i in range(j):
            f += factor[at + i] * phi[i]
        v, before = f * factor[at + j], norm
        projected[j] = v
        norm += f * v
        factor[at + j] *= before / norm
        share = -f / before
        for i in range(j):
            u = factor[at + i]
            factor[at + i] = u + projected[i] * share
            projected[i] += u * v
        at += j + 1
    return norm


@compiled
def weighed(w: F32, row: int, k: int, c: int, e: int, phi: F32) -> np.float32:
    """W_h·φ in four sums, which a processor adds at once."""
    one = two = three = four = np.float32(0)
    for j in range(0, len(phi) - 3, 4):
        one += w[row, k, c, e, j] * phi[j]
        two += w[row, k, c, e, j + 1] * phi[j + 1]
        three += w[row, k, c, e, j + 2] * phi[j + 2]
        four += w[row, k, c, e, j + 3] * phi[j + 3]
    for j in range(len(phi) // 4 * 4, len(phi)):
        one += w[row, k, c, e, j] * phi[j]
    return (one + two) + (three + four)
