"""Bits of text, by the cells' equations in numpy; dynamic evaluation and weight noise by hand."""

import copy

import numpy as np
import pytest
import torch

from streamer.models.cells import CELLS
from streamer.records import CellName, Sizes
from streamer.study.language import SEGMENT, Dynamic, bits, documentation, loss, noisy_loss, sample, xz_bits
from streamer.study.learning import Lessons, learn
from streamer.study.reader import Reader
from streamer.study.text import reading
from tests.models.equations import cell

A = 5


def network(name: CellName = "lstm") -> Reader:
    torch.manual_seed(0)
    return Reader(name, A, 8, A)


def text(length: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, A, length))


@pytest.mark.parametrize("name", CELLS)
def test_bits(name: CellName) -> None:
    """Bits per character are the mean -log2 of what the cell's equations give, the state carried over segments."""
    reader, read = network(name), text(2 * SEGMENT + 7)
    w = {key: weight.double().numpy() for key, weight in reader.state_dict().items()}
    F, s, found = cell(w, "F", Sizes(cell=name)), np.zeros(reader.F.state_size), []
    for now, after in zip(read[:-1].tolist(), read[1:].tolist(), strict=True):
        s = F(np.eye(A)[now], s)
        y = np.exp(w["P.weight"] @ s[:8] + w["P.bias"])
        found.append(-np.log2(y[after] / y.sum()))
    assert bits(reader, read) == pytest.approx(np.mean(found), rel=1e-5)


def test_dynamic_evaluation() -> None:
    """Weights step down the gradient of a segment and back towards the trained ones; then the next segment is read."""
    reader, read, how = network(), text(2 * SEGMENT + 1), Dynamic(0.5, 0.1)
    moved, total, s = copy.deepcopy(reader), 0.0, reader.zero_state(1)
    for part in (read[: SEGMENT + 1], read[SEGMENT:]):
        found, s = loss(moved, part[None], s.detach())
        total += float(found.detach())
        found.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for weight, start in zip(moved.parameters(), reader.parameters(), strict=True):
                assert weight.grad is not None
                weight.copy_(weight - 0.5 * weight.grad + 0.1 * (start - weight))
                weight.grad = None
    before = copy.deepcopy(reader.state_dict())
    assert bits(reader, read, how) == pytest.approx(total / 2 / np.log(2), rel=1e-5)
    assert all(torch.equal(before[name], weight) for name, weight in reader.state_dict().items())
    assert bits(reader, read, Dynamic(0.0)) == pytest.approx(bits(reader, read), rel=1e-6)


def test_dynamic_evaluation_follows_another_text() -> None:
    """A network that has learned 0101… reads 2323… with fewer bits if it goes on learning."""
    reader = network()
    learn(reader, reading(reader, torch.tensor([0, 1]).repeat(1_000), 4, 0.0), Lessons(150, 4, 2e-2))
    other = torch.tensor([2, 3]).repeat(400)
    assert bits(reader, torch.tensor([0, 1]).repeat(100)) < 0.2
    assert bits(reader, other, Dynamic(0.3)) < 0.7 * bits(reader, other)


@pytest.mark.parametrize("name", CELLS)
def test_weight_noise(name: CellName) -> None:
    """Noise is on every weight and drawn for each call; its gradient is that at the noisy weights, and none stays."""
    reader, some = network(name), text(3 * 20).view(3, 20)
    before = copy.deepcopy(reader.state_dict())
    torch.manual_seed(3)
    found, _ = noisy_loss(reader, some, reader.zero_state(3), 0.2)
    gradients = torch.autograd.grad(found, list(reader.parameters()))
    torch.manual_seed(3)
    shifted = copy.deepcopy(reader)
    with torch.no_grad():
        for weight in shifted.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    wanted, _ = loss(shifted, some, reader.zero_state(3))
    torch.testing.assert_close(found, wanted)
    for one, other in zip(gradients, torch.autograd.grad(wanted, list(shifted.parameters())), strict=True):
        torch.testing.assert_close(one, other)
    assert all(torch.equal(before[key], weight) for key, weight in reader.state_dict().items())


def test_samples_follow_what_is_said() -> None:
    """A network that always says the same draws characters with those probabilities."""
    reader = network("rnn")
    with torch.no_grad():
        reader.P.weight.zero_()
        reader.P.bias.copy_(torch.tensor([0.5, 0.25, 0.25, 1e-9, 1e-9]).log())
    drawn = sample(reader, 0, 2_000, 1)
    assert torch.bincount(drawn, minlength=A)[3:].sum() == 0
    assert float((drawn == 0).float().mean()) == pytest.approx(0.5, abs=0.04)
    assert torch.equal(drawn, sample(reader, 0, 2_000, 1))


def test_the_documentation_is_read_once() -> None:
    """Every character has a number, no paragraph comes twice, and xz does not know the end by heart."""
    corpus = documentation(500, 2_000)
    whole = corpus.text(torch.cat([corpus.taught, corpus.tuned, corpus.tested]))
    paragraphs = whole.split("\n\n")
    assert (len(corpus.tuned), len(corpus.tested)) == (500, 2_000)
    assert len(paragraphs) == len(set(paragraphs))
    assert len(whole) > 200_000
    assert 1 < xz_bits(corpus) < 4
