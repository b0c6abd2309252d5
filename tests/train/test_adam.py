"""The optimiser against torch's own."""

import pytest
import torch
from torch import Tensor, nn

from streamer.train.adam import Adam, one_cycle

STEPS = 40


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)).double()


def losses(of: nn.Module, step: int) -> Tensor:
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(7, 3, dtype=torch.double, generator=generator)
    value: Tensor = of(x)
    return (value - x.sum(1, keepdim=True)).square().mean()


@pytest.mark.parametrize("clip", [0.3, 1e9])
def test_weights_go_where_torchs_optimiser_takes_them(clip: float) -> None:
    """Step by step the weights are those of torch's Adam under OneCycleLR and clip_grad_norm_, clipped or not."""
    ours, theirs = network(), network()
    adam = Adam(ours, 0.05, clip, STEPS)
    optimiser = torch.optim.Adam(theirs.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.05, total_steps=STEPS)
    before = losses(ours, 0).item()
    for step in range(STEPS):
        adam.step(losses(ours, step))
        optimiser.zero_grad()
        losses(theirs, step).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(theirs.parameters(), clip)
        optimiser.step()
        if step < STEPS - 1:
            schedule.step()
        for weight, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(weight, expected)
    assert losses(ours, 0).item() < before


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 10, 1000])
def test_any_number_of_steps_is_a_cycle(steps: int) -> None:
    """The rate is positive, never above its peak, and the last is the least, however few steps there are."""
    rates = [one_cycle(step, steps)[0] for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[-1] == min(rates)
