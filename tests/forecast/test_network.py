"""States of many series in tiles: a row must not notice the others."""

from collections.abc import Iterator
from threading import Thread
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.forecast.network import NetworkForecaster
from streamer.forecast.scale import Scale
from streamer.models import KINDS, Kind, Sizes, build
from streamer.models.frozen import TILE, room
from streamer.records import CellName, Floats
from tests.forecast.ticks import ticks_of
from tests.models.reference import REFERENCES

SERIES = 300
HORIZON = 6


def forecaster(kind: Kind, cell: CellName, d: int = 1, n: int = 12) -> NetworkForecaster:
    torch.manual_seed(3)
    network = build(kind, Sizes(d=d, m=10, k=3, p=2, n=n, cell=cell)).requires_grad_(False)
    made = NetworkForecaster(network, Scale(d, 5), version=1)
    made.grow(SERIES)
    made.scale.fix({row: (np.zeros(d), np.ones(d)) for row in range(SERIES)})
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", get_args(CellName))
@settings(max_examples=4)
@given(data=st.data())
def test_a_row_does_not_depend_on_its_batch(kind: Kind, cell: CellName, data: st.DataObject) -> None:
    """However the rows of a tick are cut into batches and ordered, states and forecasts are the same to the bit."""
    n = data.draw(st.sampled_from([16, 50]))
    together, apart = forecaster(kind, cell, n=n), forecaster(kind, cell, n=n)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    every = np.arange(SERIES)
    for _ in range(3):
        x = rng.normal(size=(SERIES, 1))
        x[rng.random(SERIES) < 0.1] = np.nan
        together.step(ticks_of(every, x))
        order = rng.permutation(SERIES)
        cuts = np.sort(data.draw(st.lists(st.integers(0, SERIES), max_size=5)))
        for rows in np.split(order, cuts):
            apart.step(ticks_of(rows, x[rows]))
    np.testing.assert_array_equal(together.s, apart.s)
    some = rng.permutation(SERIES)[: data.draw(st.integers(1, SERIES))]
    np.testing.assert_array_equal(together.forecast(ticks_of(every, x))[some], apart.forecast(ticks_of(some, x[some])))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As the daemon runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", get_args(CellName))
def test_a_thread_of_its_own(kind: Kind, cell: CellName) -> None:
    """States and forecasts made in another thread are those of the first one, to the bit."""
    x = np.random.default_rng(0).normal(size=(3, SERIES, 1))
    forecasters, made = [forecaster(kind, cell, n=16) for _ in range(2)], list[Floats]()

    def work() -> None:
        one = forecasters.pop()
        for rows in np.split(np.arange(SERIES), [30]):
            for sample in x:
                one.step(ticks_of(rows, sample[rows]))
            made.append(one.forecast(ticks_of(rows, x[-1, rows])))

    work()
    other = Thread(target=work)
    other.start()
    other.join()
    for here, there in zip(made[:2], made[2:], strict=True):
        np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [1, 2])
def test_missing_ticks_are_bridged_by_the_networks_own_prediction(kind: Kind, d: int) -> None:
    """NaN steps the state with x̄ in the place of x, eq. (14), as the numpy reference does."""
    made = forecaster(kind, "rnn", d)
    rng = np.random.default_rng(0)
    xs = rng.normal(size=(20, d))
    xs[[4, 5, 13]] = np.nan
    for x in xs:
        made.step(ticks_of([7], x[None]))
    state, predicted = REFERENCES[kind](made.network, xs, HORIZON)
    np.testing.assert_allclose(made.s[7], state, atol=1e-5)
    np.testing.assert_allclose(made.forecast(ticks_of([7], xs[-1:]))[0], predicted, atol=1e-5)


def test_a_fresh_series_starts_from_zero() -> None:
    """`fresh` forgets the state before the sample; other rows keep theirs."""
    made, new = forecaster("memoryless", "gru"), forecaster("memoryless", "gru")
    rows, x = np.array([0, 1]), np.array([[0.3], [0.4]])
    made.step(ticks_of(rows, x))
    kept = made.s[1].copy()
    made.step(ticks_of(rows[:1], x[:1], fresh=True))
    new.step(ticks_of(rows[:1], x[:1]))
    np.testing.assert_array_equal(made.s[0], new.s[0])
    np.testing.assert_array_equal(made.s[1], kept)


@pytest.mark.usefixtures("one_thread")
def test_few_rows_take_a_small_loop() -> None:
    """A batch goes through the smallest tiles that hold it, so that a lone sample does not cost as much as 64."""
    made = forecaster("memoryless", "rnn", n=50)
    rooms = [room(loop) for loop in made.loops]
    assert rooms == sorted(rooms)
    for b in range(1, SERIES):
        assert room(made.loop(b)) == min([size for size in rooms if size >= b], default=rooms[-1])


def test_growing_keeps_states() -> None:
    """Room for more series leaves those that are there as they are."""
    made = forecaster("traditional", "lstm")
    made.step(ticks_of(np.arange(TILE + 3), np.ones((TILE + 3, 1))))
    before = made.s.copy()
    made.grow(1000)
    assert len(made.s) == 1000
    np.testing.assert_array_equal(made.s[:SERIES], before)
    assert not made.s[SERIES:].any()
