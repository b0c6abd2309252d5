"""Noise on weights: what it adds to a gradient, and that it leaves the weights themselves alone."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from streamer.models import Network, Sizes, build
from streamer.records import Recipe, WeightNoise
from streamer.train.adam import Adam
from streamer.train.fit import fit
from streamer.train.noise import FIRST, Adaptive, gradient_of
from streamer.train.windows import Buffer

SIZES = Sizes(m=10, k=3, p=2, n=6, cell="gru")


def buffer(ticks: int = 400) -> Buffer:
    noise = np.random.default_rng(0).normal(scale=0.3, size=ticks)
    x = (np.sin(np.arange(ticks) / 2) + noise).astype(np.float32)
    return Buffer.of([x[:, None]], [ticks * 4 // 5], torch.device("cpu"))


def network() -> Network:
    torch.manual_seed(0)
    return build("memoryless", SIZES)


def squares(of: nn.Module) -> Tensor:
    """A loss of which the gradient is twice the weights."""
    return sum((weight.square().sum() for weight in of.parameters()), torch.zeros(()))


@pytest.mark.parametrize("noise", [0.0, 0.1, "adaptive"])
def test_weights_stay_while_a_gradient_is_taken(noise: WeightNoise) -> None:
    """To the bit, with every form of noise; the gradient is that at weights this far away from them."""
    made = network()
    gradient = gradient_of(made, noise, 1000)
    adam = Adam(gradient.learned, 1e-3, 1e9, 10)
    before = adam.vector.clone()
    found = gradient.of(lambda: squares(made), adam)[: sum(weight.numel() for weight in made.parameters())]
    assert torch.equal(adam.vector, before)
    off = found / 2 - before[: len(found)]
    expected = FIRST if noise == "adaptive" else float(noise)
    assert float(off.std()) == pytest.approx(expected, rel=0.15, abs=1e-6)


def test_noise_is_a_second_pass() -> None:
    """A deviation of 0 is one pass; another one adds a second pass of as many epochs, which progress counts on."""
    told, data = {}, buffer()
    for noise in (0.0, 0.05):
        recipe, epochs = Recipe(epochs=3, windows=64, batch=16, weight_noise=noise), list[int]()

        def progress(epoch: int, e_p: float, epochs: list[int] = epochs) -> None:
            epochs.append(epoch)

        fit("memoryless", SIZES, data, data.origins(10, 6, 50), recipe, progress)
        told[noise] = epochs
    assert told == {0.0: [1, 2, 3], 0.05: [1, 2, 3, 4, 5, 6]}


@pytest.mark.parametrize("noise", [0.05, "adaptive"])
def test_a_second_pass_never_ends_worse(noise: WeightNoise) -> None:
    """It begins from the best epoch of the first one, which stays where no epoch with noise is better."""
    data = buffer()
    origins, errors = data.origins(10, 6, 50), list[float]()
    recipe = Recipe(epochs=3, windows=64, batch=16, weight_noise=noise)
    _, best = fit("memoryless", SIZES, data, origins, recipe, lambda _, e_p: errors.append(e_p))
    _, first = fit("memoryless", SIZES, data, origins, Recipe(epochs=3, windows=64, batch=16), lambda *_: None)
    assert all(math.isfinite(error) for error in errors)
    assert best == min(errors) <= first == min(errors[:3])


def test_a_weight_that_the_data_do_not_need_takes_all_the_noise_that_its_prior_allows() -> None:
    """Of a loss on half of the weights, the others' deviations become that of the fitted prior, and those of the needed
    ones what the data allow: σ² = spread / (1 + 2·truths·spread), where both costs balance."""
    targets, truths = torch.tensor([-1.0, -0.5, 0.5, 1.0]), 100
    torch.manual_seed(0)
    made = nn.ParameterList([nn.Parameter(targets.clone()), nn.Parameter(targets.clone())])
    gradient = Adaptive(made, truths)  # type: ignore[arg-type]
    adam = Adam(gradient.learned, 0.02, 1e9, 3000)
    for _ in range(3000):
        adam.follow(gradient.of(lambda: 1 + (made[0] - targets).square().sum() + 0 * made[1].sum(), adam))
    means, deviations = adam.vector[:8], adam.vector[8:].exp()
    spread = float((deviations.square() + (means - means.mean()).square()).mean())
    torch.testing.assert_close(means[:4], targets, atol=0.1, rtol=0)
    assert deviations[:4].tolist() == pytest.approx([math.sqrt(spread / (1 + 2 * truths * spread))] * 4, rel=0.2)
    assert deviations[4:].tolist() == pytest.approx([math.sqrt(spread)] * 4, rel=0.2)
