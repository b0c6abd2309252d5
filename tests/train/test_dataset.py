"""What a training reads of each series."""

import numpy as np
import pytest
import torch

from streamer.ingest.grid import Stretch
from streamer.train.dataset import fair, halves, measure, within

NEED = 20


def measured(count: int, every: int = 1) -> Stretch:
    """So many samples, each `every` ticks."""
    x = np.full((count * every, 1), np.nan)
    x[every - 1 :: every, 0] = np.arange(count)
    ticks = np.arange(len(x))
    return Stretch(ticks, ticks.astype(np.float64), x)


def test_a_series_that_sends_more_often_contributes_no_more() -> None:
    """Of a rogue with four times as many samples as each other one, the newest are taken, and as many as of those."""
    raw = {ident: [measured(100)] for ident in range(7)} | {
        7: [measured(300), measured(60), measured(15), measured(55)]
    }
    kept = fair(raw, NEED)
    assert all(kept[ident][0].x.tolist() == raw[ident][0].x.tolist() for ident in range(7))
    assert [len(part.x) for part in kept[7]] == [30, 55]
    assert kept[7][0].x[:, 0].tolist() == list(range(30, 60))


def test_bridged_ticks_count_too() -> None:
    """A series with a sample every 101 ticks contributes no more ticks than the others have."""
    kept = fair({ident: [measured(300)] for ident in range(7)} | {7: [measured(50, 101)]}, NEED)
    assert [len(part.x) for part in kept[7]] == [300]


@pytest.mark.parametrize(("window", "samples"), [(1, 1), (101, 1), (102, 2), (10_000, 100)])
def test_the_window_counts_bridged_ticks(window: int, samples: int) -> None:
    """Of a series with a sample every 101 ticks a window holds as many as lie in it; a longer gap takes one tick."""
    assert within(101 * np.arange(1000), window, 100) == samples
    assert within(np.array([0, 1, 10_000, 10_001]), 4, 100) == 4


@pytest.mark.parametrize(("window", "samples"), [(6, 2), (7, 3)])
def test_the_window_counts_filled_ticks(window: int, samples: int) -> None:
    """A gap of 9,999 ticks, of which 4 are filled, takes these and its sample."""
    assert within(np.array([0, 1, 10_000, 10_001]), window, 4, fill=True) == samples


def test_short_series_take_nothing_from_long_ones() -> None:
    """Where most of the series are new, those that are there for longer keep all they have."""
    raw = {ident: [measured(30 if ident < 5 else 1000)] for ident in range(8)}
    assert {ident: len(parts[0].x) for ident, parts in fair(raw, NEED).items()} == {
        ident: len(parts[0].x) for ident, parts in raw.items()
    }


def test_few_series_are_not_cut() -> None:
    """One series alone, and two of which one is far longer, are taken whole."""
    for raw in ({1: [measured(500, 3)]}, {1: [measured(100)], 2: [measured(5000)]}):
        assert {ident: len(parts[0].x) for ident, parts in fair(raw, NEED).items()} == {
            ident: len(parts[0].x) for ident, parts in raw.items()
        }


def test_a_series_that_begins_with_missing_ticks_has_a_scale() -> None:
    """Mean and deviation are those of samples, where the first ticks, or all before the held-out part, have none."""
    late, rare = measured(40, 3), measured(1, 90)
    scales = measure({1: [late], 2: [rare]}, 0.2)
    taught = late.x[:96][~np.isnan(late.x[:96])]
    assert np.isnan(late.x[0, 0])
    np.testing.assert_allclose(scales[1], [[taught.mean()], [taught.std()]])
    assert np.isfinite(scales[2]).all()


@pytest.mark.parametrize(("counts", "older"), [([4, 3, 1], 3), ([1, 1], 1), ([5], 2)])
def test_each_series_is_in_both_halves(counts: list[int], older: int) -> None:
    """Of the held-out origins of each series the older ones choose the epoch, the newer ones are for the gate; where no
    series has two, series are parted."""
    raw = {ident: [measured(40), measured(60)] for ident in range(len(counts))}
    origins = torch.cat([torch.arange(count) + 100 * ident + 50 for ident, count in enumerate(counts)])
    first, owner = halves(origins, raw)
    assert owner.tolist() == [ident for ident, count in enumerate(counts) for _ in range(count)]
    assert int(first.sum()) == older
    for ident, count in enumerate(counts):
        here = first[owner == ident].tolist()
        assert here == sorted(here, reverse=True)
        assert count == 1 or not all(here)
