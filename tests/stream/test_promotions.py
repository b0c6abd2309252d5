"""What a promotion under way collects, and which samples it keeps in the journal."""

import numpy as np

from streamer.records import TickBatch
from streamer.stream.promotions import Promotions
from tests.forecast.ticks import ticks_of


def ticks(*numbers: int) -> list[TickBatch]:
    return [ticks_of([0], np.zeros((1, 1)), tick) for tick in numbers]


def test_tick_batches_are_collected_while_it_is_under_way() -> None:
    """What comes before it begins and after it ends is not kept; what came meanwhile is taken once, in its order."""
    made = Promotions()
    one, two, three, four = ticks(1, 2, 3, 4)
    made.record(one)
    made.begin()
    assert made.under_way
    for batch in (two, three, four):
        made.record(batch)
    assert made.waiting == 3
    assert list(made.take(2)) == [two, three]
    assert made.waiting == 1
    made.end()
    made.record(one)
    assert (made.under_way, made.waiting) == (False, 0)
    made.begin()
    assert made.waiting == 0


def test_what_must_stay_in_the_journal() -> None:
    """Samples after the oldest snapshot, those that later swaps were warmed on, and all while a promotion reads."""
    made = Promotions()
    assert made.needed(7, 40) == 40
    made.swapped(1, {7: 30, 8: 5})
    made.swapped(2, {7: 35})
    assert (made.needed(7, 40), made.needed(8, 40), made.needed(9, 40), made.needed(7, 20)) == (30, 5, 40, 20)
    made.saved(1)
    assert (made.needed(7, 40), made.needed(8, 40)) == (35, 40)
    made.begin()
    assert made.needed(7, 40) == 0
    made.end()
    made.saved(2)
    assert made.needed(7, 40) == 40


def test_version() -> None:
    """It is that of the newest outcome; swaps that are not saved yet stay with theirs."""
    made = Promotions()
    made.swapped(3, {1: 0})
    made.concluded(3)
    assert made.version == 3
    made.saved(2)
    assert made.swaps == [(3, {1: 0})]
