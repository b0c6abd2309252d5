"""Plain loops over series in, machine code out.

numpy takes time for each call and each pass over memory. Where a sample needs some hundred small ones, loops compiled
by numba cost a tenth, in batches of any size, and read like the formulas. Arithmetic is strict IEEE, in the order it is
written: the bits of a row do not depend on its batch.

Every call of a compiled function from another one is put inline. Left to choose, the compiler calls some of them, and
each call copies the descriptions of all arrays of a state: least squares took nearly twice the time.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

import numba
from numba.core.caching import FunctionCache

P = ParamSpec("P")
R = TypeVar("R")


class KeptCode(FunctionCache):  # type: ignore[misc]
    """Machine code on disk. A file that cannot be read or written costs a compilation, and nothing else.

    Without this, numba raises at a damaged file or a full disk, and the daemon would end.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        with suppress(Exception):  # what reading damaged bytes raises is not to be foreseen
            return super().load_overload(sig, target_context)
        with suppress(OSError):
            self.flush()  # else the damaged file would be read again at every start
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):
            super().save_overload(sig, data)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile when it is first called with arguments of some types; the machine code is kept on disk where possible."""
    made = numba.njit(error_model="numpy", nogil=True, forceinline=True)(function)
    with suppress(RuntimeError):  # no directory can be written: every start compiles
        made._cache = KeptCode(function)
    kept: Callable[P, R] = made
    return kept
