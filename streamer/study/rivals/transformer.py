"""The Transformer as a forecaster: the encoder reads the window, the decoder continues its last value."""

import torch
from torch import Tensor
from torch.nn import functional as fn

from streamer.study.attention import EncoderDecoder
from streamer.study.rivals.contract import Rival


class Transformer(Rival):
    """It learns from true values at every lead (teacher forcing), and forecasts from its own."""

    def __init__(self, longest: int) -> None:
        super().__init__()
        self.network = EncoderDecoder(1, 1, 1, longest)

    def forecast(self, x: Tensor, h: int, u: Tensor) -> Tensor:
        encoded, said = self.network.encode(x[..., None]), x[:, -1:]
        for _ in range(h):
            said = torch.cat([said, self.network.decode(encoded, said[..., None])[:, -1]], 1)
        return said[:, 1:]

    def loss(self, x: Tensor, y: Tensor, u: Tensor) -> Tensor:
        before = torch.cat([x[:, -1:], y[:, :-1]], 1)
        return fn.mse_loss(self.network.decode(self.network.encode(x[..., None]), before[..., None])[..., 0], y)
