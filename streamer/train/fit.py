"""A buffer in, one trained network and its error out: Adam on windows of m + k (paper, section 2)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from streamer.models import Kind, Network, Sizes, build
from streamer.records import Recipe
from streamer.train.adam import Adam
from streamer.train.windows import Buffer, Carry, window

Progress = Callable[[int, float], None]
Beat = Callable[[], None]
"""Called at every step of a loop that trains, so that who listens knows it from a hung one."""


def fit(
    kind: Kind,
    sizes: Sizes,
    buffer: Buffer,
    origins: Tensor,
    recipe: Recipe,
    progress: Progress,
    beat: Beat = lambda: None,
) -> tuple[Network, float]:
    """The network of the epoch with the least E_p (`error`) at the origins, and that E_p, infinite where it diverged.

    `progress(epoch, E_p)` is called once an epoch, `beat` at every step. The same seed and machine give the same
    weights.
    """
    torch.manual_seed(recipe.seed)
    device = buffer.x.device
    network = build(kind, sizes).to(device)
    carry = Carry(buffer)
    starts = buffer.starts(sizes.m, sizes.k)
    steps = recipe.epochs * math.ceil(recipe.windows / recipe.batch)
    adam = Adam(network, recipe.learning_rate, recipe.clip, steps)
    best, kept = math.inf, network.state_dict()
    chosen = draw(starts, recipe)
    initial = carry.states(network, chosen)
    for epoch in range(recipe.epochs):
        initial[(torch.rand(recipe.windows) >= recipe.share).to(device)] = 0.0
        for begin in range(0, recipe.windows, recipe.batch):
            part = slice(begin, begin + recipe.batch)
            adam.step(window_loss(network, buffer, chosen[part], initial[part]))
            beat()
        chosen = draw(starts, recipe)
        reached = carry.states(network, torch.cat([origins, chosen]))  # one pass for this error and the next epoch
        initial = reached[len(origins) :]
        e_p = forecast_error(network, buffer, origins, reached[: len(origins)])
        progress(epoch + 1, e_p)
        if math.isnan(e_p):
            break  # weights that are no numbers stay none
        if e_p < best:
            best, kept = e_p, {name: weight.clone() for name, weight in network.state_dict().items()}
    network.load_state_dict(kept)
    return network, best


def draw(starts: Tensor, recipe: Recipe) -> Tensor:
    """The windows of an epoch, drawn afresh from all positions."""
    return starts[torch.randint(len(starts), (recipe.windows,)).to(starts.device)]


def window_loss(network: Network, buffer: Buffer, starts: Tensor, initial: Tensor) -> Tensor:
    """Mean squared error of the k values after each window, over the truths that were measured."""
    x, truth, real = window(buffer, network.sizes, starts)
    residual = (network.forecast(network.run(x, initial), network.sizes.k) - truth) * real
    return residual.square().sum() / real.sum().clamp(min=1) / network.sizes.d


def error(network: Network, buffer: Buffer, carry: Carry, origins: Tensor, units: Tensor | None = None) -> float:
    """E_p, eq. (15): root of the mean squared error over k·p values after each origin, the state carried up to it.

    `units` [T, d] turns residuals into those of another scale.
    """
    return forecast_error(network, buffer, origins, carry.states(network, origins), units)


@torch.no_grad()
def forecast_error(network: Network, buffer: Buffer, origins: Tensor, s: Tensor, units: Tensor | None = None) -> float:
    """The same from given states s [o, S]."""
    h = network.sizes.horizon
    truths = origins[:, None] + torch.arange(h, device=origins.device)
    residual = network.forecast(s, h) - buffer.x[truths]
    return root_mean_square(residual if units is None else residual * units[truths], buffer.real[truths])


def persistence_error(buffer: Buffer, origins: Tensor, h: int) -> float:
    """E_p of saying that nothing changes."""
    truths = origins[:, None] + torch.arange(h, device=origins.device)
    return root_mean_square(buffer.x[origins - 1].unsqueeze(1) - buffer.x[truths], buffer.real[truths])


def root_mean_square(residual: Tensor, real: Tensor) -> float:
    """Over the elements [b, h, d] whose truth was measured, real [b, h]; infinite where none was."""
    count = int(real.sum()) * residual.shape[2]
    return math.sqrt(float((residual * real.unsqueeze(2)).square().sum()) / count) if count else math.inf
