"""Several layers of a cell as one cell, of which the predictor reads all."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from streamer.models.cells.cell import Cell
from streamer.models.cells.folded import F32, Act, Folded, Update, products


class Stack(Cell):
    """The first layer takes x, each other one the h of the one below; all are seen (Hermans and Schrauwen 2013, AO).

    s = [h of each layer, the rest of each layer], so that what P reads comes first, as in any cell.
    """

    def __init__(self, cell: Callable[[int, int], Cell], d: int, n: int, layers: int) -> None:
        made = [cell(n if at else d, n) for at in range(layers)]
        super().__init__(d, layers * n, layers * made[0].state_size)
        self.layers = nn.ModuleList(made)

    @property
    def cells(self) -> list[Cell]:
        """The layers, the lowest first."""
        return [layer for layer in self.layers if isinstance(layer, Cell)]

    def parts(self, s: Tensor) -> list[Tensor]:
        """The state of each layer, from that of all: [.., S] -> [.., S / layers] each."""
        h, more = (part.chunk(len(self.layers), -1) for part in (s[..., : self.n], s[..., self.n :]))
        return [torch.cat(both, -1) for both in zip(h, more, strict=True)] if more[0].shape[-1] else list(h)

    def whole(self, parts: Sequence[Tensor]) -> Tensor:
        """The state of all layers, from that of each."""
        n = self.n // len(parts)
        return torch.cat([part[..., :n] for part in parts] + [part[..., n:] for part in parts], -1)

    def project(self, x: Tensor) -> Tensor:
        return self.cells[0].project(x)

    def recur(self, a: Tensor, s: Tensor) -> Tensor:
        first, *others = self.cells
        below, *olds = self.parts(s)
        reached = [first.recur(a, below)]
        for layer, old in zip(others, olds, strict=True):
            reached.append(layer(first.visible(reached[-1]), old))
        return self.whole(reached)

    def run(self, x: Tensor, s: Tensor) -> Tensor:
        *lower, last = self.cells
        *olds, top = self.parts(s)
        reached = []
        for layer, old in zip(lower, olds, strict=True):
            x, new = layer.trace(x, old)
            reached.append(new)
        return self.whole([*reached, last.run(x, top)])

    def fold(self) -> Folded:
        first, *others = (layer.fold() for layer in self.cells)
        unseen = torch.zeros(len(first.b), self.n - first.n)
        return Folded(torch.cat([first.u, unseen], 1), first.w, first.b, update(first, others))


def update(first: Folded, others: Sequence[Folded]) -> Update:
    """Replaces the states of all layers, from the gates of the first one."""

    def bound(g: F32, h: F32, more: F32) -> Act:
        n, rest = first.n, more.shape[1] // (1 + len(others))
        acts = [first.update(g, h[:, :n], more[:, :rest])]
        for at, layer in enumerate(others, 1):
            bias = np.repeat(layer.b.float().numpy()[None, :, None], len(h), 0).repeat(h.shape[2], 2)
            gates = np.empty_like(bias)
            both = h[:, (at - 1) * n : (at + 1) * n]  # that of the layer below is new already, its own one still old
            acts.append(products(torch.cat([layer.w, layer.u], 1), both, gates, bias))
            acts.append(layer.update(gates, both[:, n:], more[:, at * rest : (at + 1) * rest]))

        def act() -> None:
            for one in acts:
                one()

        return act

    return bound
