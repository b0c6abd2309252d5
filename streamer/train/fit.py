"""A buffer in, a trained network and its error out: Adam on windows of m + k ticks (paper, section 2)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from streamer.models import Kind, Network, Sizes, build
from streamer.records import Recipe
from streamer.train.adam import Adam
from streamer.train.graph import Repeated
from streamer.train.windows import Buffer, Carry, window

Progress = Callable[[int, float], None]
"""Called after every epoch with its number, from 1, and its E_p."""
Beat = Callable[[], None]
"""Called at every step of the training loop, which tells a running training from a hung one."""


def fit(
    kind: Kind,
    sizes: Sizes,
    buffer: Buffer,
    origins: Tensor,
    recipe: Recipe,
    progress: Progress,
    beat: Beat = lambda: None,
) -> tuple[Network, float]:
    """Trains a network; returns that of the epoch with the least E_p at the origins, and this E_p.

    E_p is infinite if it is finite in no epoch. The same seed gives the same weights on the same machine.
    """
    torch.manual_seed(recipe.seed)
    network = build(kind, sizes).to(buffer.x.device)
    carry, starts = Carry(network, buffer), buffer.starts(sizes.m, sizes.k)
    epoch = Epoch(network, buffer, recipe)
    best, best_weights = math.inf, network.state_dict()
    chosen = draw(starts, recipe)
    initial = carry.states(chosen)
    for done in range(1, recipe.epochs + 1):
        initial[(torch.rand(len(chosen)) >= recipe.share).to(initial.device)] = 0.0
        epoch.run(chosen, initial, beat)
        chosen = draw(starts, recipe)
        reached = carry.states(torch.cat([origins, chosen]))  # one pass for both
        initial = reached[len(origins) :]
        e_p = forecast_error(network, buffer, origins, reached[: len(origins)])
        progress(done, e_p)
        if math.isnan(e_p):
            break  # weights that are NaN stay NaN
        if e_p < best:
            best, best_weights = e_p, {name: weight.clone() for name, weight in network.state_dict().items()}
    network.load_state_dict(best_weights)
    return network, best


class Epoch(Repeated):
    """The steps of an epoch, each on `batch` of its windows; what a step reads lies in tensors that stay (graph.py)."""

    def __init__(self, network: Network, buffer: Buffer, recipe: Recipe) -> None:
        super().__init__(buffer.x.device)
        self.network, self.buffer, self.steps = network, buffer, recipe.steps
        self.adam = Adam(network, recipe.learning_rate, recipe.clip, recipe.epochs * recipe.steps)
        self.starts = torch.zeros(recipe.steps, recipe.batch, dtype=torch.long, device=buffer.x.device)
        self.initial = buffer.x.new_zeros(recipe.steps, recipe.batch, network.state_size)
        self.at = torch.zeros(1, dtype=torch.long, device=buffer.x.device)

    def run(self, starts: Tensor, initial: Tensor, beat: Beat) -> None:
        """Train on windows from these starts [w] and states [w, S], w = steps·batch."""
        self.starts.copy_(starts.view_as(self.starts))
        self.initial.copy_(initial.view_as(self.initial))
        self.at.zero_()
        for _ in range(self.steps):
            self.repeat()
            beat()

    def work(self) -> None:
        """One step."""
        starts, initial = (tensor.index_select(0, self.at).squeeze(0) for tensor in (self.starts, self.initial))
        self.adam.step(window_loss(self.network, self.buffer, starts, initial))
        self.at += 1


def draw(starts: Tensor, recipe: Recipe) -> Tensor:
    """Random starts of the windows of one epoch."""
    return starts[torch.randint(len(starts), (recipe.steps * recipe.batch,)).to(starts.device)]


def window_loss(network: Network, buffer: Buffer, starts: Tensor, initial: Tensor) -> Tensor:
    """Mean squared error of the k values after each window, over truths that are real samples."""
    x, truth, real = window(buffer, network.sizes, starts)
    residual = (network.forecast(network.run(x, initial), network.sizes.k) - truth) * real
    return residual.square().sum() / real.sum().clamp(min=1) / network.sizes.d


def error(carry: Carry, origins: Tensor, units: Tensor | None = None) -> float:
    """E_p, eq. (15): root mean square error over k·p values after each origin, from states carried up to it.

    `units` [T, d] are factors that convert residuals to another scale.
    """
    return forecast_error(carry.network, carry.buffer, origins, carry.states(origins), units)


@torch.no_grad()
def forecast_error(network: Network, buffer: Buffer, origins: Tensor, s: Tensor, units: Tensor | None = None) -> float:
    """E_p as in `error`, from given states s [o, S] at the origins."""
    h = network.sizes.horizon
    truths = origins[:, None] + torch.arange(h, device=origins.device)
    residual = network.forecast(s, h) - buffer.x[truths]
    return root_mean_square(residual if units is None else residual * units[truths], buffer.real[truths])


def persistence_error(buffer: Buffer, origins: Tensor, h: int) -> float:
    """E_p of the persistence forecast."""
    truths = origins[:, None] + torch.arange(h, device=origins.device)
    return root_mean_square(buffer.x[origins - 1].unsqueeze(1) - buffer.x[truths], buffer.real[truths])


def root_mean_square(residual: Tensor, real: Tensor) -> float:
    """Root mean square of residuals [b, h, d] whose truth is a real sample, real [b, h]; infinite if none is."""
    count = int(real.sum()) * residual.shape[2]
    return math.sqrt(float((residual * real.unsqueeze(2)).square().sum()) / count) if count else math.inf
