"""Frozen networks on tiles of series, against the networks that were trained."""

from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest
import torch

from streamer.models import KINDS, Kind, Network, Sizes, build
from streamer.models.frozen import TILE, Loop, abreast, freeze
from streamer.records import CellName


def network(kind: Kind, cell: CellName, d: int = 1, **sizes: float) -> Network:
    torch.manual_seed(1)
    made = build(kind, Sizes(**{"d": d, "m": 30, "k": 4, "p": 3, "n": 11, "r": 1.5, "cell": cell, **sizes}))  # type: ignore[arg-type]
    for weight in made.parameters():
        weight.data += 0.2 * torch.randn_like(weight)
    return made.requires_grad_(False)


def columns(rows: torch.Tensor, t: int) -> np.ndarray:
    """[t·64, r] -> [t, r, 64]."""
    return rows.view(t, TILE, -1).transpose(1, 2).numpy()


def ahead(loop: Loop, h: int) -> torch.Tensor:
    """The next h values, [t·64, h, d]."""
    t, d, _ = loop.x.shape
    z = np.zeros((h, t, d, TILE), np.float32)
    loop.forecast(z)
    return torch.from_numpy(z.transpose(1, 3, 0, 2).reshape(-1, h, d))


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("cell", get_args(CellName))
@pytest.mark.parametrize("kind", KINDS)
def test_as_trained(kind: Kind, cell: CellName, d: int) -> None:
    """Steps and forecasts of any length are those of the network to 1e-5, in every tile."""
    made, t = network(kind, cell, d), 2
    loop = freeze(made, t)
    s, x = torch.randn(2 * t * TILE, made.state_size).tanh()[::2], torch.randn(5, t * TILE, d)
    loop.s[:] = columns(s.contiguous(), t)
    for sample in x:
        loop.x[:] = columns(sample, t)
        loop.step()
        s = made.step(sample, s)
        np.testing.assert_allclose(loop.s, columns(s, t), atol=1e-5)
    for h in (1, 3, 4, 5, 8, 9, 12):
        loop.s[:] = columns(s, t)
        torch.testing.assert_close(ahead(loop, h), made.forecast(s, h), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cell", get_args(CellName))
@pytest.mark.parametrize("kind", KINDS)
def test_one_value_leaves_the_state(kind: Kind, cell: CellName) -> None:
    """A forecast of one value, by which a missing tick is bridged, leaves the states as they are."""
    made = network(kind, cell)
    loop = freeze(made, 1)
    s = columns(torch.randn(TILE, made.state_size), 1)
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
@pytest.mark.parametrize("n", [2, 16, 50, 64])
@pytest.mark.parametrize("cell", get_args(CellName))
@pytest.mark.parametrize("kind", KINDS)
def test_tiles_and_columns_do_not_matter(kind: Kind, cell: CellName, n: int) -> None:
    """The same series in any column of any of t tiles, whatever is beside it, has the same forecast to the bit."""
    made, most = network(kind, cell, n=n), 4
    assert abreast(made, most) == most
    s = torch.randn(most * TILE, made.state_size).tanh()
    whole = freeze(made, most)
    whole.s[:] = columns(s, most)
    wanted = ahead(whole, made.sizes.horizon)
    for t in range(1, most + 1):
        loop, order = freeze(made, t), torch.randperm(most * TILE)[: t * TILE]
        loop.s[:] = columns(s[order], t)
        assert torch.equal(ahead(loop, made.sizes.horizon), wanted[order])


def test_tiles_alone_where_together_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a product for several tiles rounds differently from the one for a single tile, tiles go one by one."""
    made, exact = network("memoryless", "rnn"), torch.baddbmm

    def rounds_differently(b: torch.Tensor, a: torch.Tensor, s: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        return exact(b, a, s, out=out).mul_(1 + 2e-7 * (len(s) > 1))

    monkeypatch.setattr(torch, "baddbmm", rounds_differently)
    assert abreast(made, 4) == 1
