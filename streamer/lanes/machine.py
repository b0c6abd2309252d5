"""What a process that runs the fast lane asks of the machine: one thread, and large arrays given back."""

import ctypes
import logging
import platform
import time

import torch

from streamer.forecast import panel
from streamer.publish import digits

log = logging.getLogger("streamer")

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of mallopt(3)."""
LARGE = 2 * 2**20
"""Bytes: more than one array of a batch, less than an array of all series."""
KEPT = 32 * 2**20
"""Bytes: more than all that a batch computes in passing, which the next one takes again."""
LONG_SECONDS = 2.0
"""Seconds of compiling from which a log line says so."""


def prepare() -> None:
    """To be called once, before any computation.

    Products as small as a tile's take several times as long on two threads, and may end in other bits.
    """
    torch.set_num_threads(1)
    give_back_large_arrays()
    begun = time.monotonic()
    panel.compile_all()
    digits.compile_all()
    if time.monotonic() - begun > LONG_SECONDS:
        log.info("compiled loops in %.0f s; kept for the next start where possible", time.monotonic() - begun)


def give_back_large_arrays() -> None:
    """Arrays of all series get pages of their own; only glibc needs to be told.

    Left alone it raises its threshold to the largest array that was ever freed, up to 32 MiB: arrays that grow with
    the number of series then leave holes of their former sizes behind, half as much again as they hold. What a batch
    frees stays, lest the kernel clear the same pages for every batch.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_THRESHOLD, LARGE)
        libc.mallopt(TRIM_THRESHOLD, KEPT)
