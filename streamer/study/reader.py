"""A recurrent network that answers at every step: s_t = F(x_t, s_{t-1}), y_t = P(s_t), for any cell of CELLS.

Axes: b sequences, T steps, d inputs, n neurons, S elements of the state, o outputs.
"""

import torch
from torch import Tensor, nn

from streamer.models.cells import CELLS
from streamer.records import CellName


class Reader(nn.Module):
    """A cell and a linear predictor that reads the visible part of its state at every step."""

    def __init__(self, cell: CellName, d: int, n: int, o: int) -> None:
        super().__init__()
        self.F = CELLS[cell](d, n)
        self.P = nn.Linear(n, o)

    def zero_state(self, b: int) -> Tensor:
        """The state of b sequences before their first step, [b, S]."""
        return torch.zeros(b, self.F.state_size)

    def step(self, x: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """One step: x [b, d], s [b, S] -> y [b, o], s [b, S]."""
        s = self.F(x, s)
        return self.P(self.F.visible(s)), s

    def seen(self, x: Tensor, s: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The visible states along sequences x [b, T, d], [b, T, n], and the last state, [b, S]."""
        s = self.zero_state(len(x)) if s is None else s
        seen = []
        for at in x.unbind(1):
            s = self.F(at, s)
            seen.append(self.F.visible(s))
        return torch.stack(seen, 1), s

    def forward(self, x: Tensor, s: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The answers along sequences x [b, T, d], [b, T, o], and the last state, [b, S]."""
        seen, s = self.seen(x, s)
        return self.P(seen), s
