"""Layers: what the predictor sees of them, and that nothing else notices."""

import pytest
import torch

from streamer.models import Memoryless, Sizes, build
from streamer.models.cells import CELLS, Cell, cell_of
from streamer.records import CellName


def test_one_layer_is_the_cell_itself() -> None:
    """Without depth there is no stack: the same weights under the same names, and the fingerprint of before."""
    sizes = Sizes(cell="gru")
    torch.manual_seed(0)
    plain = CELLS["gru"](3, 8)
    torch.manual_seed(0)
    made = cell_of(sizes, 3, 8)
    assert type(made) is type(plain)
    for (name, weight), (other, expected) in zip(made.named_parameters(), plain.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(weight, expected)
    assert "layers" not in sizes.fingerprint()
    assert '"layers": 2' in Sizes(layers=2).fingerprint()


@pytest.mark.parametrize("cell", ["rnn", "lru", "lstm", "slstm"])
def test_the_predictor_reads_every_layer(cell: CellName) -> None:
    """A forecast of one value changes with the visible state of each layer, and with nothing else of the state."""
    torch.manual_seed(0)
    made = Memoryless(Sizes(n=5, cell=cell, layers=3)).requires_grad_(False)
    s = made.run(torch.randn(1, 9, 1), made.zero_state(1))
    before = made.forecast(s, 1)
    for at in range(made.state_size):
        other = s.clone()
        other[0, at] += 1
        assert bool((made.forecast(other, 1) != before).any()) == (at < 15)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm", "lru"])
def test_a_layers_states_along_a_window_are_those_of_its_steps(cell: CellName) -> None:
    """What the layer above reads, made by a compiled loop where there is one, equals the cell step by step."""
    torch.manual_seed(0)
    made, x = CELLS[cell](2, 6), torch.randn(4, 30, 2)
    s = made.run(torch.randn(4, 5, 2), torch.zeros(4, made.state_size)).detach()
    for ours, expected in zip(made.trace(x, s), Cell.trace(made, x, s), strict=True):
        torch.testing.assert_close(ours, expected, atol=2e-6, rtol=0)


def test_layers_work_as_written_one_after_the_other() -> None:
    """Each layer's state is that of its cell alone, run on the visible states of the layer below."""
    torch.manual_seed(0)
    sizes = Sizes(n=6, cell="lstm", layers=3)
    made = cell_of(sizes, 2, 6)
    x, s = torch.randn(4, 20, 2), torch.zeros(4, made.state_size)
    wanted, taken = [], x
    for layer in made.children().__next__():  # type: ignore[attr-defined]
        taken, last = layer.trace(taken, torch.zeros(4, 12))
        wanted.append(last)
    reached = made.run(x, s)
    torch.testing.assert_close(reached[:, :18], torch.cat([last[:, :6] for last in wanted], 1))
    torch.testing.assert_close(reached[:, 18:], torch.cat([last[:, 6:] for last in wanted], 1))
    assert build("memoryless", sizes).state_size == 36
