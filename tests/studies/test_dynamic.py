"""The study of dynamic evaluation: a rate of 0 changes nothing, and at another one the network follows the series."""

import numpy as np
import pytest
import torch

from streamer.forecast.network import NetworkForecaster
from streamer.forecast.scale import Running
from streamer.models import Residual, Sizes
from streamer.records import Floats
from tests.forecast.ticks import ticks_of
from tests.studies.dynamic import Dynamic, Rule

SIZES = Sizes(m=10, k=4, p=2, n=8, cell="lstm", form="residual")


def live() -> NetworkForecaster:
    torch.manual_seed(0)
    made = NetworkForecaster(Residual(SIZES).requires_grad_(False), Running(1), version=1)
    made.grow(1)
    return made


def errors(forecaster: NetworkForecaster, x: Floats) -> Floats:
    """Mean absolute errors of the forecasts of each tick."""
    said = []
    for t, value in enumerate(x):
        batch = ticks_of([0], np.array([[value]]), t)
        forecaster.step(batch)
        said.append(forecaster.forecast(batch)[0, :, 0])
    h = SIZES.horizon
    return np.array([np.abs(one - x[t + 1 : t + 1 + h]).mean() for t, one in enumerate(said[: len(x) - h])])


def test_at_a_rate_of_0_it_is_the_live_network() -> None:
    """Step by step it forecasts what the frozen network does, missing values included, and its weights stay."""
    x = np.sin(np.arange(200) / 3)
    x[[50, 51, 90]] = np.nan
    made = Dynamic(live(), Rule(0.0, every=1))
    np.testing.assert_allclose(errors(made, x), errors(live(), x), atol=1e-5)
    assert torch.equal(made.learning.now, made.learning.trained)


@pytest.mark.parametrize(("decay", "better"), [(0.0, 0.6), (1e-2, 0.9)])
def test_it_follows_the_series(decay: float, better: float) -> None:
    """On a wave that an untrained network knows nothing of, errors fall; the way back to its weights holds it."""
    x = np.sin(np.arange(1200) / 3)
    found = errors(Dynamic(live(), Rule(5e-3, decay, every=2)), x)
    still = errors(live(), x)
    assert found[-300:].mean() < better * still[-300:].mean()
