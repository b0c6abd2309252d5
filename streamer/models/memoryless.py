"""The memoryless network (paper, section 4): one recurrent network that feeds its own prediction back."""

from torch import Tensor, nn

from streamer.models.cells import cell_of
from streamer.models.contract import Network
from streamer.records import Sizes


class Memoryless(Network):
    """`s_t = F(x_t, s_{t-1})`, `x̄_{t+1} = P(s_t)`; only s is stored."""

    kind = "memoryless"

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.F = cell_of(sizes, sizes.d, sizes.n)
        self.P = nn.Linear(self.F.n, sizes.d)
        self.state_size = self.F.state_size

    def step(self, x: Tensor, s: Tensor, u: Tensor | None = None) -> Tensor:
        return self.F(x, s)  # type: ignore[no-any-return]

    def run(self, x: Tensor, s: Tensor, u: Tensor | None = None) -> Tensor:
        return self.F.run(x, s)

    def forecast(self, s: Tensor, h: int, u: Tensor | None = None) -> Tensor:
        """Eq. (14) with the closed loop folded: h - 1 steps of the cell, then P on all states at once."""
        return self.P(self.F.loop(self.P, s, h)).transpose(0, 1)  # type: ignore[no-any-return]
