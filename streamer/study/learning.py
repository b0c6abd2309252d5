"""A loss in, a trained network out: the daemon's Adam with its one-cycle rate, until solved or out of steps."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from streamer.train.adam import Adam


@dataclass(frozen=True, slots=True)
class Lessons:
    """How to train: most steps, sequences a step, peak rate, largest gradient norm; steps between two exams."""

    steps: int
    batch: int = 32
    rate: float = 5e-3
    clip: float = 1.0
    every: int = 100


def learn(
    network: nn.Module, loss: Callable[[], Tensor], how: Lessons, solved: Callable[[], bool] = lambda: False
) -> int:
    """Take steps down the loss of fresh data until `solved`, asked every `how.every` steps; the number of steps."""
    adam = Adam(network, how.rate, how.clip, how.steps)
    for step in range(1, how.steps + 1):
        adam.step(loss())
        if step % how.every == 0 and solved():
            return step
    return how.steps
