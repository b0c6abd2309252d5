"""The training loop against torch's own optimiser."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from streamer.models import KINDS, Kind, Sizes, build
from streamer.records import CellName, Recipe
from streamer.train.fit import Epoch, fit, window_loss
from streamer.train.windows import Buffer

RECIPE = Recipe(epochs=2, windows=30, batch=8, learning_rate=1e-2)


def buffer() -> Buffer:
    noise = np.random.default_rng(0).normal(size=(300, 1)).astype(np.float32)
    return Buffer.of([noise], [250], torch.device("cpu"))


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
@pytest.mark.parametrize("kind", KINDS)
def test_epochs_take_the_steps_of_a_plain_loop(kind: Kind, cell: CellName) -> None:
    """Two epochs leave the weights where torch's Adam leaves them after the same batches."""
    sizes, made = Sizes(m=6, k=3, p=2, n=6, cell=cell), buffer()
    torch.manual_seed(0)
    ours, theirs = build(kind, sizes), build(kind, sizes)
    theirs.load_state_dict(ours.state_dict())
    steps = RECIPE.epochs * RECIPE.steps
    optimiser = torch.optim.Adam(theirs.parameters(), lr=RECIPE.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RECIPE.learning_rate, total_steps=steps)
    epoch = Epoch(ours, made, RECIPE, sizes.k)
    for _ in range(RECIPE.epochs):
        starts = torch.randint(200, (RECIPE.steps * RECIPE.batch,))
        initial = torch.randn(len(starts), ours.state_size)
        epoch.run(starts, initial, lambda: None)
        for at, s in zip(starts.split(RECIPE.batch), initial.split(RECIPE.batch), strict=True):  # type: ignore[no-untyped-call]
            optimiser.zero_grad()
            window_loss(theirs, made, at, s, sizes.k).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(theirs.parameters(), RECIPE.clip)
            optimiser.step()
            if schedule.last_epoch < steps - 1:
                schedule.step()
    for weight, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(weight, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_goes_on_from_the_weights_that_are_given(kind: Kind) -> None:
    """Steps of no length leave the weights that a training began with: those of the live network."""
    sizes, made = Sizes(m=6, k=3, p=2, n=6), buffer()
    live, still = build(kind, sizes), replace(RECIPE, learning_rate=1e-12, epochs=1)
    network, _ = fit(kind, sizes, made, made.origins(6, 6, 20), still, lambda *_: None, start=live)
    for weight, expected in zip(network.parameters(), live.parameters(), strict=True):
        torch.testing.assert_close(weight, expected, atol=1e-7, rtol=0)
