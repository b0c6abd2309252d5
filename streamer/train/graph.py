"""A piece of work, repeated at the cost of one launch: a CUDA graph on a GPU, a plain call on a CPU.

A step of training is some hundred kernels of a few microseconds each; launching them one by one from Python takes
longer than they run. So the work is recorded once and then replayed as a whole.
"""

import gc
from abc import ABC, abstractmethod

import torch

WARM_UP = 3
"""Calls before the recording: libraries allocate and choose their algorithms in the first ones."""


class Repeated(ABC):
    """Does the same work again and again; on a GPU, from the fourth time on, as a recorded graph.

    `work` must read and write the same tensors each time, and must not wait for the GPU. What changes from call to call
    must be in tensors, also counters. While it is recorded, no other thread may use the GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self.calls = 0
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self.graph: torch.cuda.CUDAGraph | None = None

    @abstractmethod
    def work(self) -> None:
        """What is repeated."""

    def repeat(self) -> None:
        """Do the work once."""
        self.calls += 1
        if self.stream is None:
            self.work()
        elif self.calls <= WARM_UP:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):  # as libraries keep memory by stream
                self.work()
            torch.cuda.current_stream().wait_stream(self.stream)
        else:
            self.graph = self.graph or self.record()
            self.graph.replay()

    def record(self) -> torch.cuda.CUDAGraph:
        """Record the work, without doing it.

        No garbage is collected meanwhile: to free a graph of a network trained before would spoil this one.
        """
        graph = torch.cuda.CUDAGraph()
        gc.collect()
        gc.disable()
        try:
            with torch.cuda.graph(graph, stream=self.stream):
                self.work()
        finally:
            gc.enable()
        return graph
