"""The bivariate mixture density with a pen that is lifted: what a pen does next (Graves 2013, eqs. 18 to 26).

Axes: any number in front, then 6·M + 1 outputs of a network for M components.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as fn

SMALLEST = 1e-3
"""Smallest deviation: an exact repetition in the data would otherwise make a density infinite."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """log π [.., M], μ [.., M, 2], σ [.., M, 2], ρ [.., M], and the logit of the pen's lift, e [..]."""

    log_pi: Tensor
    mu: Tensor
    sigma: Tensor
    rho: Tensor
    lift: Tensor

    @classmethod
    def of(cls, y: Tensor, bias: float = 0.0) -> "Mixture":
        """From a network's outputs; a bias above 0 makes samples neater (eqs. 61 and 62)."""
        m = (y.shape[-1] - 1) // 6
        pi, mu_x, mu_y, sigma_x, sigma_y, rho = torch.split(y[..., 1:], m, -1)
        sigma = torch.exp(torch.stack([sigma_x, sigma_y], -1) - bias) + SMALLEST
        mu = torch.stack([mu_x, mu_y], -1)
        return cls(fn.log_softmax(pi * (1 + bias), -1), mu, sigma, 0.99 * torch.tanh(rho), y[..., 0])

    def nats(self, x: Tensor) -> Tensor:
        """-log of the density of (dx, dy, lifted) x [.., 3]: [..], eq. (26)."""
        z = (x[..., None, :2] - self.mu) / self.sigma
        left = 1 - self.rho.square()
        distance = (z.square().sum(-1) - 2 * self.rho * z.prod(-1)) / left
        norm = math.log(2 * math.pi) + self.sigma.log().sum(-1) + left.log() / 2
        density = torch.logsumexp(self.log_pi - norm - distance / 2, -1)
        return fn.binary_cross_entropy_with_logits(self.lift, x[..., 2], reduction="none") - density

    def draw(self, generator: torch.Generator) -> Tensor:
        """A sample for each row: outputs [b, …] -> (dx, dy, lifted) [b, 3]."""
        rows = torch.arange(len(self.lift))
        of = torch.multinomial(self.log_pi.exp(), 1, generator=generator)[:, 0]
        first, second = torch.randn(2, len(rows), generator=generator)
        rho = self.rho[rows, of]
        z = torch.stack([first, rho * first + (1 - rho.square()).sqrt() * second], 1)
        lifted = torch.rand(len(rows), generator=generator) < torch.sigmoid(self.lift)
        return torch.cat([self.mu[rows, of] + self.sigma[rows, of] * z, lifted[:, None].float()], 1)
