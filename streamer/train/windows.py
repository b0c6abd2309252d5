"""The rolling buffer as a tensor: training windows, and the states from which they start.

The buffer is a set of *segments*, stretches of one series without a long gap, laid end to end in one tensor. A window
is a position in it: m inputs from there, then the truth. States along the buffer are computed for all chunks of it at
once. Each chunk starts from the state in which the chunk before it ended in the previous pass, so a pass over a buffer
of any length takes `CHUNK` steps.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamer.models import Network, Sizes
from streamer.train.graph import Repeated

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


class Carry(Repeated):
    """States of a network along the buffer, carried from pass to pass, as a live network carries them.

    whole: a pass keeps the states at all positions, as on a GPU by default: to pick some during the pass, it would have
    to wait for the CPU.
    """

    def __init__(self, network: Network, buffer: Buffer, whole: bool | None = None) -> None:
        cuts, follows = [], []
        for begin, _, end in buffer.bounds:
            for at in range(begin, end, CHUNK):
                cuts.append((at, min(at + CHUNK, end)))
                follows.append(at > begin)  # whether the chunk continues a segment
        device = buffer.x.device
        super().__init__(device)
        self.network, self.buffer = network, buffer
        self.first = torch.tensor([a for a, _ in cuts], device=device)
        self.length = min(CHUNK, max(b - a for a, b in cuts))
        self.follows = torch.tensor(follows, device=device)
        index = self.first + torch.arange(self.length, device=device)[:, None]
        self.x = buffer.x[index.clamp_(max=len(buffer.x) - 1)]
        self.heads = network.zero_state(len(cuts))
        self.whole = buffer.x.is_cuda if whole is None else whole
        self.all = self.heads.new_empty(self.length if self.whole else 0, *self.heads.shape)

    def states(self, positions: Tensor) -> Tensor:
        """The state at each position, before the sample there: [w] -> [w, S]; one pass along the buffer."""
        row = torch.searchsorted(self.first, positions, right=True) - 1
        offset = positions - self.first[row]
        if not self.whole:
            return self.picked(row, offset)
        self.repeat()
        return self.all[offset, row]

    def picked(self, row: Tensor, offset: Tensor) -> Tensor:
        """The states of chunks `row` before their ticks `offset`: [w], [w] -> [w, S]."""
        order = torch.argsort(offset)
        ends = torch.searchsorted(offset[order], torch.arange(self.length + 1, device=offset.device)).tolist()
        out = self.heads.new_empty(len(row), self.heads.shape[1])
        for step, s in enumerate(self.sweep()):
            here = order[ends[step] : ends[step + 1]]
            if len(here):
                out[here] = s[row[here]]
        return out

    def work(self) -> None:
        """Keep the states of all chunks before each of their ticks, [length, chunks, S]."""
        for step, s in enumerate(self.sweep()):
            self.all[step] = s

    @torch.no_grad()
    def sweep(self) -> Iterator[Tensor]:
        """The states of all chunks [chunks, S], tick by tick; at the end, each chunk's last begins the one after it."""
        s = self.heads
        for x in self.x:
            yield s
            s = self.network.step(x, s)
        self.heads.copy_(torch.where(self.follows[:, None], s.roll(1, 0), 0.0))


def window(buffer: Buffer, sizes: Sizes, starts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs [b, m, d], truths [b, k, d], and whether each truth is a real sample [b, k, 1]."""
    at = starts[:, None]
    inputs = at + torch.arange(sizes.m, device=starts.device)
    truths = at + torch.arange(sizes.m, sizes.m + sizes.k, device=starts.device)
    return buffer.x[inputs], buffer.x[truths], buffer.real[truths].unsqueeze(2)
