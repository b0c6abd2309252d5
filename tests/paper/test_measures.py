"""E_p, the limit, the first tries and the recursions against what they should be, in a few lines of numpy."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge  # type: ignore[import-untyped]

from streamer.models import Kind
from streamer.paper import limit, linear
from streamer.paper.recursion import RECURSIONS
from streamer.paper.stacked import Stack
from streamer.paper.training import Member, e_p, forecasts
from streamer.paper.waves import Noise, gather, waves
from streamer.records import Floats
from tests.models.reference import REFERENCES

CPU = torch.device("cpu")


def reference_e_p(forecast: Floats, x: Floats, origins: Floats) -> float:
    """Eq. (15) in numpy: forecast [N, h], series x, position of each first truth."""
    squares = [
        (forecast[i, j] - x[int(origin) + j]) ** 2 for i, origin in enumerate(origins) for j in range(forecast.shape[1])
    ]
    return math.sqrt(sum(squares) / len(squares))


@pytest.mark.parametrize("kind", ["memoryless", "traditional"])
@pytest.mark.parametrize("carried", [False, True])
def test_errors_are_those_of_the_references(kind: Kind, carried: bool) -> None:
    """E_p of a stack's forecasts is that of the numpy networks, from m samples and from the state carried so far."""
    tests = waves([5], True, 3, 500, "gaussian", CPU)
    member = Member(kind, 9, 1, r=2.0, m=15, k=4)
    stack = Stack.fresh(kind, [member.sizes], [1], CPU)
    found = e_p(forecasts(stack, tests, [0], 15, 4, 10, carried), tests, [0], 10)[0]
    x, network = tests.x[0].double().numpy(), stack.network(0)
    for signal in range(2):
        origins = tests.origins[0, signal].numpy()
        begins = [500 * signal if carried else origin - 15 for origin in origins]
        said = [
            REFERENCES[kind](network, x[begin:origin, None], 10)[1][:, 0]
            for begin, origin in zip(begins, origins, strict=True)
        ]
        assert float(found[signal]) == pytest.approx(reference_e_p(np.array(said), x, origins), abs=1e-5)


@pytest.mark.parametrize("noise", ["gaussian", "uniform"])
def test_limit_is_the_posterior_mean(noise: Noise) -> None:
    """The limit's forecasts equal the posterior mean computed phase by phase in float64."""
    tests = waves([0], True, 4, 1500, noise, CPU)
    found = limit.limit_forecasts(tests, 12, 6, noise)
    known, ahead = (part.double().numpy() for part in limit.futures(12, 6))
    for signal in range(2):
        for i in range(4):
            at = int(tests.origins[0, signal, i])
            off = tests.x[0, at - 12 : at].double().numpy() - known
            if noise == "gaussian":
                log = -np.square(off).sum(1) / (2 * 0.15**2)
                weight = np.exp(log - log.max())
            else:
                weight = (np.abs(off).max(1) <= 0.15 + 1e-5).astype(float)
            np.testing.assert_allclose(found[0, signal, :, i], weight @ ahead / weight.sum(), atol=2e-4)


def test_nobody_beats_the_limit() -> None:
    """On many windows the limit's E lies between the noise floor and the error of every first try."""
    taught, tests = (waves([0], fresh, 300, 4000, "gaussian", CPU) for fresh in (False, True))
    floor = e_p(limit.clean_forecasts(tests, 40), tests, [0], 40)
    best = e_p(limit.limit_forecasts(tests, 70, 40, "gaussian"), tests, [0], 40)
    assert (floor < best).all()
    for name in linear.FIRST_TRIES:
        assert (best < e_p(linear.tried(name, taught, tests, 70, 40), tests, [0], 40)).all(), name


def test_clean_forecasts_are_the_signal() -> None:
    """What is left of the truth after the noiseless forecast is the noise: mean 0, standard deviation a."""
    tests = waves([0], True, 500, 4000, "gaussian", CPU)
    truth = gather(tests.x, tests.origins.flatten(1), 0, 10).view(1, 10, 2, 500).transpose(1, 2)
    noise = truth - limit.clean_forecasts(tests, 10)
    assert abs(float(noise.mean())) < 0.01
    assert float(noise.std()) == pytest.approx(0.15, rel=0.05)


def test_ridge_is_scikit_learns() -> None:
    """The closed form gives the weights of sklearn.linear_model.Ridge."""
    torch.manual_seed(0)
    x, y = torch.randn(50, 6).double(), torch.randn(50, 2).double()
    weights = linear.ridge(x.float(), y.float(), 2.0)
    model = Ridge(alpha=2.0).fit(x.float().double(), y.float().double())
    np.testing.assert_allclose(weights[:-1].T, model.coef_, atol=1e-6)
    np.testing.assert_allclose(weights[-1], model.intercept_, atol=1e-6)


def test_recursive_ridge_feeds_itself_back() -> None:
    """On x_{t+1} = 0.5·x_t the recursive forecast halves at every step."""
    x = torch.tensor([[8.0, 4.0, 2.0], [4.0, 2.0, 1.0], [-6.0, -3.0, -1.5], [2.0, 1.0, 0.5]])
    forecast = linear.recursive(x, 2, 3, 1e-9)
    torch.testing.assert_close(forecast(x[:1, :2]), torch.tensor([[2.0, 1.0, 0.5]]), atol=1e-4, rtol=0)


def test_memoryless_recursion_is_the_expanding_window() -> None:
    """On one m-to-1 network the memoryless recursion predicts what the expanding window does."""
    stack = Stack.fresh("memoryless", [Member("memoryless", 10, 0, m=12, k=1).sizes], [0], CPU)
    torch.manual_seed(0)
    x = torch.randn(1, 12, 5)
    said = {name: recursion(stack, x, 8) for name, recursion in RECURSIONS.items()}
    torch.testing.assert_close(said["memoryless"], said["expanding"], atol=1e-6, rtol=0)
    torch.testing.assert_close(said["memoryless"][:, :1], said["moving"][:, :1], atol=1e-6, rtol=0)
    assert not torch.allclose(said["memoryless"], said["moving"], atol=1e-4)
