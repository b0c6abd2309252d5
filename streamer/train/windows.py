"""Buffered series in, training windows and the states they start from out.

The rolling buffer is a set of *segments*, stretches of one series without a long gap, laid end to end in one tensor.
A window is a position in it: m inputs from there, then the truth. States along the buffer are computed in chunks side
by side, each chunk starting from where the chunk before it ended on the previous pass, so a pass over any length of
buffer costs `CHUNK` steps.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamer.models import Network, Sizes

CHUNK = 256


@dataclass(slots=True)
class Buffer:
    """All segments end to end.

    x: [T, d] scaled values, holes of a segment filled by straight lines; real: [T] whether the tick had a sample;
    bounds: [(begin, split, end)] per segment, ticks from `split` on being the newest, held out for validation.
    """

    x: Tensor
    real: Tensor
    bounds: list[tuple[int, int, int]]

    @classmethod
    def of(cls, segments: Iterable[NDArray[np.float32]], splits: Iterable[int], device: torch.device) -> "Buffer":
        """From scaled segments [T_i, d] whose missing ticks are NaN, and the tick of each where validation begins."""
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
        """Every position whose m inputs and k truths lie before the held-out part."""
        return indices((begin, split - m - k + 1) for begin, split, _ in self.bounds).to(self.x.device)

    def origins(self, m: int, h: int, most: int) -> Tensor:
        """At most `most` positions of the held-out part, evenly spread, at which a forecast of h has its whole truth.

        A position is that of the first truth; at least m ticks of its segment lie before it.
        """
        every = indices((max(begin + m, split), end - h + 1) for begin, split, end in self.bounds)
        picked = torch.linspace(0, len(every) - 1, min(most, len(every))).round().long()
        return every[picked].to(self.x.device)


def indices(spans: Iterable[tuple[int, int]]) -> Tensor:
    """All whole numbers of the spans [begin, end), one after another; an end before its begin is none."""
    return torch.cat([torch.arange(begin, max(begin, end)) for begin, end in spans])


class Carry:
    """The states a network reaches along the buffer, carried from pass to pass (train as you deploy; design, 2)."""

    def __init__(self, buffer: Buffer) -> None:
        cuts, follows = [], []
        for begin, _, end in buffer.bounds:
            for at in range(begin, end, CHUNK):
                cuts.append((at, min(at + CHUNK, end)))
                follows.append(at > begin)
        first = torch.tensor([a for a, _ in cuts], device=buffer.x.device)
        self.length = min(CHUNK, max(b - a for a, b in cuts))
        self.buffer = buffer
        self.follows = torch.tensor(follows, device=buffer.x.device)
        self.index = (first[:, None] + torch.arange(self.length, device=buffer.x.device)).clamp_(max=len(buffer.x) - 1)
        self.first = first
        self.heads: dict[int, Tensor] = {}

    @torch.no_grad()
    def states(self, network: Network, positions: Tensor) -> Tensor:
        """The state just before each position (a sample at `positions[i]` has not been seen): [w] -> [w, S]."""
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
    """Inputs [b, m, d], truth [b, k, d] and whether each truth is a real sample [b, k, 1]."""
    at = starts[:, None]
    inputs = at + torch.arange(sizes.m, device=starts.device)
    truths = at + torch.arange(sizes.m, sizes.m + sizes.k, device=starts.device)
    return buffer.x[inputs], buffer.x[truths], buffer.real[truths].unsqueeze(2)
