"""When the next training of a stream is due."""

import pytest

from streamer.config.stream import Retrain
from streamer.stream.schedule import Schedule

RETRAIN = Retrain(every=20, minimum=50, window=200)


def schedule(growth: int, *, begun: bool = True, failures: int = 0, retrain: Retrain = RETRAIN) -> Schedule:
    made = Schedule(retrain)
    made.restore(begun=begun, growth=growth, failures=failures)
    return made


@pytest.mark.parametrize(
    ("begun", "live", "failures", "needed"),
    [
        (False, False, 0, 50),  # never trained
        (True, False, 0, 20),  # trained, persistence won
        (True, True, 0, 20),
        (True, True, 1, 40),
        (True, True, 3, 160),
        (True, True, 4, 320),
        (True, True, 9, 320),  # no longer than 16 times
        (True, False, 1, 100),  # nothing to lose: of the minimum
        (True, False, 4, 800),
    ],
)
def test_due(begun: bool, live: bool, failures: int, needed: int) -> None:
    """A training is due from the very tick on that its circumstances ask for, and asking changes nothing."""
    short, enough = (schedule(growth, begun=begun, failures=failures) for growth in (needed - 1, needed))
    for _ in range(2):
        assert not short.due(live=live)
        assert enough.due(live=live)


def test_never() -> None:
    """Where `retrain.every` is 0 no training is due, however much has come."""
    never = schedule(10**9, begun=False, retrain=Retrain(every=0, minimum=50, window=200))
    assert not never.due(live=False)
    assert not never.due(live=True)


def test_growth_is_that_of_the_series_that_grew_most() -> None:
    """A series that has grown less does not take back what another has."""
    made = Schedule(RETRAIN)
    for ticks in (3, 7, 5):
        made.grow(ticks)
    assert made.state() == {"begun": False, "growth": 7, "failures": 0}


def test_what_becomes_of_a_training() -> None:
    """Begun, growth counts anew; failures add up until there is an outcome."""
    made = schedule(60, begun=False)
    made.begin()
    assert made.state() == {"begun": True, "growth": 0, "failures": 0}
    made.grow(5)
    made.failed()
    made.failed()
    assert made.state() == {"begun": True, "growth": 5, "failures": 2}
    made.done()
    assert made.state() == {"begun": True, "growth": 5, "failures": 0}
    new = Schedule(RETRAIN)
    new.done()
    assert new.state() == {"begun": True, "growth": 0, "failures": 0}
