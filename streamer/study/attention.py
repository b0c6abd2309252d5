"""A small Transformer, encoder and decoder (Vaswani et al. 2017), in torch's modules, with vectors in and out.

Axes: b sequences, U elements read, T elements written, e their size.
"""

import math

import torch
from torch import Tensor, nn

SIZE, HEADS, LAYERS, HIDDEN = 32, 4, 2, 64


class EncoderDecoder(nn.Module):
    """Elements read [b, U, e] and those written so far [b, T, i] in, the decoder's answer at each, [b, T, o], out."""

    def __init__(self, e: int, i: int, o: int, longest: int) -> None:
        super().__init__()
        self.read, self.written, self.P = nn.Linear(e, SIZE), nn.Linear(i, SIZE), nn.Linear(SIZE, o)
        self.layers = nn.Transformer(SIZE, HEADS, LAYERS, LAYERS, HIDDEN, dropout=0.0, batch_first=True)
        self.register_buffer("places", places(longest, SIZE))

    def forward(self, read: Tensor, written: Tensor, padding: Tensor | None = None) -> Tensor:
        """padding [b, U]: True for elements that are none. The decoder sees no later element than its own."""
        mask = nn.Transformer.generate_square_subsequent_mask(written.shape[1])
        answers = self.layers(
            self.placed(self.read(read)),
            self.placed(self.written(written)),
            tgt_mask=mask,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
            tgt_is_causal=True,
        )
        return self.P(answers)  # type: ignore[no-any-return]

    def placed(self, x: Tensor) -> Tensor:
        """Elements with the code of their places added."""
        assert isinstance(self.places, Tensor)
        return x + self.places[: x.shape[1]]


def places(longest: int, size: int) -> Tensor:
    """sin(t·ω_i) and cos(t·ω_i), ω_i = 10000^(-2i/size), i = 0 … size/2 - 1: [longest, size], sines first."""
    angle = torch.arange(longest)[:, None] * torch.exp(torch.arange(0, size, 2) * (-math.log(10_000) / size))
    return torch.cat([torch.sin(angle), torch.cos(angle)], 1)
