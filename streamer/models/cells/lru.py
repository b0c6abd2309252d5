"""The linear recurrent unit: complex numbers that turn and shrink, each on its own, and a small read-out of them."""

import copy
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from streamer.models.cells.cell import Cell, uniform
from streamer.models.cells.folded import F32, Act, Folded, Update, products

LONGEST, SLOWEST = 300.0, 0.02
"""Time constants start between 1 and LONGEST ticks, angles of a tick between SLOWEST and π, evenly in the logarithm."""


class Lru(Cell):
    """z' = λ·z + γ·B·x, h = tanh(C·z' + D·x + b), z of n/2 complex numbers (Orvieto et al. 2023).

    s = [h, Re z, Im z]; that h is part of it lets P stay linear. |λ| = exp(-exp(ν)) < 1, its angle is exp(θ). Nothing
    in z depends on h, so that a window is one sum and needs no steps.
    """

    def __init__(self, d: int, n: int) -> None:
        pairs = (n + 1) // 2
        super().__init__(d, n, n + 2 * pairs)
        log_time = torch.empty(pairs).uniform_(0, math.log(LONGEST))
        self.nu = nn.Parameter(-log_time)
        self.theta = nn.Parameter(torch.empty(pairs).uniform_(math.log(SLOWEST), math.log(math.pi)))
        self.gamma = nn.Parameter(torch.log(1 - torch.exp(-2 * torch.exp(-log_time))) / 2)
        self.B, self.D = uniform(2 * pairs, d, d), uniform(n, d, n)
        self.C, self.b = uniform(n, 2 * pairs, n), nn.Parameter(torch.zeros(n))

    def taken(self) -> tuple[Tensor, Tensor]:
        """[γ·B; D] and its bias [0; b]."""
        gamma = torch.exp(self.gamma).repeat(2)
        return torch.cat([gamma[:, None] * self.B, self.D]), torch.cat([torch.zeros_like(gamma), self.b])

    def powers(self, k: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary part of λ to the powers k [m, 1], [m, n/2] each."""
        size, angle = torch.exp(-k * torch.exp(self.nu)), k * torch.exp(self.theta)
        return size * torch.cos(angle), size * torch.sin(angle)

    def project(self, x: Tensor) -> Tensor:
        return fn.linear(x, *self.taken())

    def recur(self, a: Tensor, s: Tensor) -> Tensor:
        (real, imag), size = self.powers(torch.ones_like(self.nu)[:1]), 2 * len(self.nu)
        x, y = s[:, self.n :].chunk(2, 1)
        return self.seen(a[:, size:], torch.cat([real * x - imag * y, imag * x + real * y], 1) + a[:, :size])

    def run(self, x: Tensor, s: Tensor) -> Tensor:
        a, (m, size) = self.project(x), (x.shape[1], 2 * len(self.nu))
        real, imag = self.powers(torch.arange(m, -1, -1, device=x.device, dtype=x.dtype)[:, None])
        re, im = torch.cat([s[:, None, self.n :], a[:, :, :size]], 1).chunk(2, 2)
        z = torch.cat([(real * re - imag * im).sum(1), (imag * re + real * im).sum(1)], 1)
        return self.seen(a[:, -1, size:], z)

    def seen(self, given: Tensor, z: Tensor) -> Tensor:
        """The state with h, from D·x + b and z."""
        return torch.cat([torch.tanh(torch.addmm(given, z, self.C.t())), z], 1)

    def fold(self) -> Folded:
        exact = copy.deepcopy(self).double().requires_grad_(False)
        (w, b), (real, imag) = exact.taken(), exact.powers(torch.ones_like(exact.nu)[:1])
        turn = torch.cat([real, imag]).float().view(2, -1, 1).numpy()
        return Folded(torch.zeros(len(b), self.n).double(), w, b, update(turn, self.C.detach()))


def update(turn: F32, c: Tensor) -> Update:
    """Replaces h and z; gates are γ·B·x and then D·x + b. turn: [2, n/2, 1] Re λ and Im λ."""

    def bound(g: F32, h: F32, z: F32) -> Act:
        pairs = turn.shape[1]
        real, imag = np.broadcast_to(turn, (2, pairs, h.shape[2]))
        re, im, y = z[:, :pairs], z[:, pairs:], np.empty_like(h)
        kept, turned = np.empty_like(re), np.empty_like(re)
        read = products(c, z, y, g[:, 2 * pairs :])

        def act() -> None:
            np.multiply(re, imag, out=turned)
            np.multiply(im, imag, out=kept)
            np.multiply(re, real, out=re)
            np.subtract(re, kept, out=re)
            np.multiply(im, real, out=im)
            np.add(im, turned, out=im)
            np.add(z, g[:, : 2 * pairs], out=z)
            read()
            np.tanh(y, out=h)

        return act

    return bound
