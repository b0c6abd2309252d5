"""A network of each cell, from its training to the state that another process goes on from."""

from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest
import torch

from streamer.forecast.network import NetworkForecaster
from streamer.forecast.scale import Running, Scale
from streamer.models import Kind, Network, Residual, Sizes
from streamer.records import CellName, Floats, Form, Recipe
from streamer.train.fit import fit, persistence_residuals
from streamer.train.weights import dump, network_of
from streamer.train.windows import Buffer
from tests.forecast.ticks import ticks_of

FORMS: list[tuple[Kind, Form]] = [("memoryless", "paper"), ("memoryless", "residual"), ("traditional", "paper")]
SERIES = 20


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As the daemon runs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def waves() -> Buffer:
    """A sine with some noise, its newest fifth held out."""
    x = np.sin(np.arange(1500) / 2) + np.random.default_rng(1).normal(scale=0.05, size=1500)
    return Buffer.of([x[:, None].astype(np.float32)], [1200], torch.device("cpu"))


def live(network: Network) -> NetworkForecaster:
    scale = Running(1) if isinstance(network, Residual) else Scale(1, 5)
    made = NetworkForecaster(network, scale, version=1)
    made.grow(SERIES)
    return made


def go(forecaster: NetworkForecaster, x: Floats) -> list[Floats]:
    """The forecasts of all series after each tick x [T, SERIES], NaN where it is missing."""
    rows, said = np.arange(SERIES), []
    for sample in x:
        batch = ticks_of(rows, sample[:, None])
        forecaster.step(batch)
        said.append(forecaster.forecast(batch))
    return said


@pytest.mark.parametrize(("cell", "layers"), [*((cell, 1) for cell in get_args(CellName)), ("lstm", 3)])
@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_from_training_to_resume(kind: Kind, form: Form, cell: CellName, layers: int) -> None:
    """It learns a wave, to half of the error of persistence; weights as they are saved, and states as a snapshot holds
    them, give in another process the same forecasts to the bit, missing ticks included."""
    sizes, buffer = Sizes(m=20, k=5, p=2, n=12, cell=cell, form=form, layers=layers), waves()
    if form == "residual":
        one = np.ones_like(buffer.x.numpy(), np.float64)
        buffer = buffer.seen_in(0 * one, one, np.zeros((len(one), 0), np.float32), sizes.horizon)
    origins = buffer.origins(sizes.m, sizes.horizon, 200)
    recipe = Recipe(epochs=6, windows=640, batch=32, learning_rate=1e-2)
    network, e_p = fit(kind, sizes, buffer, origins, recipe, lambda *_: None)
    naive = persistence_residuals(buffer, origins, sizes.horizon)
    assert e_p < 0.5 * float(naive.square().mean().sqrt())

    saved = dump(network.state_dict())
    old = live(network_of(kind, sizes, saved))
    x = np.random.default_rng(0).normal(size=(16, SERIES))
    x[[5, 6, 12], 3:9] = np.nan
    go(old, x[:10])
    new = live(network_of(kind, sizes, saved))
    new.restore(old.labels(), {name: array.copy() for name, array in old.arrays().items()})
    for here, there in zip(go(old, x[10:]), go(new, x[10:]), strict=True):
        assert np.isfinite(here[:, 0]).any()
        np.testing.assert_array_equal(here, there)
