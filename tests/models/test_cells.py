"""What holds of single cells: their gradients, how they start, and what their gates are there for."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from streamer.models import Kind, Network, Sizes, build
from streamer.models.cells import CELLS, Cell
from streamer.records import CellName, Form

NAMES = get_args(CellName)
N, OPEN = 8, 40.0
FORGET: dict[CellName, Callable[[Any], Tensor]] = {
    "lstm": lambda cell: (cell.core.bias_ih_l0 + cell.core.bias_hh_l0).chunk(4)[1],
    "peephole": lambda cell: cell.b.chunk(4)[1],
    "slstm": lambda cell: cell.b.chunk(4)[3],
}
"""The forget gate's bias of the cells that have one."""
INPUT: dict[CellName, Callable[[Any], Tensor]] = {
    "lstm": lambda cell: cell.core.bias_ih_l0.chunk(4)[0],
    "peephole": lambda cell: cell.b.chunk(4)[0],
    "slstm": lambda cell: cell.b.chunk(4)[2],
}


def new(name: CellName, d: int = 3, n: int = N) -> Any:
    torch.manual_seed(0)
    return CELLS[name](d, n).requires_grad_(False)


def test_every_name_is_a_cell() -> None:
    """What the configuration may name is what can be built."""
    assert set(CELLS) == set(NAMES)


FORMS: list[tuple[Kind, Form]] = [("memoryless", "paper"), ("memoryless", "residual"), ("traditional", "paper")]


@pytest.mark.parametrize("cell", NAMES)
@pytest.mark.parametrize(("kind", "form"), FORMS)
@pytest.mark.parametrize("layers", [1, 2])
def test_gradients_are_those_of_finite_differences(kind: Kind, form: Form, cell: CellName, layers: int) -> None:
    """The derivative of a forecast after a window by weights, inputs and first state, along random directions."""
    torch.manual_seed(0)
    made: Network = build(kind, Sizes(d=1, m=4, k=2, p=2, n=4, cell=cell, form=form, layers=layers)).double()
    weights = {name: weight + 0.1 * torch.randn_like(weight) for name, weight in made.named_parameters()}
    given = [weight.detach().requires_grad_() for weight in weights.values()]
    x = torch.randn(2, 4, 1, dtype=torch.double, requires_grad=True)
    s = (0.5 * torch.rand(2, made.state_size, dtype=torch.double)).requires_grad_()
    whole = Whole(made)

    def forecast(x: Tensor, s: Tensor, *values: Tensor) -> Tensor:
        named = dict(zip((f"network.{name}" for name in weights), values, strict=True))
        return functional_call(whole, named, (x, s))  # type: ignore[no-any-return]

    assert torch.autograd.gradcheck(forecast, (x, s, *given), fast_mode=True)


