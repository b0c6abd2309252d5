"""A small Transformer, encoder and decoder (Vaswani et al. 2017), in torch's modules, with vectors in and out.

Axes: b sequences, U elements read, T elements written, e and i their sizes.
"""

import math

import torch
from torch import Tensor, nn

SIZE, HEADS, HIDDEN = 32, 4, 64


class EncoderDecoder(nn.Module):
    """One layer that reads elements [b, U, e], and one that writes: its answer after each element written, [b, T, o].

    The code of an element's place is added to each; no answer depends on later elements written.
    """

    def __init__(self, e: int, i: int, o: int, longest: int) -> None:
        super().__init__()
        common = {"dim_feedforward": HIDDEN, "dropout": 0.0, "batch_first": True}
        self.read, self.written, self.P = nn.Linear(e, SIZE), nn.Linear(i, SIZE), nn.Linear(SIZE, o)
        self.encoder = nn.TransformerEncoderLayer(SIZE, HEADS, **common)  # type: ignore[arg-type]
        self.decoder = nn.TransformerDecoderLayer(SIZE, HEADS, **common)  # type: ignore[arg-type]
        self.places: Tensor
        self.register_buffer("places", places(longest, SIZE))

    def encode(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        """What is read, [b, U, e] -> [b, U, SIZE]; padding [b, U] is True for elements that are none."""
        encoded: Tensor = self.encoder(self.read(x) + self.places[: x.shape[1]], src_key_padding_mask=padding)
        return encoded

    def decode(self, encoded: Tensor, y: Tensor, padding: Tensor | None = None) -> Tensor:
        """The answers after elements written, y [b, T, i] -> [b, T, o]."""
        mask = torch.triu(torch.ones(y.shape[1], y.shape[1], dtype=torch.bool), 1)
        placed = self.written(y) + self.places[: y.shape[1]]
        answers: Tensor = self.P(self.decoder(placed, encoded, tgt_mask=mask, memory_key_padding_mask=padding))
        return answers


def places(longest: int, size: int) -> Tensor:
    """sin(t·ω_i) and cos(t·ω_i), ω_i = 10000^(-2i/size), i = 0 … size/2 - 1: [longest, size], sines first."""
    angle = torch.arange(longest)[:, None] * torch.exp(torch.arange(0, size, 2) * (-math.log(10_000) / size))
    return torch.cat([torch.sin(angle), torch.cos(angle)], 1)
