"""The network that writes: two LSTMs, between them a soft window on the text (Graves 2013, section 5).

Axes: b words, T moves, U letters, A letters that there are.
"""

import torch
from torch import Tensor, nn

from streamer.models.cells import CELLS
from streamer.study.mixture import Mixture
from streamer.study.pen import LETTERS, Batch
from streamer.study.soft_window import SoftWindow

PACE = 1 / 10
"""Letters for each move: a letter of the font has eleven points."""


class Hand(nn.Module):
    """h = F([x, w], h) -> w from the soft window -> g = G([x, h, w], g) -> mixture from P([h, g]).

    `reads`: without it the window shows nothing, and the network scribbles.
    """

    def __init__(self, n: int, components: int, reads: bool = True) -> None:
        super().__init__()
        a = len(LETTERS)
        self.reads, self.F, self.G = reads, CELLS["lstm"](3 + a, n), CELLS["lstm"](3 + n + a, n)
        self.window, self.P = SoftWindow(n, PACE), nn.Linear(2 * n, 6 * components + 1)

    def begin(self, b: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """States of both cells, window and κ, before the first move."""
        states = (torch.zeros(b, self.F.state_size), torch.zeros(b, self.G.state_size))
        return (*states, torch.zeros(b, len(LETTERS)), self.window.begin(b))

    def step(
        self, x: Tensor, c: Tensor, state: tuple[Tensor, Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Tensor], Tensor]:
        """After one more move x [b, 3]: outputs [b, 6·M + 1], the state, and φ [b, U + 1]."""
        s, z, w, kappa = state
        s = self.F(torch.cat([x, w], 1), s)
        h = self.F.visible(s)
        w, kappa, phi = self.window(h, kappa, c if self.reads else torch.zeros_like(c))
        z = self.G(torch.cat([x, h, w], 1), z)
        return self.P(torch.cat([h, self.G.visible(z)], 1)), (s, z, w, kappa), phi

    def nats(self, some: Batch) -> Tensor:
        """Mean -log density of a move."""
        state, said = self.begin(len(some.x)), []
        for x in some.x[:, :-1].unbind(1):
            y, state, _ = self.step(x, some.c, state)
            said.append(y)
        nats = Mixture.of(torch.stack(said, 1)).nats(some.x[:, 1:])
        return nats[some.real].mean()

    @torch.no_grad()
    def write(self, c: Tensor, letters: int, bias: float, seed: int, most: int = 40) -> Tensor:
        """Moves for one text c [1, U + 1, A], at most `most` a letter: [T, 3].

        It ends when the pen is lifted while the window lies behind the last letter: the window alone is ahead of the
        pen, which then has that letter to finish.
        """
        generator, state, moves = torch.Generator().manual_seed(seed), self.begin(1), [torch.tensor([[0.0, 0.0, 1.0]])]
        for _ in range(most * letters):
            y, state, phi = self.step(moves[-1], c, state)
            if int(phi[0].argmax()) >= letters and moves[-1][0, 2] > 0:
                break
            moves.append(Mixture.of(y, bias).draw(generator))
        return torch.cat(moves[1:] or moves)
