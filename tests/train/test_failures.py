"""Exceptions and the reasons that they are counted under."""

import numpy as np
import pytest
import torch

from streamer.errors import StateError, TrainingFailed
from streamer.train.failures import reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TrainingFailed("no_data"), "no_data"),
        (StateError("the journal is gone"), "journal"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "out_of_memory"),
        (torch.AcceleratorError("CUDA error: out of memory"), "out_of_memory"),
        (RuntimeError("std::bad_alloc"), "out_of_memory"),
        (torch.AcceleratorError("CUDA error: unspecified launch failure"), "device"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "device"),
        (RuntimeError("Expected all tensors to be on the same device, but found cuda:0 and cpu!"), None),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied (1x2 and 3x4)"), None),
    ],
)
def test_reasons(error: Exception, reason: str | None) -> None:
    """What the machine lacks is told from what it broke, and both from a bug, which has no reason."""
    assert reason_of(error) == reason


def test_memory_that_is_really_not_to_be_had() -> None:
    """More than the address space holds, asked of torch and of numpy, is out of memory."""
    with pytest.raises(RuntimeError) as torchs:
        torch.empty(2**48)
    with pytest.raises(MemoryError) as numpys:
        np.empty(2**50)
    assert reason_of(torchs.value) == reason_of(numpys.value) == "out_of_memory"
