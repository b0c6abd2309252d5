"""The vanilla recurrence by hand against autograd's and against torch's own module."""

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from streamer.models import KINDS, Kind, Network, Sizes, build
from streamer.models.unroll import unroll
from streamer.records import CellName


def given(t: int, n: int, e: int, b: int) -> tuple[Tensor, Tensor, Tensor]:
    """V, x and h_0 in double precision."""
    torch.manual_seed(3)
    shapes = ((n, n + e + 1), (t, e, b), (b, n))
    v, x, first = (torch.randn(shape, dtype=torch.double, requires_grad=True) for shape in shapes)
    return v, x, first


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("t", "e"), [(1, 1), (4, 2), (3, 0)])
def test_gradients_are_those_of_finite_differences(t: int, e: int, whole: bool) -> None:
    """The gradients by weights, inputs and first state are the derivatives of what comes out, one step or several."""
    v, x, first = given(t, n=3, e=e, b=2)
    assert torch.autograd.gradcheck(lambda v, x, first: unroll(v, x, first, whole), (v, x, first))


@pytest.mark.parametrize("whole", [True, False])
def test_no_inputs_give_no_states(whole: bool) -> None:
    """Without a step the state is the first one, and its gradient passes through."""
    v, x, first = given(0, n=3, e=2, b=2)
    states = unroll(v, x, first, whole)
    assert states.shape == ((0, 2, 3) if whole else (2, 3))
    if not whole:
        torch.testing.assert_close(states, first)
        states.sum().backward()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(first.grad, torch.ones_like(first))


def plain_run(network: Network, x: Tensor, s: Tensor) -> Tensor:
    """The state after a window, step by step under autograd."""
    for t in range(x.shape[1]):
        s = network.step(x[:, t], s)
    return s


def plain_forecast(network: Network, s: Tensor, h: int) -> Tensor:
    """Eq. (14), and the decoder's blocks, cell by cell as the equations stand."""
    values: list[Tensor] = []
    predict = network.get_submodule("P")
    if network.kind == "memoryless":
        for _ in range(h):
            values.append(predict(s[:, : network.sizes.n]))
            s = network.step(values[-1], s)
        return torch.stack(values, 1)
    decoder = network.get_submodule("F2")
    for done in range(0, h, network.sizes.k):
        sigma = s.new_zeros(len(s), decoder.state_size)  # type: ignore[call-overload]
        block = []
        for _ in range(min(network.sizes.k, h - done)):
            sigma = decoder(s, sigma)
            block.append(predict(sigma[:, : network.sizes.split[1]]))
        values += block
        s = plain_run(network, torch.stack(block, 1), s)
    return torch.stack(values, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", get_args(CellName))
@pytest.mark.parametrize("h", [1, 4, 8])
def test_a_network_learns_what_autograd_of_its_steps_would_teach_it(kind: Kind, cell: CellName, h: int) -> None:
    """Loss and every gradient, folded closed loop, decoder and rounds included, are those of the cell step by step."""
    torch.manual_seed(4)
    network = build(kind, Sizes(d=2, m=12, k=4, p=2, n=9, cell=cell))
    x, truth = torch.randn(6, 12, 2), torch.randn(6, h, 2)
    s = network.run(torch.randn(6, 5, 2), network.zero_state(6)).detach().requires_grad_()
    weights = [s, *network.parameters()]
    folded = nn.functional.mse_loss(network.forecast(network.run(x, s), h), truth)
    plain = nn.functional.mse_loss(plain_forecast(network, plain_run(network, x, s), h), truth)
    torch.testing.assert_close(folded, plain)
    pairs = zip(
        torch.autograd.grad(folded, weights, materialize_grads=True),
        torch.autograd.grad(plain, weights, materialize_grads=True),
        strict=True,
    )
    for ours, expected in pairs:
        torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-4)
