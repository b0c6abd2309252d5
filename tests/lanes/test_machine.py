"""What a process that runs the fast lane is told."""

import platform
import subprocess
import sys

import pytest
import torch

from streamer.lanes.machine import prepare

FREE = """
import sys
import numpy as np
import psutil
from streamer.lanes.machine import give_back_large_arrays

if sys.argv[1] == "told":
    give_back_large_arrays()
resident = lambda: psutil.Process().memory_info().rss
larger = np.ones(3_500_000)  # freed, it makes glibc take arrays up to its size for small ones
del larger
array = np.ones(2_000_000)
after = [np.ones(1000) for _ in range(100)]
held = resident()
size = array.nbytes
del array
print((held - resident()) / size)
"""


def given_back(how: str) -> float:
    """The share of a large array that goes back to the system when it is freed, in a process of its own."""
    command = [sys.executable, "-c", FREE, how]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such threshold")
def test_a_large_array_is_given_back() -> None:
    """What lies behind it in memory does not keep the pages of a freed array, as it else does."""
    assert given_back("told") > 0.9 > 0.1 > given_back("untold")


def test_one_thread() -> None:
    """Whatever torch was told before, tiles are computed on one thread."""
    torch.set_num_threads(2)
    prepare()
    assert torch.get_num_threads() == 1
