"""The network that predicts changes, in its three forms: as it is trained, as it is frozen, and in plain numpy."""

from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from streamer.models import Residual, Sizes
from streamer.models.cells import CELLS, Cell
from streamer.models.frozen import LARGEST, freeze, loops, room
from streamer.records import CellName
from tests.models.reference import residual

CELL_NAMES = get_args(CellName)


def network(cell: CellName, d: int = 1, c: int = 4, layers: int = 1) -> Residual:
    torch.manual_seed(1)
    made = Residual(Sizes(d=d, m=30, k=4, p=3, n=11, cell=cell, form="residual", c=c, layers=layers))
    for weight in made.parameters():
        weight.data += 0.2 / layers * torch.randn_like(weight)
    return made.requires_grad_(False)


@pytest.mark.parametrize(("d", "c"), [(1, 0), (2, 3)])
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_the_sum_held_by_neurons_is_the_sum(cell: CellName, d: int, c: int) -> None:
    """The closed loop as one compiled loop has the values and gradients of a step-by-step one, to a thousandth."""
    torch.manual_seed(0)
    made, predictor = CELLS[cell](d + c, 7), nn.Linear(7, d)
    predictor.weight.data /= 5
    s, z, u = torch.randn(5, made.state_size) / 2, torch.randn(5, d), torch.randn(39, 5, c)
    weights = [*made.parameters(), *predictor.parameters()]
    fast, slow = made.climb(predictor, s, z, u), Cell.climb(made, predictor, s, z, u)
    torch.testing.assert_close(fast, slow, atol=1e-3, rtol=1e-3)
    pairs = zip(*(torch.autograd.grad(out.abs().sum(), weights) for out in (fast, slow)), strict=True)
    assert all(float((a - b).norm() / b.norm()) < 2e-3 for a, b in pairs)
    assert made.climb(predictor, s, z, u[:0]).shape == (1, 5, d)


@pytest.mark.parametrize(("d", "layers"), [(1, 1), (2, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize("cell", CELL_NAMES)
def test_frozen_it_is_the_same_network(cell: CellName, d: int, layers: int) -> None:
    """Steps and forecasts of tiles, with known inputs, are those written from the equations."""
    made = network(cell, d, layers=layers)
    loop = freeze(made, (2, 16))
    b, h = room(loop), made.sizes.horizon
    x, u = torch.randn(b, 9, d), torch.randn(b, 9 + h, 4)
    loop.s[:] = 0
    for t in range(9):
        loop.x[:], loop.u[:] = tiles(x[:, t], loop.x.shape), tiles(u[:, t], loop.u.shape)
        loop.step()
    reached = loop.s.transpose(0, 2, 1).reshape(b, -1).copy()
    z = np.zeros((h, *loop.x.shape), np.float32)
    loop.forecast(z, np.stack([tiles(u[:, 9 + i], loop.u.shape) for i in range(h - 1)]))
    for i in range(b):
        state, ahead = residual(made, x[i].double().numpy(), u[i].double().numpy(), h)
        np.testing.assert_allclose(reached[i], state, atol=1e-5)
        np.testing.assert_allclose(z[:, i // 16, :, i % 16], ahead, atol=2e-5, rtol=1e-5)
    s = made.run(x, made.zero_state(b), u[:, :9])
    np.testing.assert_allclose(s, reached, atol=1e-5)
    expected = torch.from_numpy(z.transpose(1, 3, 0, 2).reshape(b, h, d))
    torch.testing.assert_close(made.forecast(s, h, u[:, 9:-1]), expected, atol=1e-3, rtol=1e-3)


def tiles(rows: Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """[t·w, r] -> [t, r, w]."""
    t, _, w = shape
    return rows.view(t, w, -1).transpose(1, 2).numpy()


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_columns_do_not_matter(cell: CellName) -> None:
    """A series in any column of any tile of any shape has the same forecast to the bit."""
    made = network(cell)
    s = made.run(torch.randn(LARGEST, 9, 1), made.zero_state(LARGEST), torch.randn(LARGEST, 9, 4))
    u = torch.randn(made.sizes.horizon - 1, LARGEST, 4)
    found = []
    for loop in loops(made):
        order = torch.randperm(LARGEST)[: room(loop)]
        loop.s[:] = tiles(s[order], loop.x.shape)
        z = np.zeros((made.sizes.horizon, *loop.x.shape), np.float32)
        loop.forecast(z, np.stack([tiles(known[order], loop.u.shape) for known in u]))
        whole = np.full((made.sizes.horizon, LARGEST), np.nan, np.float32)
        whole[:, order] = z.transpose(0, 2, 1, 3).reshape(made.sizes.horizon, -1)
        found.append(whole)
    for one in found[:-1]:
        both = ~np.isnan(one) & ~np.isnan(found[-1])
        assert both.any()
        np.testing.assert_array_equal(one[both], found[-1][both])


def test_untrained_it_says_that_little_changes() -> None:
    """With new weights a forecast is the newest value, give or take a tenth of what an untrained predictor says."""
    torch.manual_seed(0)
    made = Residual(Sizes(form="residual"))
    s = made.run(torch.full((1, 30, 1), 2.0), made.zero_state(1))
    assert made.forecast(s, 40)[0, 0].item() == pytest.approx(2, abs=0.05)
