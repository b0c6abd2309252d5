"""An exception that ended a training in, the reason it is counted under out."""

import torch

from streamer.errors import StateError, TrainingFailed

MEMORY = ("out of memory", "can't allocate memory", "bad_alloc")
"""What torch says, in a plain RuntimeError, of memory that it does not get."""
DEVICE = ("CUDA", "cuDNN")
"""What it says, in one, of a GPU that failed."""


def reason_of(error: Exception) -> str | None:
    """The reason, or None for a bug: then the process dies of it, with its traceback as the last words.

    A wrong index on a GPU looks like a failing GPU; trained again on the CPU it is a bug there.
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
