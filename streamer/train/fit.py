"""A buffer in, a trained network and its error out: Adam on windows of m + k ticks (paper, section 2)."""

import math
import statistics
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from streamer.models import Kind, Network, Residual, Sizes, build
from streamer.records import Recipe, WeightNoise
from streamer.train.adam import Adam
from streamer.train.graph import Repeated
from streamer.train.noise import gradient_of
from streamer.train.windows import Buffer, Carry

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
    start: Network | None = None,
) -> tuple[Network, float]:
    """Trains a network; returns that of the epoch with the least loss at the origins, and its E_p.

    It goes on from the weights of `start`, where that is given, and from drawn ones elsewhere.
    E_p is infinite if it is finite in no epoch. The same seed gives the same weights on the same machine.
    """
    torch.manual_seed(recipe.seed)
    network = build(kind, sizes)
    if start:
        network.load_state_dict(start.state_dict())
    network = network.to(buffer.x.device)
    best, least, best_weights = math.inf, math.inf, network.state_dict()
    for before, noise in enumerate(recipe.passes):
        network.load_state_dict(best_weights)
        passed = epochs(network, buffer, origins, recipe, noise, beat)
        for done, (residual, real) in enumerate(passed, before * recipe.epochs + 1):
            e_p, size = root_mean_square(residual, real), float(loss_of(residual, real, buffer.naive))
            progress(done, e_p)
            if math.isnan(e_p):
                break  # weights that are NaN stay NaN
            if size < least and math.isfinite(e_p):
                best, least = e_p, size
                best_weights = {name: weight.clone() for name, weight in network.state_dict().items()}
    network.load_state_dict(best_weights)
    return network, best


def epochs(
    network: Network, buffer: Buffer, origins: Tensor, recipe: Recipe, noise: WeightNoise, beat: Beat
) -> Iterator[tuple[Tensor, Tensor]]:
    """Trains a network for the recipe's epochs; after each, its errors at the origins, as `residuals`."""
    length = taught(network, buffer)
    epoch = Epoch(network, buffer, recipe, length, noise)
    carry, starts = Carry(network, buffer), buffer.starts(network.sizes.m, length)
    chosen = draw(starts, recipe)
    initial = carry.states(chosen)
    for _ in range(recipe.epochs):
        initial[(torch.rand(len(chosen)) >= recipe.share).to(initial.device)] = 0.0
        epoch.run(chosen, initial, beat)
        chosen = draw(starts, recipe)
        reached = carry.states(torch.cat([origins, chosen]))  # one pass for both
        initial = reached[len(origins) :]
        yield residuals(network, buffer, origins, reached[: len(origins)])


class Epoch(Repeated):
    """The steps of an epoch, each on `batch` of its windows; what a step reads lies in tensors that stay (graph.py)."""

    def __init__(self, network: Network, buffer: Buffer, recipe: Recipe, length: int, noise: WeightNoise = 0.0) -> None:
        super().__init__(buffer.x.device)
        self.network, self.buffer, self.steps, self.length = network, buffer, recipe.steps, length
        self.gradient = gradient_of(network, noise, buffer.truths)
        self.adam = Adam(self.gradient.learned, recipe.learning_rate, recipe.clip, recipe.epochs * recipe.steps)
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
        loss = partial(window_loss, self.network, self.buffer, starts, initial, self.length)
        self.adam.follow(self.gradient.of(loss, self.adam))
        self.at += 1


def draw(starts: Tensor, recipe: Recipe) -> Tensor:
    """Random starts of the windows of one epoch."""
    return starts[torch.randint(len(starts), (recipe.steps * recipe.batch,)).to(starts.device)]


def taught(network: Network, buffer: Buffer) -> int:
    """Values after a window that a network learns from: k, or all k·p where it predicts changes and data suffice."""
    sizes = network.sizes
    longer = isinstance(network, Residual) and len(buffer.starts(sizes.m, sizes.horizon))
    return sizes.horizon if longer else sizes.k


def window_loss(network: Network, buffer: Buffer, starts: Tensor, initial: Tensor, length: int) -> Tensor:
    """The loss of windows of m ticks and the `length` values after them, over truths that are real samples."""
    m = network.sizes.m
    at = starts[:, None] + torch.arange(m, device=starts.device)
    s = network.run(buffer.z[at], initial, buffer.u[at])
    newest = starts + (m - 1)
    truths = newest[:, None] + torch.arange(1, length + 1, device=starts.device)
    return loss_of(buffer.forecast(network, s, newest, length) - buffer.x[truths], buffer.real[truths], buffer.naive)


def loss_of(residual: Tensor, real: Tensor, naive: Tensor | None) -> Tensor:
    """Mean square of residuals [b, h, d] whose truths are real [b, h]; or, by lead, size in units of naive [h]."""
    residual, count = residual * real.unsqueeze(2), real.sum().clamp(min=1) * residual.shape[2]
    if naive is None:
        return residual.square().sum() / count
    return (residual.abs() / naive[: residual.shape[1], None]).sum() / count


def settled(network: Network, buffer: Buffer, origins: Tensor, units: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """As `residuals`, from states carried up to the origins in a second pass along the buffer.

    `units` [T, d] are factors that convert residuals to another scale.
    """
    carry = Carry(network, buffer)
    carry.states(origins)
    residual, real = residuals(network, buffer, origins, carry.states(origins))
    if units is not None:
        residual = residual * units[origins[:, None] + torch.arange(residual.shape[1], device=origins.device)]
    return residual, real


@torch.no_grad()
def residuals(network: Network, buffer: Buffer, origins: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """Errors [o, h, d] of the k·p values from states s [o, S] at the origins; whether each truth is real [o, h]."""
    h = network.sizes.horizon
    truths = origins[:, None] + torch.arange(h, device=origins.device)
    return buffer.forecast(network, s, origins - 1, h) - buffer.x[truths], buffer.real[truths]


def persistence_residuals(buffer: Buffer, origins: Tensor, h: int) -> Tensor:
    """Errors [o, h, d] of the persistence forecast."""
    truths = origins[:, None] + torch.arange(h, device=origins.device)
    return buffer.x[origins - 1].unsqueeze(1) - buffer.x[truths]


def beside_persistence(residual: Tensor, naive: Tensor, real: Tensor, series: Tensor) -> float:
    """Mean absolute error over that of persistence, naive [o, h, d] on the same truths: the median over series [o].

    Each series counts alike, so that one of spikes does not decide for the others. Infinite where persistence makes no
    errors on any.
    """
    none = residual.new_zeros(int(series.max()) + 1)
    own, other = (
        none.index_add(0, series, (errors.abs() * real.unsqueeze(2)).sum((1, 2))) for errors in (residual, naive)
    )
    ratios = (own / other)[other > 0].tolist()
    return statistics.median(ratios) if ratios else math.inf


def root_mean_square(residual: Tensor, real: Tensor) -> float:
    """Root mean square of residuals [b, h, d] whose truth is a real sample, real [b, h]; infinite if none is."""
    count = int(real.sum()) * residual.shape[2]
    return math.sqrt(float((residual * real.unsqueeze(2)).square().sum()) / count) if count else math.inf
