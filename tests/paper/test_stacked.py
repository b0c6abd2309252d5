"""Networks side by side against the project's own models, one by one."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from streamer.models import KINDS, Kind, Network, Sizes, build
from streamer.paper.stacked import Stack
from streamer.paper.training import HORIZON, Learner, Member, Plan, learner, train
from streamer.paper.waves import gather, waves

CPU = torch.device("cpu")
SIZES = Sizes(m=20, k=5, n=12, r=1.0, cell="rnn")
CASES = pytest.mark.parametrize("kind", KINDS)


def alone(kind: Kind, seed: int = 3) -> Network:
    torch.manual_seed(seed)
    return build(kind, SIZES)


def stacked(kind: Kind) -> Stack:
    """The network of `alone` beside a larger one, so that it is padded."""
    return Stack.fresh(kind, [SIZES, Sizes(m=20, k=5, n=18, r=2.0, cell="rnn")], [3, 4], CPU)


def window(b: int = 7) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(b, SIZES.m, 1)


@CASES
def test_a_stacked_network_forecasts_as_alone(kind: Kind) -> None:
    """State and k·p forecasts of a padded network in a stack are those of the same network alone, to rounding."""
    x, network, stack = window(), alone(kind).requires_grad_(False), stacked(kind)
    s = stack.run(x[:, :, 0].T.expand(2, -1, -1), stack.zero_state(len(x)))
    own = network.run(x, network.zero_state(len(x)))
    torch.testing.assert_close(s[0, :, : network.state_size], own, atol=1e-6, rtol=0)
    torch.testing.assert_close(stack.forecast(s, 15, 5)[0].T, network.forecast(own, 15)[:, :, 0], atol=2e-6, rtol=0)
    torch.testing.assert_close(stack.network(0).forecast(own, 15), network.forecast(own, 15))


@CASES
def test_a_stacked_step_of_adam_is_the_lone_one(kind: Kind) -> None:
    """Gradient, clipping by the network's own norm and Adam's step give the weights that training alone gives."""
    data = waves([0], False, 20, 2000, "gaussian", CPU)
    members = [Member(kind, 12, 3, m=20, k=5), Member(kind, 18, 4, r=2.0, m=20, k=5)]
    network, stack = alone(kind), stacked(kind)
    learning = learner(stack, members, data, [0, 0])
    weights = [weight.requires_grad_() for weight in stack.weights.values()]
    initial, chosen = stack.zero_state(40), torch.arange(40)
    optimiser = torch.optim.Adam(weights, lr=1e-2, fused=True)
    own = torch.optim.Adam(network.parameters(), lr=1e-2)
    x = gather(data.x, learning.origins[:1], -20, 0)[0].T.unsqueeze(2)
    truth = gather(data.x, learning.origins[:1], 0, 5)[0].T.unsqueeze(2)
    for _ in range(3):
        learning.step(optimiser, chosen, initial, 0.05, (5,))
        own.zero_grad()
        (network.forecast(network.run(x, network.zero_state(40)), 5) - truth).square().mean().backward()  # type: ignore[no-untyped-call]
        assert nn.utils.clip_grad_norm_(network.parameters(), 0.05) > 0.05
        own.step()
    for name, weight in stack.network(0).state_dict().items():
        torch.testing.assert_close(weight, network.state_dict()[name], atol=2e-4, rtol=1e-3)


@CASES
def test_padding_stays_zero_and_changes_nothing(kind: Kind) -> None:
    """After training, a padded network's extra weights are 0 to the bit, and its own are those of training unpadded."""
    data = waves([0], False, 100, 2000, "gaussian", CPU)
    small, large = Member(kind, 8, 0, m=10, k=3, share=0.5), Member(kind, 14, 0, r=2.0, m=10, k=3)
    plan = Plan(epochs=2, batch=40)
    both = train([small, large], data, [0, 0], plan, lambda _: None)
    single = train([small], data, [0], plan, lambda _: None)
    for name, weight in both.weights.items():
        own = single.weights[name][0]
        inside = tuple(slice(length) for length in own.shape)
        torch.testing.assert_close(weight[0][inside], own, atol=1e-5, rtol=0)
        rest = weight[0].clone()
        rest[inside] = 0.0
        assert not rest.any()


def test_carried_states_are_those_of_the_stream() -> None:
    """After enough passes, a window starts from the state that running the stream from its beginning reaches there."""
    data = waves([0], False, 30, 2000, "gaussian", CPU)
    members = [Member("memoryless", 8, 0, m=20, share=1.0)]
    stack = Stack.fresh("memoryless", [members[0].sizes], [0], CPU)
    learning = learner(stack, members, data, [0])
    for _ in range(2000 // 250):
        reached = learning.initial(torch.Generator())
    for signal in range(2):
        stream = data.x[:, 2000 * signal : 2000 * (signal + 1)]
        for i in range(3):
            begin = int(data.origins[0, signal, i]) - 2000 * signal - 20
            whole = stack.run(stream[:, :begin, None], stack.zero_state(1))
            torch.testing.assert_close(reached[:, 30 * signal + i], whole[:, 0], atol=1e-5, rtol=0)


def test_training_learns() -> None:
    """Twenty epochs bring the one-cycle training's loss on held-out waves below half of the signal's power."""
    data = waves([0, 1], False, 300, 2000, "gaussian", CPU)
    members = [Member("memoryless", 16, seed, m=30) for seed in (0, 1)]
    stack = train(members, data, [0, 1], Plan(epochs=20, rate=3e-3), lambda _: None)
    learning = learner(stack, members, waves([0, 1], True, 300, 2000, "gaussian", CPU), [0, 1])
    loss = learning.loss(torch.arange(600), stack.zero_state(600), 10).detach()
    assert math.isfinite(float(loss.sum()))
    assert float(loss.max()) < 0.25


def test_the_last_epochs_look_at_all_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """With `rounds`, so many epochs at the end have the loss over HORIZON values beside that over k, the others not."""
    seen: list[tuple[int, ...]] = []
    real = Learner.step

    def step(self: Learner, *arguments: Any) -> None:
        seen.append(arguments[-1])
        real(self, *arguments)

    monkeypatch.setattr(Learner, "step", step)
    data = waves([0], False, 20, 2000, "gaussian", CPU)
    train([Member("memoryless", 6, 0, m=20, k=5)], data, [0], Plan(epochs=3, batch=64, rounds=1), lambda _: None)
    assert seen == [(5,), (5,), (5, HORIZON)]
