"""The rolling buffer as a tensor: training windows, and the states from which they start.

The buffer is a set of *segments*, stretches of one series without a long gap, laid end to end in one tensor. A window
is a position in it: m inputs from there, then the truth. States along the buffer are computed for all chunks of it at
once. Each chunk starts from the state in which the chunk before it ended in the previous pass, so a pass over a buffer
of any length takes `CHUNK` steps.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streamer.forecast.scale import LIMIT
from streamer.models import Network
from streamer.records import Floats
from streamer.train.graph import Repeated

CHUNK = 256
"""Ticks of a chunk."""
LEAST = 1e-3
"""Least unit that errors at a lead count in, as a share of the largest."""


@dataclass(slots=True)
class Buffer:
    """All segments end to end, T ticks, as a network sees them.

    x: [T, d] scaled values, missing ticks interpolated linearly; real: [T] whether the tick had a sample; bounds:
    [(begin, split, end)] of each segment, whose ticks from `split` on are held out. z: [T, d] the network's inputs,
    (x - mean) / unit; mean, unit: [T, d], 0 and 1 in the paper's form; u: [T, c] known inputs of the next tick.
    ahead: [T, h - 1, C] covariates of the ticks after the next as they were known then, the last C of the known inputs;
    u has them as known one tick before. naive: [h] persistence's mean absolute error by lead, in which errors count;
    None where squared errors count.
    """

    x: Tensor
    real: Tensor
    bounds: list[tuple[int, int, int]]
    z: Tensor
    mean: Tensor
    unit: Tensor
    u: Tensor
    naive: Tensor | None = None
    ahead: Tensor | None = None

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
        x = torch.from_numpy(np.concatenate(filled)).to(device)
        none = x.new_zeros(len(x), 0)
        known = torch.from_numpy(np.concatenate(real)).to(device)
        return cls(x, known, bounds, x, torch.zeros_like(x), torch.ones_like(x), none)

    def seen_in(
        self, mean: Floats, unit: Floats, u: NDArray[np.float32], h: int, ahead: NDArray[np.float16] | None = None
    ) -> "Buffer":
        """The same, seen in running units [T, d], with known inputs [T, c] of the next tick and covariates `ahead`."""
        shift, scale, known = (torch.from_numpy(part.astype(np.float32)).to(self.x.device) for part in (mean, unit, u))
        later = None if ahead is None else torch.from_numpy(ahead).to(self.x.device)
        z = ((self.x - shift) / scale).clamp(-LIMIT, LIMIT)
        return replace(self, z=z, mean=shift, unit=scale, u=known, naive=self.persistence(h), ahead=later)

    def persistence(self, h: int) -> Tensor:
        """Mean absolute errors of persistence at h leads, before the held-out parts; at least LEAST of the largest."""
        newest = self.starts(1, h)
        errors = []
        for lead in range(1, h + 1):
            real = self.real[newest + lead].unsqueeze(1)
            size = (self.x[newest + lead] - self.x[newest]).abs() * real
            errors.append(size.sum() / real.sum().clamp(min=1) / size.shape[1])
        found = torch.stack(errors)
        return found.clamp(min=LEAST * float(found.max()) or 1.0)

    def forecast(self, network: Network, s: Tensor, newest: Tensor, h: int) -> Tensor:
        """The next h values [b, h, d] as in x, from states s [b, S] after the samples at `newest` [b]."""
        after = newest[:, None] + torch.arange(1, h, device=newest.device)
        z = network.forecast(s, h, self.u[after] if self.ahead is None else self.known_then(after, newest))
        return self.mean[newest].unsqueeze(1) + self.unit[newest].unsqueeze(1) * z

    @property
    def truths(self) -> int:
        """Numbers before the held-out parts that can be learned from."""
        return self.x.shape[1] * sum(split - begin for begin, split, _ in self.bounds)

    def known_then(self, after: Tensor, newest: Tensor) -> Tensor:
        """Known inputs of ticks `after` [b, h - 1] as they were known at `newest` [b]."""
        assert self.ahead is not None
        then = self.ahead[newest, : after.shape[1]].to(self.u.dtype)
        return torch.cat([self.u[after][..., : -then.shape[2]], then], 2)

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
        index.clamp_(max=len(buffer.x) - 1)
        self.z, self.u = buffer.z[index], buffer.u[index]
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
        for z, u in zip(self.z, self.u, strict=True):
            yield s
            s = self.network.step(z, s, u)
        self.heads.copy_(torch.where(self.follows[:, None], s.roll(1, 0), 0.0))
