"""Both networks with every cell against their equations in numpy."""

from typing import get_args

import numpy as np
import pytest
import torch

from streamer.models import KINDS, Kind, Network, Sizes, build
from streamer.records import CellName
from tests.models.reference import REFERENCES

SHAPES = [(1, 1), (3, 1), (1, 2), (2, 3)]
"""d and layers."""
CASES = [(kind, cell, *shape) for kind in KINDS for cell in get_args(CellName) for shape in SHAPES]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(map(str, case)))
def network(request: pytest.FixtureRequest) -> Network:
    kind, cell, d, layers = request.param
    torch.manual_seed(1)
    made = build(kind, Sizes(d=d, m=30, k=4, p=3, n=11, r=1.5, cell=cell, layers=layers))
    for weight in made.parameters():
        weight.data += 0.1 * torch.randn_like(weight)
    return made.requires_grad_(False)


def window(network: Network, b: int = 5) -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randn(b, network.sizes.m, network.sizes.d)


def stepped(network: Network, x: torch.Tensor) -> torch.Tensor:
    s = network.zero_state(len(x))
    for t in range(x.shape[1]):
        s = network.step(x[:, t], s)
    return s


def test_step_by_step_equals_whole_window(network: Network) -> None:
    """m times `step` gives the state that `run` gives for the window."""
    x = window(network)
    torch.testing.assert_close(stepped(network, x), network.run(x, network.zero_state(len(x))), atol=2e-6, rtol=0)


def test_states_and_forecasts_are_those_of_the_equations(network: Network) -> None:
    """State and k·p predictions, closed loop folded, equal the numpy reference to 1e-5."""
    x = window(network)
    s = stepped(network, x)
    forecast = network.forecast(s, network.sizes.horizon)
    assert forecast.shape == (len(x), network.sizes.horizon, network.sizes.d)
    for i in range(len(x)):
        state, predicted = REFERENCES[network.kind](network, x[i].double().numpy(), network.sizes.horizon)
        np.testing.assert_allclose(s[i], state, atol=1e-5)
        np.testing.assert_allclose(forecast[i], predicted, atol=1e-5)


def test_a_shorter_forecast_is_the_beginning_of_a_longer_one(network: Network) -> None:
    """`forecast(s, h)` does not depend on h but for its length, also where h is no multiple of k."""
    s = stepped(network, window(network))
    whole = network.forecast(s, network.sizes.horizon)
    for h in (1, 3, 4, 5, 9):
        torch.testing.assert_close(network.forecast(s, h), whole[:, :h], atol=1e-6, rtol=0)


def test_a_window_can_be_cut_anywhere(network: Network) -> None:
    """The state is all there is: running on from the state in the middle ends where one run ends."""
    x = window(network)
    middle = network.run(x[:, :13], network.zero_state(len(x)))
    torch.testing.assert_close(
        network.run(x[:, 13:], middle), network.run(x, network.zero_state(len(x))), atol=2e-6, rtol=0
    )


def test_gradients_reach_every_weight(network: Network) -> None:
    """A forecast after a window depends on every weight of the network."""
    network.requires_grad_(True)
    x = window(network)
    loss = network.forecast(network.run(x, network.zero_state(len(x))), network.sizes.horizon).square().sum()
    loss.backward()  # type: ignore[no-untyped-call]
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize(("r", "n1"), [(1.0, 25), (9.0, 45), (1 / 9, 5), (100.0, 49), (0.01, 1)])
def test_split_of_neurons_follows_r(r: float, n1: int) -> None:
    """n1 + n2 = n and n1/n2 is r, as near as whole numbers allow, neither being zero."""
    assert Sizes(n=50, r=r).split == (n1, 50 - n1)


def test_kinds_are_built_by_name() -> None:
    """`build` gives the network of the kind asked for."""
    kinds: list[Kind] = [build(kind, Sizes(n=4)).kind for kind in KINDS]
    assert kinds == list(KINDS)
