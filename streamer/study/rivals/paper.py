"""The paper's two networks as comparison models, with windows from zero."""

from torch import Tensor

from streamer.models import Kind, Sizes, build
from streamer.study.rivals.contract import Rival


class Paper(Rival):
    """A memoryless or traditional network, as `streamer.models` builds it."""

    def __init__(self, kind: Kind, sizes: Sizes) -> None:
        super().__init__()
        self.network = build(kind, sizes)

    def forecast(self, x: Tensor, h: int, u: Tensor) -> Tensor:
        s = self.network.run(x[..., None], self.network.zero_state(len(x)))
        return self.network.forecast(s, h)[..., 0]
