"""Tuning the decoder alone."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from streamer.models import Sizes, Traditional
from streamer.records import CellName, Recipe
from streamer.tools.replay.signals import Signal
from streamer.train.fit import fit
from streamer.train.tune import RATE, decode, loss, relation_error, truths, tune
from streamer.train.windows import Buffer

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small products on two threads of a busy machine mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def waves(samples: int = 800) -> Buffer:
    """A noisy sine, its newest fifth held out, with a hole."""
    x = Signal("sine").noisy(samples, seed=1).astype(np.float32)[:, None]
    x[300:303] = np.nan
    return Buffer.of([x], [round(0.8 * samples)], CPU)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "lru", "slstm"])
def test_only_the_decoder_changes_and_the_error_falls(cell: CellName) -> None:
    """F1 and P stay bit for bit; on a wave that the network has hardly learnt, E_p over all rounds falls."""
    buffer, sizes = waves(), Sizes(m=10, k=3, p=4, n=8, cell=cell)
    origins = buffer.origins(sizes.m, sizes.horizon, 100)
    recipe = Recipe(epochs=4, windows=640, seed=3)
    network, _ = fit("traditional", sizes, buffer, origins, recipe, lambda *_: None)
    assert isinstance(network, Traditional)
    trained = {name: weight.clone() for name, weight in network.state_dict().items()}
    beats = []
    tuned, before, after = tune(network, buffer, origins, recipe, lambda: beats.append(1))
    changed = {
        name.split(".")[0] for name, weight in tuned.state_dict().items() if not torch.equal(weight, trained[name])
    }
    assert changed == {"F2"}
    assert all(torch.equal(weight, trained[name]) for name, weight in network.state_dict().items())
    assert after < before
    assert len(beats) == 5 * 10


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_the_error_at_the_origins_never_rises(cell: CellName) -> None:
    """Where no epoch of the tuning is better, and where it diverges, the untuned weights come back."""
    buffer, sizes = waves(), Sizes(m=10, k=3, p=2, n=6, cell=cell)
    origins = buffer.origins(sizes.m, sizes.horizon, 50)
    recipe = Recipe(epochs=2, windows=128)
    network, _ = fit("traditional", sizes, buffer, origins, recipe, lambda *_: None)
    assert isinstance(network, Traditional)
    for rate in (RATE, 0.5):
        _, before, after = tune(network, buffer, origins, recipe, rate=rate)
        assert after <= before
    tuned, before, after = tune(network, buffer, origins, recipe, rate=math.inf)
    assert after == before
    assert all(torch.equal(weight, network.state_dict()[name]) for name, weight in tuned.state_dict().items())


def test_a_buffer_too_short_for_all_rounds_leaves_the_network_alone() -> None:
    """Without a window of m and k·p ticks before the held-out part there is nothing to tune on."""
    buffer, sizes = waves(750), Sizes(m=600, k=1, p=60, n=6, cell="rnn")
    buffer = replace(buffer, bounds=[(0, 620, 750)])
    origins = buffer.origins(sizes.m, sizes.horizon, 50)
    network = Traditional(sizes)
    tuned, before, after = tune(network, buffer, origins, Recipe(windows=64))
    assert before == after
    assert all(torch.equal(weight, network.state_dict()[name]) for name, weight in tuned.state_dict().items())


def test_the_relation_is_equation_13() -> None:
    """`gap` compares F2(s, F2(s, 0)) with F2(F1(P(F2(s, 0)), s), 0), and is 0 where F2 ignores its inputs."""
    torch.manual_seed(0)
    network = Traditional(Sizes(m=6, k=2, p=2, n=9, cell="rnn")).requires_grad_(False)
    s = torch.randn(5, network.state_size)
    zero = torch.zeros(5, network.F2.state_size)
    first = network.F2(s, zero)
    left, right = network.F2(s, first), network.F2(network.F1(network.P(first), s), zero)
    torch.testing.assert_close(decode(network, s, 2), torch.stack([first, left], 1))
    spread = (right - right.mean(0)).square().mean()
    torch.testing.assert_close(relation_error(network, s), (left - right).square().mean() / spread)
    weights = dict(network.F2.named_parameters())
    weights["core.weight_ih_l0"].zero_()
    weights["core.weight_hh_l0"].zero_()
    assert relation_error(network, s) == 0


def test_missing_truths_weigh_nothing() -> None:
    """What a tick without a sample was filled with does not move the loss."""
    buffer, sizes = waves(), Sizes(m=20, k=5, p=2, n=12, cell="rnn")
    network = Traditional(sizes).requires_grad_(False)
    positions = torch.tensor([295, 298])
    s = torch.randn(2, network.state_size)
    before = loss(network, s, *truths(buffer, positions, sizes.horizon))
    buffer.x[300:303] = 99.0
    assert loss(network, s, *truths(buffer, positions, sizes.horizon)) == before
