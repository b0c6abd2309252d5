"""Many vanilla networks of one kind in one set of tensors, so that a step of all of them is one batched product.

Axes: S networks, T steps, B windows, n neurons, h outputs; d = 1, as in the paper's experiments. Networks of different
sizes are padded with neurons whose weights are all zero. Such a neuron stays at tanh(0) = 0 and nothing reads it, so no
gradient reaches its weights and Adam leaves them at zero (tests/paper checks this to the last bit).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from streamer.models import Kind, Network, Sizes, build


class Recurrence(torch.autograd.Function):
    """s_t = tanh(a_t + u·s_{t-1}) along T steps, a [S, T, B, n], u [S, n, n], s_0 [S, B, n].

    Gives every state [S, T, B, n], or the last [S, B, n]. `backward` is written by hand: the gradient of u is then one
    product over all T·B rows instead of T small ones, and a step back is one product and one elementwise pass.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, u: Tensor, s: Tensor, whole: bool) -> Tensor:
        size, steps, b, n = a.shape
        states = a.new_empty(size, steps + 1, b, n)
        states[:, 0] = s
        ut = u.transpose(1, 2)
        for t in range(steps):
            torch.baddbmm(a[:, t], states[:, t], ut, out=states[:, t + 1]).tanh_()
        ctx.save_for_backward(states, u)
        ctx.whole = whole
        return states[:, 1:] if whole else states[:, -1]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        states, u = ctx.saved_tensors
        (grad,) = grads
        size, after, b, n = states.shape
        da = grad.new_empty(size, after - 1, b, n)
        into = grad[:, -1] if ctx.whole else grad
        for t in reversed(range(after - 1)):
            torch.ops.aten.tanh_backward.grad_input(into, states[:, t + 1], grad_input=da[:, t])
            into = torch.baddbmm(grad[:, t - 1], da[:, t], u) if ctx.whole and t else torch.bmm(da[:, t], u)
        rows = da.reshape(size, -1, n)
        du = torch.bmm(rows.transpose(1, 2), states[:, :-1].reshape(size, -1, n))
        return da, du, into, None


def recur(a: Tensor, u: Tensor, s: Tensor, whole: bool = True) -> Tensor:
    """`Recurrence` with types."""
    return Recurrence.apply(a, u, s, whole)  # type: ignore[no-any-return, no-untyped-call]


class Stack:
    """S networks of one kind with vanilla cells; `weights` holds their weights by the names of `streamer.models`."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self.kind: Kind = networks[0].kind
        self.sizes = [network.sizes for network in networks]
        self.encoder = "F" if self.kind == "memoryless" else "F1"
        states = [network.state_dict() for network in networks]
        self.weights = {name: padded([state[name] for state in states]) for name in states[0]}

    @classmethod
    def fresh(cls, kind: Kind, sizes: Sequence[Sizes], seeds: Sequence[int], device: torch.device) -> "Stack":
        """A stack of new networks of `streamer.models.build`; network i is made after `torch.manual_seed(seeds[i])`."""
        networks = []
        for size, seed in zip(sizes, seeds, strict=True):
            torch.manual_seed(seed)
            networks.append(build(kind, size).to(device))
        return cls(networks)

    def __len__(self) -> int:
        return len(self.sizes)

    def network(self, i: int) -> Network:
        """Network i alone, as a network of `streamer.models`."""
        made = build(self.kind, self.sizes[i])
        shapes = {name: tuple(slice(length) for length in weight.shape) for name, weight in made.state_dict().items()}
        made.load_state_dict({name: self.weights[name][i][part].detach() for name, part in shapes.items()})
        return made.requires_grad_(False)

    def project(self, cell: str, x: Tensor) -> Tensor:
        """The input term of a cell, with both biases: x [S, R, d] -> [S, R, n]."""
        bias = self.weights[f"{cell}.core.bias_ih_l0"] + self.weights[f"{cell}.core.bias_hh_l0"]
        return torch.baddbmm(bias.unsqueeze(1), x, self.weights[f"{cell}.core.weight_ih_l0"].transpose(1, 2))

    def read(self, s: Tensor) -> Tensor:
        """P(s): [S, h, B, n] -> [S, h, B]."""
        size, h, b, n = s.shape
        p = self.weights["P.weight"].transpose(1, 2)
        return torch.baddbmm(self.weights["P.bias"].unsqueeze(1), s.reshape(size, h * b, n), p).view(size, h, b)

    def zero_state(self, b: int) -> Tensor:
        """The state of b new series, [S, b, n1]."""
        bias = self.weights[f"{self.encoder}.core.bias_hh_l0"]
        return bias.new_zeros(len(self), b, bias.shape[1])

    def run(self, x: Tensor, s: Tensor, whole: bool = False) -> Tensor:
        """The state after the inputs x [S, T, B] from s [S, B, n1]: [S, B, n1]; if `whole`, all [S, T, B, n1]."""
        size, steps, b = x.shape
        a = self.project(self.encoder, x.reshape(size, steps * b, 1)).view(size, steps, b, -1)
        return recur(a, self.weights[f"{self.encoder}.core.weight_hh_l0"], s, whole)

    def decode(self, s: Tensor, k: int) -> Tensor:
        """σ_1 … σ_k of the traditional pair, σ_i = F2(s, σ_{i-1}) from σ_0 = 0: s [S, B, n1] -> [S, k, B, n2]."""
        a = self.project("F2", s).unsqueeze(1)
        return recur(a.expand(-1, k, -1, -1), self.weights["F2.core.weight_hh_l0"], torch.zeros_like(a[:, 0]))

    def forecast(self, s: Tensor, h: int, k: int) -> Tensor:
        """The next h values from s [S, B, n1]: [S, h, B]; a traditional network forecasts in blocks of k."""
        if self.kind == "memoryless":
            return self.read(torch.cat([s.unsqueeze(1), self.closed(s, h - 1)], 1)) if h > 1 else self.read(s[:, None])
        blocks: list[Tensor] = []
        for done in range(0, h, k):
            if blocks:
                s = self.run(blocks[-1], s)
            blocks.append(self.read(self.decode(s, min(k, h - done))))
        return torch.cat(blocks, 1)

    def closed(self, s: Tensor, steps: int) -> Tensor:
        """Eq. (14): `steps` states of the closed loop after s, by the one matrix U + W·P: [S, steps, B, n]."""
        w, p = self.weights["F.core.weight_ih_l0"], self.weights["P.weight"]
        u = torch.baddbmm(self.weights["F.core.weight_hh_l0"], w, p)
        a = self.project("F", self.weights["P.bias"].unsqueeze(1)).unsqueeze(1)
        return recur(a.expand(-1, steps, s.shape[1], -1), u, s)


def padded(weights: Sequence[Tensor]) -> Tensor:
    """One tensor [S, …] of S tensors of equal rank, each padded with zeros to the largest length of every axis."""
    shape = [max(lengths) for lengths in zip(*(weight.shape for weight in weights), strict=True)]

    def fill(weight: Tensor) -> Tensor:
        missing = [(0, wanted - length) for wanted, length in zip(shape, weight.shape, strict=True)]
        return fn.pad(weight, [edge for pair in reversed(missing) for edge in pair])

    return torch.stack([fill(weight) for weight in weights]).detach()
