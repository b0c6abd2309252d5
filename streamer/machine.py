"""What a process that runs the fast lane asks of the machine: one thread, and large arrays given back."""

import ctypes
import platform

import torch

MMAP_THRESHOLD = -3
"""M_MMAP_THRESHOLD of mallopt(3)."""
LARGE = 2 * 2**20
"""Bytes: more than what a batch computes in passing, less than an array of all series."""


def prepare() -> None:
    """To be called once, before any computation.

    Products as small as a tile's take several times as long on two threads, and may end in other bits.
    """
    torch.set_num_threads(1)
    give_back_large_arrays()


def give_back_large_arrays() -> None:
    """Arrays of all series get pages of their own; only glibc needs to be told.

    Left alone it raises its threshold to the largest array that was ever freed, up to 32 MiB: arrays that grow with
    the number of series then leave holes of their former sizes behind, half as much again as they hold.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE)
