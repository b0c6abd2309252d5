"""What is far outside is clipped, until it stays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.forecast.guard import Guard, as_learned
from streamer.forecast.levels import BELIEVED, FEWEST, LONG, START, TRIPS
from tests.forecast.ticks import ticks_of


def guard(d: int = 1) -> Guard:
    made = Guard(d, None)
    made.grow(1)
    return made


def calm(made: Guard, *values: float) -> list[float]:
    """What becomes of the values of one series."""
    return [float(made.calm(ticks_of([0], np.array([[x]]))).ticks.x[0, 0]) for x in values]


def usual(count: int, seed: int = 0) -> list[float]:
    values: list[float] = (20 + np.random.default_rng(seed).normal(size=count)).tolist()
    return values


@pytest.mark.parametrize("wild", [6553.5, 85.0, 1e6, -1e30, 0.0])
def test_a_wild_value_is_clipped_and_counted(wild: float) -> None:
    """One value far outside becomes one at the edge of the usual; the values after it are left as they are."""
    made = guard()
    calm(made, *usual(200))
    (clipped,) = calm(made, wild)
    assert 2 < abs(clipped - 20) < 3
    assert (clipped > 20) == (wild > 20)
    assert made.clipped[0] == 1
    after = usual(200, 1)
    assert calm(made, *after) == after


@pytest.mark.parametrize(("step", "after"), [(16.0, 3), (-16.0, 3), (200.0, 4), (2000.0, 5)])
def test_what_stays_is_believed(step: float, after: int) -> None:
    """A real step of 20 deviations is followed from the third value on, each ten times larger one a value later."""
    made = guard()
    calm(made, *usual(200))
    stepped = [x + step for x in usual(50, 1)]
    seen = calm(made, *stepped)
    assert [x == y for x, y in zip(seen, stepped, strict=True)] == [False] * (after - 1) + [True] * (51 - after)


@pytest.mark.parametrize("count", [BELIEVED, 6])
def test_a_few_absurd_values_in_a_row_are_not_believed(count: int) -> None:
    """A sensor that fails for some ticks does not move the level: the values after it are left as they are."""
    made = guard()
    calm(made, *usual(200))
    assert all(-50 < x < 20 for x in calm(made, *[-1e30] * count))
    after = usual(200, 1)
    assert calm(made, *after) == after


def test_after_a_long_standstill() -> None:
    """A pump that has stood for a day of seconds and then runs for a minute is followed within a few values."""
    made = guard()
    day = [0.0] * 30_000 + [1.0] * 60
    calm(made, *day)
    seen = calm(made, *day)
    assert seen[-50:] == [1.0] * 50


@pytest.mark.parametrize("level", [0.0, 20.0, 1e8])
def test_life_after_a_constant(level: float) -> None:
    """Noise that begins after a long constant is soon left as it is, and so is noise that was there before."""
    made = guard()
    calm(made, *[level] * 20_000)
    noise = [x - 20 + level for x in usual(1000)]
    calm(made, *noise)
    again = [x - 20 + level for x in usual(200, 1)]
    assert calm(made, *again) == again
    calm(made, *[level] * 20_000, *noise)
    assert calm(made, *again) == again


def test_the_level_of_the_first_value_is_no_deviation() -> None:
    """A glitch of 500 deviations is clipped at a level of 100 000 as at any other."""
    made = guard()
    calm(made, *(x + 1e5 for x in usual(100)))
    assert calm(made, 1e5 + 520)[0] < 1e5 + 100


def test_wild_on_both_sides_is_not_believed() -> None:
    """Values that jump from one side to the other are no new level."""
    made = guard()
    calm(made, *usual(200))
    assert all(abs(x - 20) < 30 for x in calm(made, 900.0, -900.0, 900.0, -900.0))


def began(made: Guard, *values: float) -> list[int]:
    """At which of the values, counted from 1, the series began anew."""
    return [i for i, x in enumerate(values, 1) if made.calm(ticks_of([0], np.array([[x]]))).anew.any()]


def held(made: Guard, *values: float) -> list[float]:
    """What has been given since the series last began."""
    given: list[float] = []
    for x in values:
        calm = made.calm(ticks_of([0], np.array([[x]])))
        given = [*([] if calm.anew.any() else given), float(calm.ticks.x[0, 0])]
    return given


@pytest.mark.parametrize("wild", [[6553.5] * 3, [200.0] * 3, [1e6, 999.0, -1e30], [-1e30] * 3, [999.0, 998.9, 999.3]])
@pytest.mark.parametrize("where", [[0], [1], [4], [5], [0, 1], [0, 1, 2], [3, 4, 5], [4, 5, 6], [1, 3, 5]])
def test_a_wild_start_begins_anew(wild: list[float], where: list[int]) -> None:
    """Wild readings among the first are known at the START-th value at the latest: nothing wild has been given since
    the series began, and from there on it has its bounds."""
    for seed in range(20):
        made, values = guard(), usual(START, seed)
        for i, x in zip(where, wild, strict=False):
            values[i] = x
        given = held(made, *values)
        assert given
        assert all(abs(x - 20) < 30 for x in given)
        assert abs(np.array(held(made, *usual(50, 100))) - 20).max() < 5
        assert abs(calm(made, wild[0])[0] - 20) < 30


@pytest.mark.parametrize(("where", "lost"), [(0, 2), (2, 0), (5, 0)])
def test_how_much_a_wild_start_costs(where: int, lost: int) -> None:
    """A first reading of 1e6 costs it and the next one; a later one is clipped as soon as it comes."""
    values = usual(20)
    values[where] = 1e6
    assert len(held(guard(), *values)) == 20 - lost


def test_bounds_right_after_the_start() -> None:
    """The START-th value and those that follow it are clipped as later ones, and nothing begins anew for them."""
    for place in range(START - 1, 20):
        values = usual(40)
        values[place] = 1e6
        made = guard()
        assert began(made, *values) == []
        seen = calm(guard(), *values)
        assert [i for i, (x, y) in enumerate(zip(seen, values, strict=True)) if x != y] == [place]
        assert abs(seen[place] - 20) < 10


def test_a_usual_start_goes_on() -> None:
    """Of 1,000 series of noise some 3 in 100 begin anew, all but a few at the START-th value, and none later."""
    made = guard()
    made.grow(1000)
    x, rows = np.random.default_rng(0).normal(size=(50, 1000, 1)), np.arange(1000)
    counts = [int(made.calm(ticks_of(rows, now)).anew.sum()) for now in x]
    assert 10 < counts[START - 1] < 60
    assert sum(counts[: START - 1]) < 10
    assert sum(counts[START:]) == 0


@pytest.mark.parametrize("apart", [0, 1, 30])
def test_the_end_of_a_constant(apart: int) -> None:
    """The third value that differs from what a series has been since its start is believed, in a row or not; with it
    the series begins anew, once."""
    made = guard()
    values = [5.0] * 50 + ([6.0] + [5.0] * apart) * 20
    wanted = list(values)
    third = 50 + 2 * (apart + 1)
    wanted[50:third] = [5.0] * (third - 50)
    assert calm(made, *values) == wanted
    assert began(guard(), *values) == [third + 1]


def test_a_wild_end_of_a_constant() -> None:
    """Of the three values that end a constant one may be wild: it does not decide what is far outside."""
    made = guard()
    night = [0.0] * 50
    calm(made, *night, 1.0, 1e6, 2.0, *(1 + x / 20 for x in usual(50)))
    assert abs(calm(made, 1e6)[0]) < 100


def test_one_element_does_not_begin_another_anew() -> None:
    """A flag that is set after a thousand ticks leaves what was learned of the other elements."""
    made = guard(2)
    values = np.stack([usual(1100), np.repeat([0.0, 1.0], [1000, 100])], 1)
    assert not any(made.calm(ticks_of([0], x[None])).anew.any() for x in values)


@settings(max_examples=30)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=FEWEST - 1), st.sampled_from([1.0, 1e-9, 1e9]))
def test_nothing_is_clipped_at_first(values: list[float], unit: float) -> None:
    """Before there is a scale everything is taken as it comes."""
    assert calm(guard(), *(unit * x for x in values)) == [unit * x for x in values]


def test_a_constant_and_a_missing_value() -> None:
    """A constant has no deviation: its first change is believed when it stays; a missing tick changes nothing."""
    made = guard()
    assert calm(made, *[5.0] * 50, 6.0, 6.0, 6.0)[-3:] == [5.0, 5.0, 6.0]
    before = {name: array.copy() for name, array in made.arrays().items()}
    assert np.isnan(calm(made, np.nan)).all()
    for name, array in made.arrays().items():
        np.testing.assert_array_equal(array, before[name])


def moves(made: Guard, values: list[float]) -> dict[int, float]:
    """At which of the values what was learned of one series moves, and by how much."""
    moved = [float(made.calm(ticks_of([0], np.array([[x]]))).moved[0, 0]) for x in values]
    return {at: by for at, by in enumerate(moved) if by}


@pytest.mark.parametrize("jump", [30.0, -30.0, -5e8])
def test_away_and_back(jump: float) -> None:
    """What was learned moves with a jump once it is believed, by what the value differs from the last one before, and
    back at the first value at the old level; what the level was before is exact but for rounding."""
    made = guard()
    before = usual(200)
    calm(made, *before)
    level = made.level[0, 0]
    away = [x + jump for x in usual(100, 1)]
    ((at, by),) = moves(made, away).items()
    assert at == BELIEVED - 1 + max(0, int(np.log10(abs(jump) / 10)))
    assert by == pytest.approx(away[at] - before[-1])
    assert moves(made, usual(100, 2)) == {0: pytest.approx(-by)}
    assert made.away[0, 0] == 0
    assert abs(made.level[0, 0] - level) < 0.5


def test_back_by_and_by() -> None:
    """A pump that takes some ticks to its old level is back there as exactly as one that is there at once."""
    made = guard()
    calm(made, *usual(200))
    away = [x - 100 for x in usual(12, 1)]
    back = [-60.0, -45.0, -30.0, -15.0, 0.0, 10.0]
    moved = moves(made, away + back + usual(50, 2))
    assert sum(moved.values()) == pytest.approx(0, abs=1e-9)
    assert made.away[0, 0] == 0


def test_what_jumps_often_is_taken_as_it_comes() -> None:
    """After TRIPS jumps there and back, the next one is the nature of the series: nothing moves any more."""
    made = guard()
    calm(made, *usual(200))
    found = [len(moves(made, [x + 50 for x in usual(20, i)] + usual(300, i))) for i in range(TRIPS + 2)]
    assert found == [2] * TRIPS + [0] * 2


def test_before_a_day_nothing_is_a_jump() -> None:
    """The first sunrise is no jump: until a series has been through a day it is taken as it comes."""
    made = Guard(1, 900.0)
    made.grow(1)
    night, day = usual(40), [x + 500 for x in usual(40, 1)]
    assert moves(made, night + day) == {}
    calm(made, *usual(400, 2))
    assert len(moves(made, day)) == 1


def test_slow_is_no_jump() -> None:
    """A series that climbs faster than its level follows is believed, and nothing moves."""
    made = guard()
    calm(made, *usual(200))
    climb = [20 + i + x / 10 for i, x in enumerate(usual(100))]
    assert moves(made, climb) == {}
    assert calm(made, 121.0) == [121.0]


def test_usual_values_wait_until_a_series_has_settled() -> None:
    """Values of a series that is away are kept from usual values for LONG ticks, or until it is back."""
    made = guard()
    calm(made, *usual(200))

    def waits(values: list[float]) -> int:
        waiting = 0
        for x in values:
            ticks = made.calm(ticks_of([0], np.array([[x]]))).ticks
            waiting += bool(np.isnan(made.settled(ticks).x[0, 0]))
        return waiting

    assert waits([x + 50 for x in usual(20, 1)]) == 20 - (BELIEVED - 1)
    assert waits(usual(20, 2)) == 0
    assert waits([x + 50 for x in usual(LONG + 50, 1)]) == LONG


def test_what_is_learned_of_a_series() -> None:
    """Wild readings are clipped, the first ones too; what was before a step is where the series is after it, and an
    outage lies where the series was."""
    x = np.array([*[1e6, -1e30, 500.0], *usual(300), *[x - 400 for x in usual(20, 1)], *usual(200, 2)])
    x[400] = 6553.5
    learned = as_learned(x[:, None], None)[:, 0]
    assert np.abs(learned - 20).max() < 12
    assert (learned[10:300] == x[10:300]).all()
    stepped = np.array([*usual(300), *(x + 700 for x in usual(300, 1))])
    after = as_learned(stepped[:, None], None)[:, 0]
    assert (after[303:] == stepped[303:]).all()
    assert np.abs(after - 720).max() < 12


def test_usual_values_are_learned_as_they_are() -> None:
    """Of a series without faults, and of one that switches all the time, every value is learned as it came."""
    rng = np.random.default_rng(0)
    for x in (rng.normal(size=2000), np.sin(np.arange(2000.0) / 20), rng.integers(0, 2, 2000) * 1500.0):
        learned = as_learned(x[:, None].astype(np.float64), 300.0)
        assert (learned[50:, 0] == x[50:]).all()
