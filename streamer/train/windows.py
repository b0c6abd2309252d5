"""The rolling buffer as a tensor: training windows, and the states from which they start.

The buffer is a set of *segments*, stretches of one series without a long gap, laid end to end in one tensor. A window
is a position in it: m inputs from there, then the truth. States along the buffer are computed for all chunks of it at
once. Each chunk starts from the state in which the chunk before it ended in the previous pass, so a pass over a buffer
of any length takes `CHUNK` steps.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamer.models import Network, Sizes

CHUNK = 256
"""Ticks of a chunk."""


@dataclass(slots=True)
class Buffer:
    """All segments end to end.

    x: [T, d] scaled values, missing ticks interpolated linearly; real: [T] whether the tick had a sample; bounds:
    [(begin, split, end)] of each segment, whose ticks from `split` on are held out.
    """

    x: Tensor
    real: Tensor
    bounds: list[tuple[int, int, int]]

    @classmethod
    def of(cls, segments: Iterable[NDArray[np.float32]], splits: Iterable[int], device: torch.device) -> "Buffer":
        """From scaled segments [T_i, d], missing ticks NaN, and the index in each where its held-out part begins."""
        filled, real, bounds, begin = [], [], [], 0
        for segment, split in zip(segments, splits, strict=True):
            present = ~np.isnan(segment).any(1)
            at = np.arange(len(segment))
            whole = [np.interp(at, at[present], column[present]) for column in segment.T]
            filled.append(np.stack(whole, 1).astype(np.float32))
            real.append(present)
            end = begin + len(segment)
            bounds.append((begin, begin + split, end))
            begin = end
        return cls(
            torch.from_numpy(np.concatenate(filled)).to(device),
            torch.from_numpy(np.concatenate(real)).to(device),
            bounds,
        )

    def starts(self, m: int, k: int) -> Tensor:
        """All positions whose m inputs and k truths lie before the held-out part."""
        return indices((begin, split - m - k + 1) for begin, split, _ in self.bounds).to(self.x.device)

    def origins(self, m: int, h: int, most: int) -> Tensor:
        """Origins of forecasts in the held-out part, at most `most`, evenly spread.

        An origin is the position of the first truth. All h truths, and m ticks before the origin, are in its segment.
        """
        every = indices((max(begin + m, split), end - h + 1) for begin, split, end in self.bounds)
        picked = torch.linspace(0, len(every) - 1, min(most, len(every))).round().long()
        return every[picked].to(self.x.device)


def indices(spans: Iterable[tuple[int, int]]) -> Tensor:
    """All integers of the spans [begin, end), concatenated; a span that ends before it begins is empty."""
    return torch.cat([torch.arange(begin, max(begin, end)) for begin, end in spans])


class Carry:
    """States of a network along the buffer, carried from pass to pass, as a live network carries them."""

    def __init__(self, buffer: Buffer) -> None:
        cuts, follows = [], []
        for begin, _, end in buffer.bounds:
            for at in range(begin, end, CHUNK):
                cuts.append((at, min(at + CHUNK, end)))
                follows.append(at > begin)  # whether the chunk continues a segment
        first = torch.tensor([a for a, _ in cuts], device=buffer.x.device)
        self.length = min(CHUNK, max(b - a for a, b in cuts))
        self.buffer = buffer
        self.follows = torch.tensor(follows, device=buffer.x.device)
        self.index = (first[:, None] + torch.arange(self.length, device=buffer.x.device)).clamp_(max=len(buffer.x) - 1)
        self.first = first
        self.heads: dict[int, Tensor] = {}

    @torch.no_grad()
    def states(self, network: Network, positions: Tensor) -> Tensor:
        """The state at each position, before the sample there: [w] -> [w, S]."""
        heads = self.heads.get(id(network))
        s = network.zero_state(len(self.first)) if heads is None else heads
        row = torch.searchsorted(self.first, positions, right=True) - 1
        offset = positions - self.first[row]
        order = torch.argsort(offset)
        ends = torch.searchsorted(offset[order], torch.arange(self.length + 1, device=offset.device)).tolist()
        out = s.new_empty(len(positions), s.shape[1])
        for step in range(self.length):
            here = order[ends[step] : ends[step + 1]]
            if len(here):
                out[here] = s[row[here]]
            s = network.step(self.buffer.x[self.index[:, step]], s)
        self.heads[id(network)] = torch.where(self.follows[:, None], s.roll(1, 0), 0.0)
        return out


def window(buffer: Buffer, sizes: Sizes, starts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs [b, m, d], truths [b, k, d], and whether each truth is a real sample [b, k, 1]."""
    at = starts[:, None]
    inputs = at + torch.arange(sizes.m, device=starts.device)
    truths = at + torch.arange(sizes.m, sizes.m + sizes.k, device=starts.device)
    return buffer.x[inputs], buffer.x[truths], buffer.real[truths].unsqueeze(2)
