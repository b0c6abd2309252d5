"""The traditional seq2seq network (paper, section 2): two recurrent networks and a linear predictor."""

import torch
from torch import Tensor, nn

from streamer.models.cells import cell_of
from streamer.models.contract import Network
from streamer.records import Sizes


class Traditional(Network):
    """`s_t = F1(x_t, s_{t-1})`; `σ_i = F2(s_m, σ_{i-1})` from σ_0 = 0; `x̄_{m+i} = P(σ_i)` in blocks of k."""

    kind = "traditional"

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        n1, n2 = sizes.split
        self.F1 = cell_of(sizes, sizes.d, n1)
        self.F2 = cell_of(sizes, self.F1.state_size, n2)
        self.P = nn.Linear(self.F2.n, sizes.d)
        self.state_size = self.F1.state_size

    def step(self, x: Tensor, s: Tensor, u: Tensor | None = None) -> Tensor:
        return self.F1(x, s)  # type: ignore[no-any-return]

    def run(self, x: Tensor, s: Tensor, u: Tensor | None = None) -> Tensor:
        return self.F1.run(x, s)

    def block(self, s: Tensor, k: int) -> Tensor:
        """The next k <= sizes.k values, from a decoder that starts at σ_0 = 0 with input s: [b, S] -> [b, k, d]."""
        return self.P(self.F2.hold(s, k)).transpose(0, 1)  # type: ignore[no-any-return]

    def forecast(self, s: Tensor, h: int, u: Tensor | None = None) -> Tensor:
        """Rounds of k values; each predicted block is fed back through F1 for the next (p rounds in eq. (15))."""
        blocks: list[Tensor] = []
        for done in range(0, h, self.sizes.k):
            if blocks:
                s = self.F1.run(blocks[-1], s)
            blocks.append(self.block(s, min(self.sizes.k, h - done)))
        return torch.cat(blocks, 1)
