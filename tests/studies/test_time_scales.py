"""The study of how long layers remember."""

import numpy as np
import pytest
import torch

from streamer.models import Memoryless, Sizes
from streamer.models.cells import Stack
from tests.studies.time_scales import distances, time_scales


def test_a_layer_that_forgets_slowly_lasts_longer() -> None:
    """States are equal until the disturbance, all layers feel it at once, and the one whose memory fades by 0.95 a tick
    is found to last longer than the one that fades by 0.5."""
    torch.manual_seed(0)
    network = Memoryless(Sizes(n=6, cell="lru", layers=2)).requires_grad_(False)
    assert isinstance(network.F, Stack)
    for layer, kept in zip(network.F.layers, (0.5, 0.95), strict=True):
        layer.nu.fill_(np.log(-np.log(kept)))  # type: ignore[operator]
    found = distances(network, torch.randn(3, 120, 1), 20, 1.0)
    assert not found[:20].any()
    assert found[20].all()
    fast, slow = time_scales(found, 20)
    assert fast < 10 < slow


@pytest.mark.parametrize(("fades", "lasts"), [(0.5, 3), (0.9, 21)])
def test_how_long_an_exponential_lasts(fades: float, lasts: int) -> None:
    """Steps from the largest distance to the last one above a tenth of it."""
    found = np.concatenate([np.zeros((5, 1)), fades ** np.arange(60.0)[:, None]])
    assert time_scales(found, 5) == [lasts]
