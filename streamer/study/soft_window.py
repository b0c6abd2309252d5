"""The soft window: attention as a mixture of Gaussians that only move forward (Graves 2013, eqs. 46 to 51)."""

import torch
from torch import Tensor, nn

COMPONENTS = 5


class SoftWindow(nn.Module):
    """(α̂, β̂, κ̂) = W·h + b, each [b, K]; α, β = exp(α̂), exp(β̂), κ_t = κ_{t-1} + exp(κ̂)·pace;
    φ(t, u) = Σ_k α_k·exp(-β_k·(κ_k - u)²); w_t = Σ_u φ(t, u)·c_u over the U elements c [b, U, e], u from 0.

    pace: elements that the window moves a step, where its weights say nothing; Graves has 1.
    """

    def __init__(self, n: int, pace: float = 1.0, components: int = COMPONENTS) -> None:
        super().__init__()
        self.W, self.pace, self.components = nn.Linear(n, 3 * components), pace, components
        with torch.no_grad():
            self.W.weight.mul_(0.1)

    def begin(self, b: int) -> Tensor:
        """κ before the first step, [b, K]."""
        return torch.zeros(b, self.components)

    def forward(self, h: Tensor, kappa: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """h [b, n], κ [b, K], c [b, U, e] -> w [b, e], κ [b, K], φ [b, U]."""
        alpha, beta, move = torch.exp(self.W(h).clamp(max=10.0)).chunk(3, 1)
        kappa = kappa + self.pace * move
        distance = kappa[:, :, None] - torch.arange(c.shape[1])
        phi = (alpha[:, :, None] * torch.exp(-beta[:, :, None] * distance.square())).sum(1)
        return (phi[:, None] @ c)[:, 0], kappa, phi
