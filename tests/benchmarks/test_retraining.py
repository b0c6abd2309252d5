"""That the benchmark of retraining measures what it says."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from streamer.models import KINDS
from streamer.records import Sizes
from tests.benchmarks import retraining
from tests.benchmarks.retraining import OURS, Result, ours, textbook


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Little data, and the textbook on one thread."""
    for name, value in (("TICKS", 2_000), ("TESTED", 50), ("WINDOWS", 640)):
        monkeypatch.setattr(retraining, name, value)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def spread(result: Result) -> list[float]:
    """Every error; that of saying the mean is 0.68, that of the noise 0.149."""
    return [e for kind in KINDS for e in result.errors[kind]]


async def test_both_ways_learn_the_same_waves(tmp_path: Path) -> None:
    """The loop and the training process give errors of both networks, on the same scale, below that of the mean."""
    sizes = Sizes(n=20, cell="rnn")
    plain = textbook(sizes, 8, 0)
    trained = await ours(sizes, replace(OURS["rnn"], epochs=8, windows=640, batch=32), 2, tmp_path)
    assert all(0.149 < e < 0.65 for e in spread(plain) + spread(trained))
    assert 0 < trained.seconds < trained.started
    assert trained.cpu > 0
