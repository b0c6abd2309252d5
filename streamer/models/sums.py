"""Weights of a cell in, those of a cell with d more neurons out, which hold the sum of what a predictor says.

The closed loop z' = z + P(s), s' = F([z'; u], s) is then a plain loop of the cell, which torch's and our compiled loops
run as fast as any other. A neuron holds `SMALL` times its sum.
"""

import torch
from torch import Tensor, nn

SMALL = 1e-3
"""With it tanh is the identity to 3e-5 up to sums of ten units."""
OPEN = 30.0
"""Bias of a gate that is 1 in single precision."""

Weights = tuple[Tensor, Tensor, Tensor, Tensor]


def plain(weights: Weights, predictor: nn.Linear) -> tuple[Tensor, Tensor, Tensor]:
    """W, U and b for a vanilla cell with inputs [z at the start; u], whose state is [s; sum]."""
    w, b, u, b_hh = weights
    p, p0, d = predictor.weight, predictor.bias, predictor.out_features
    wz = w[:, :d]
    hh = torch.cat([torch.cat([u + wz @ p, wz / SMALL], 1), torch.cat([SMALL * p, torch.eye(d).to(w)], 1)])
    return torch.cat([w, w.new_zeros(d, w.shape[1])]), hh, torch.cat([b + b_hh + wz @ p0, SMALL * p0])


def gated(weights: Weights, predictor: nn.Linear) -> tuple[Tensor, Tensor, Tensor]:
    """The same for an LSTM; the gates of the additional neurons are open, so that their c is the sum."""
    p, p0, d, n = predictor.weight, predictor.bias, predictor.out_features, predictor.in_features
    w, b, u, b_hh = (weight.view(4, n, *weight.shape[1:]) for weight in weights)
    wz, none = w[..., :d], w.new_zeros(d, n + d)
    added = torch.stack([none, none, torch.cat([SMALL * p, none[:, n:]], 1), none])
    hh = torch.cat([torch.cat([u + wz @ p, wz / SMALL], 2), added], 1)
    opened = torch.full_like(p0, OPEN)
    bias = torch.cat([b + b_hh + wz @ p0, torch.stack([opened, opened, SMALL * p0, opened])], 1)
    return torch.cat([w, w.new_zeros(4, d, w.shape[2])], 1).flatten(0, 1), hh.flatten(0, 1), bias.flatten()


def levels(predictor: nn.Linear, z: Tensor, seen: Tensor) -> Tensor:
    """All z' [h, b, d] from z [b, d] at the start and the visible states with their sums, seen [h, b, n + d]."""
    n = predictor.in_features
    found: Tensor = z + seen[..., n:] / SMALL + predictor(seen[..., :n])
    return found
