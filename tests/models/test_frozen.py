"""Frozen networks on tiles of series, against the networks that were trained."""

from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest
import torch

from streamer.models import KINDS, Kind, Network, Sizes, build
from streamer.models.frozen import LARGEST, TILE, Loop, freeze, loops, room
from streamer.records import CellName


def network(kind: Kind, cell: CellName, d: int = 1, **sizes: float) -> Network:
    torch.manual_seed(1)
    made = build(kind, Sizes(**{"d": d, "m": 30, "k": 4, "p": 3, "n": 11, "r": 1.5, "cell": cell, **sizes}))  # type: ignore[arg-type]
    for weight in made.parameters():
        weight.data += 0.2 * torch.randn_like(weight)
    return made.requires_grad_(False)


def reached(made: Network, b: int) -> torch.Tensor:
    """States of b series after some samples."""
    return made.run(torch.randn(b, 9, made.sizes.d), made.zero_state(b))


def columns(rows: torch.Tensor, loop: Loop) -> np.ndarray:
    """[t·w, r] -> [t, r, w]."""
    t, _, w = loop.x.shape
    return rows.view(t, w, -1).transpose(1, 2).numpy()


def ahead(loop: Loop, h: int) -> torch.Tensor:
    """The next h values, [t·w, h, d]."""
    z = np.zeros((h, *loop.x.shape), np.float32)
    loop.forecast(z, loop.u[None][:0])
    return torch.from_numpy(z.transpose(1, 3, 0, 2).reshape(-1, h, loop.x.shape[1]))


@pytest.mark.parametrize(("d", "layers"), [(1, 1), (3, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize("cell", get_args(CellName))
@pytest.mark.parametrize("kind", KINDS)
def test_as_trained(kind: Kind, cell: CellName, d: int, layers: int) -> None:
    """Steps and forecasts of any length are those of the network to 1e-5, in every tile."""
    made = network(kind, cell, d, layers=layers)
    loop = freeze(made, (2, 16))
    s, x = reached(made, room(loop)), torch.randn(5, room(loop), d)
    loop.s[:] = columns(s, loop)
    for sample in x:
        loop.x[:] = columns(sample, loop)
        loop.step()
        s = made.step(sample, s)
        np.testing.assert_allclose(loop.s, columns(s, loop), atol=1e-5)
    for h in (1, 3, 4, 5, 8, 9, 12):
        loop.s[:] = columns(s, loop)
        torch.testing.assert_close(ahead(loop, h), made.forecast(s, h), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cell", get_args(CellName))
@pytest.mark.parametrize("kind", KINDS)
def test_one_value_leaves_the_state(kind: Kind, cell: CellName) -> None:
    """A forecast of one value, by which a missing tick is bridged, leaves the states as they are."""
    made = network(kind, cell)
    loop = freeze(made, (1, 16))
    s = columns(reached(made, 16), loop)
    loop.s[:] = s
    ahead(loop, 1)
    np.testing.assert_array_equal(loop.s, s)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As the daemon runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("n", "layers"), [(2, 1), (16, 1), (50, 1), (64, 1), (16, 2)])
@pytest.mark.parametrize("cell", get_args(CellName))
@pytest.mark.parametrize("kind", KINDS)
def test_shapes_and_columns_do_not_matter(kind: Kind, cell: CellName, n: int, layers: int) -> None:
    """A series in any column of any tile of any shape, whatever is beside it, has the same forecast to the bit."""
    made = network(kind, cell, n=n, layers=layers)
    alike = loops(made)
    assert [room(loop) for loop in alike][-4:] == [TILE, 2 * TILE, 3 * TILE, 4 * TILE]
    s = reached(made, LARGEST)
    whole = alike[-1]
    whole.s[:] = columns(s, whole)
    wanted = ahead(whole, made.sizes.horizon)
    for loop in alike:
        order = torch.randperm(LARGEST)[: room(loop)]
        loop.s[:] = columns(s[order], loop)
        assert torch.equal(ahead(loop, made.sizes.horizon), wanted[order])


def test_shapes_that_round_differently_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where products of some shape differ in the last bit from those of one whole tile, it is not used."""
    made, exact = network("memoryless", "rnn"), torch.bmm

    def rounds_differently(a: torch.Tensor, s: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        return exact(a, s, out=out).mul_(1 + 2e-7 * (len(s) > 1 or s.shape[2] in (16, 48)))

    monkeypatch.setattr(torch, "bmm", rounds_differently)
    assert [room(loop) for loop in loops(made)] == [32, TILE]
