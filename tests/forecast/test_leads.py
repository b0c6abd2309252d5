"""The grid of leads, and what lies between them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.forecast.leads import LeadGrid, grid_of


def test_grids() -> None:
    """Near leads are dense, far ones sparse, the horizon is the last; leads that are asked for are among them."""
    assert grid_of(40) == [1, 2, 3, 5, 8, 12, 20, 30, 40]
    assert grid_of(48) == [1, 2, 3, 5, 8, 12, 20, 30, 40, 48]
    assert grid_of(100, also=(10, 500)) == [1, 2, 3, 5, 8, 10, 12, 20, 30, 40, 60, 90, 100]
    assert grid_of(1) == [1]
    assert len(grid_of(10_000)) < 25


@given(st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_between(horizon: int, seed: int) -> None:
    """Between two leads of the grid values lie on a straight line, as numpy draws it."""
    leads = grid_of(horizon)
    values = np.random.default_rng(seed).normal(size=(3, len(leads)))
    found = LeadGrid(leads, horizon).spread(values)
    wanted = [np.interp(np.arange(1, horizon + 1), leads, row) for row in values]
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
