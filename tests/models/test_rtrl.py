"""Gradients carried forward with the state against those that autograd takes back through time."""

import numpy as np
import pytest
import torch

from streamer.models.cells.lru import Lru
from streamer.models.cells.rnn import Rnn
from tests.models.rtrl import Dense, Diagonal

TICKS = 60


@pytest.mark.parametrize(("d", "n"), [(1, 5), (3, 4)])
def test_of_a_fully_connected_cell(d: int, n: int) -> None:
    """The sum over all ticks of the gradients of their errors is that of backpropagation through the whole window."""
    torch.manual_seed(0)
    cell = Rnn(d, n).double()
    x, y = torch.randn(TICKS, d, dtype=torch.double), torch.randn(TICKS, n, dtype=torch.double)
    s, loss = torch.zeros(1, n, dtype=torch.double), torch.zeros((), dtype=torch.double)
    for given, truth in zip(x, y, strict=True):
        s = cell(given[None], s)
        loss = loss + (s[0] - truth).square().sum() / 2
    w, _, u, b = torch.autograd.grad(loss, cell.weights())
    forward, found = Dense(cell.joined().detach().numpy()), np.zeros((n, n + d + 1))
    for given, truth in zip(x.numpy(), y.numpy(), strict=True):
        found += forward.gradient(forward.step(given) - truth)
    np.testing.assert_allclose(found, torch.cat([u, w, b[:, None]], 1).numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("d", "n"), [(1, 6), (3, 5)])
def test_of_an_element_wise_cell(d: int, n: int) -> None:
    """The same of the linear recurrent unit, with 2·(d + 2) numbers for each of its complex ones."""
    torch.manual_seed(0)
    cell = Lru(d, n).double()
    pairs = len(cell.nu)
    x, y = torch.randn(TICKS, d, dtype=torch.double), torch.randn(TICKS, 2 * pairs, dtype=torch.double)
    s, loss = torch.zeros(1, cell.state_size, dtype=torch.double), torch.zeros((), dtype=torch.double)
    for given, truth in zip(x, y, strict=True):
        s = cell(given[None], s)
        loss = loss + (s[0, n:] - truth).square().sum() / 2
    names = ("nu", "theta", "gamma", "B")
    wanted = torch.autograd.grad(loss, [getattr(cell, name) for name in names])
    forward = Diagonal({name: weight.detach().numpy() for name, weight in cell.named_parameters()})
    found = {name: np.zeros(weight.shape) for name, weight in zip(names, wanted, strict=True)}
    for given, truth in zip(x.numpy(), y.numpy(), strict=True):
        for name, gradient in forward.gradient(forward.step(given) - (truth[:pairs] + 1j * truth[pairs:])).items():
            found[name] += gradient
    for name, expected in zip(names, wanted, strict=True):
        np.testing.assert_allclose(found[name], expected.numpy(), rtol=1e-9, atol=1e-9)
    held = [forward.z, forward.by_turn, forward.by_taken]
    assert 2 * sum(part.size for part in held) == 2 * pairs * (d + 2)
