"""What the process holds of arrays that grow."""

import platform
import subprocess
import sys

import pytest

GROW = """
import os, sys
import numpy as np
import psutil
from streamer.allocator import give_back_large_arrays

if sys.argv[1] == "told":
    give_back_large_arrays()
resident = psutil.Process().memory_info().rss
arrays, passing, rows = [np.ones((64, n)) for n in (200, 80, 30)], [], 64
while rows < 12_000:
    rows = rows * 5 // 4
    for i, array in enumerate(arrays):
        grown = np.ones((rows, array.shape[1]))
        grown[: len(array)] = array
        arrays[i] = grown
    passing.append(np.ones(10_000))
print((psutil.Process().memory_info().rss - resident) / sum(array.nbytes for array in [*arrays, *passing]))
"""


def held(how: str) -> float:
    """Resident bytes for each byte of the arrays, in a process of its own."""
    command = [sys.executable, "-c", GROW, how]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such threshold")
def test_former_sizes_are_given_back() -> None:
    """Arrays that have grown take little more than they hold, where else they take a good deal more."""
    assert held("told") < 1.3 < held("untold")