class Whole(nn.Module):
    """A window and the forecast after it as one function."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        return self.network.forecast(self.network.run(x, s), 3)


@pytest.mark.parametrize("name", NAMES)
def test_recurrent_weights_start_orthogonal_and_biases_at_zero(name: CellName) -> None:
    """Every block of recurrent weights is orthogonal; all biases are 0 but that of a forget gate, which is 1."""
    weights = dict(new(name).named_parameters())
    recurrent = [weights[key] for key in ("core.weight_hh_l0", "U", "V") if key in weights]
    for block in (block for weight in recurrent for block in weight.view(-1, N, N)):
        torch.testing.assert_close(block @ block.T, torch.eye(N), atol=1e-5, rtol=0)
    bias = sum(weights[key] for key in ("core.bias_ih_l0", "core.bias_hh_l0", "b") if key in weights)
    assert isinstance(bias, Tensor)
    assert sorted(set(bias.tolist())) == ([0.0, 1.0] if name in FORGET else [0.0])


@pytest.mark.parametrize("name", FORGET)
def test_a_forget_gate_starts_open(name: CellName) -> None:
    """Its bias is 1, so that without inputs a new cell keeps σ(1) = 0.73 of what it remembers at each tick."""
    cell = new(name)
    torch.testing.assert_close(FORGET[name](cell), torch.ones(N))
    s = torch.zeros(1, cell.state_size)
    s[:, N : 2 * N] = torch.randn(N)
    after = cell(torch.zeros(1, 3), s)
    torch.testing.assert_close(after[:, N : 2 * N], s[:, N : 2 * N] * torch.sigmoid(torch.tensor(1.0)))


@pytest.mark.parametrize("name", FORGET)
def test_with_its_gates_fixed_a_cell_is_a_carousel(name: CellName) -> None:
    """Forget gate open and input gate closed: whatever comes in, c stays for 300 ticks, and so does its gradient."""
    cell, memory = new(name), slice(N, 2 * N)
    FORGET[name](cell).fill_(OPEN)
    INPUT[name](cell).fill_(-OPEN)
    if name == "lstm":
        cell.core.bias_hh_l0.zero_()
        cell.core.bias_ih_l0.chunk(4)[1].fill_(OPEN)
    for weight in cell.parameters():
        if weight.dim() > 1:
            weight.mul_(0.1)
    x, s = torch.randn(1, 300, 3), torch.rand(1, cell.state_size) / 2
    s.requires_grad_()
    reached = cell.run(x, s)
    torch.testing.assert_close(reached[:, memory], s[:, memory], atol=1e-6, rtol=1e-6)
    (gradient,) = torch.autograd.grad(reached[:, memory].sum(), s)
    torch.testing.assert_close(gradient[:, memory], torch.ones(1, N), atol=1e-6, rtol=1e-6)


def test_a_gru_is_a_weighted_average() -> None:
    """h' = z·h + (1 - z)·ñ: with the update gate z at 1 it is the old state, at 0 the proposal, else between both."""
    cell, x, h = new("gru"), torch.randn(5, 3), torch.randn(5, N)
    bias = cell.core.bias_ih_l0.chunk(3)[1]
    found = {}
    for value in (-OPEN, -1.0, 0.0, 1.0, OPEN):
        bias.fill_(value)
        found[value] = cell(x, h)
    torch.testing.assert_close(found[OPEN], h)
    proposal = found[-OPEN]
    shares = [((after - proposal) / (h - proposal)).clamp(-9, 9) for after in found.values()]
    for lower, higher in pairwise(shares):
        assert bool((lower <= higher + 1e-4).all())
    a, g = (x @ cell.core.weight_ih_l0.T).chunk(3, 1)[1], (h @ cell.core.weight_hh_l0.T).chunk(3, 1)[1]
    z = torch.sigmoid(a + g)
    torch.testing.assert_close(found[0.0], z * h + (1 - z) * proposal)


def test_an_slstm_takes_in_what_an_exponential_says() -> None:
    """Inputs far beyond the range of exp, in both directions, leave h within ±1 and everything finite."""
    cell = new("slstm")
    s = torch.zeros(2, cell.state_size)
    for size in (-1e4, 1e4, -50.0, 1e4, 0.0):
        s = cell(torch.full((2, 3), size), s)
        assert bool(s.isfinite().all())
        assert float(cell.visible(s).abs().max()) <= 1


def test_a_window_of_the_lru_is_one_sum() -> None:
    """The state after 1,000 ticks without steps is that of the steps, and memory fades by |λ| alone."""
    cell = new("lru")
    x, s = torch.randn(2, 1000, 3), torch.randn(2, cell.state_size)
    torch.testing.assert_close(cell.run(x, s), Cell.run(cell, x, s), atol=1e-5, rtol=1e-5)
    kept = cell.run(torch.zeros(2, 10, 3), s)[:, N:].view(2, 2, -1).square().sum(1).sqrt()
    size = torch.exp(-10 * torch.exp(cell.nu))
    torch.testing.assert_close(kept, size * s[:, N:].view(2, 2, -1).square().sum(1).sqrt())


def test_an_mrnn_without_its_constant_is_the_equation_of_its_paper() -> None:
    """With a = 0, an input of 0 erases the state; with the 1 that it starts with, it does not."""
    cell, x, h = new("mrnn"), torch.zeros(1, 3), torch.randn(1, N)
    assert bool(cell(x, h).any())
    cell.a.zero_()
    assert not cell(x, h).any()
