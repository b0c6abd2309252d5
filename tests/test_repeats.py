"""When something that repeats is told again."""

from itertools import pairwise

from streamer.repeats import FIRST, LONGEST, MOST, Repeats


def test_pauses_double_up_to_the_longest() -> None:
    """The first event is told, then after a minute, then after pauses twice as long each, up to an hour, for ever."""
    repeats = Repeats()
    told = [second for second in range(0, 50_000, 10) if repeats.again("wrong password", float(second))]
    pauses = [later - earlier for earlier, later in pairwise(told)]
    assert told[0] == 0
    assert pauses[:7] == [60, 120, 240, 480, 960, 1920, 3600]
    assert set(pauses[6:]) == {LONGEST}


def test_how_often() -> None:
    """A line says how many there were since the one before; none that was not told is lost, and kinds do not mix."""
    repeats = Repeats()
    first = repeats.again("late", 0.0, 7)
    assert first is not None
    assert str(first) == ""
    assert repeats.again("late", 1.0, 1000) is None
    assert str(repeats.again("early", 1.0)) == ""
    word = repeats.again("late", FIRST)
    assert str(word) == " (1,001 more in 60 s)"
    repeats.forget()
    assert str(repeats.again("late", FIRST + 1)) == ""


def test_kinds_are_bounded() -> None:
    """Of more kinds than are kept, nothing is told: they may come from the wire."""
    repeats = Repeats()
    assert all(repeats.again(i, 0.0) for i in range(MOST))
    assert repeats.again(MOST, 0.0) is None
    assert len(repeats.kinds) == MOST
