"""Maps an exception that ended a training to the reason it is counted under."""

import torch

from streamer.errors import StateError, TrainingFailed

MEMORY = ("out of memory", "can't allocate memory", "bad_alloc")
"""Texts of RuntimeError by which torch reports memory that it could not allocate."""
DEVICE = ("CUDA", "cuDNN")
"""Texts of RuntimeError by which torch reports a GPU that failed."""


def reason_of(error: Exception) -> str | None:
    """The reason, or None for a bug, which ends the process with its traceback.

    A wrong index on a GPU is reported like a failing GPU; the training that follows on the CPU shows that it is a bug.
    """
    if isinstance(error, TrainingFailed):
        return error.reason
    if isinstance(error, StateError):
        return "journal"
    text = str(error)
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or any(sign in text for sign in MEMORY):
        return "out_of_memory"
    if isinstance(error, torch.AcceleratorError) or any(sign in text for sign in DEVICE):
        return "device"
    return None
