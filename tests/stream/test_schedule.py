"""When the next training of a stream is due, and why."""

from typing import Any

import pytest

from streamer.config import Stream
from streamer.stream.drift import Drift
from streamer.stream.schedule import Cause, Schedule

RETRAIN = {"every": 20, "minimum": 50, "window": 200}


class Drifted(Drift):
    """Of so many series, which are said to have drifted."""

    def __init__(self, config: Stream, series: int) -> None:
        super().__init__(config)
        self.series = series


def schedule(growth: int, *, concluded: bool = True, failures: int = 0, drifted: int = 0, **retrain: Any) -> Schedule:
    config = Stream(name="s", topics=["t"], retrain={**RETRAIN, **retrain})  # type: ignore[arg-type]
    made = Schedule(config)
    if concluded:
        made.done()
    for _ in range(failures):
        made.failed()
    made.drift = Drifted(config, drifted)
    made.grow(growth)
    return made


@pytest.mark.parametrize(
    ("concluded", "live", "failures", "drifted", "needed", "cause"),
    [
        (False, False, 0, 0, 50, "first"),  # never trained
        (True, False, 0, 0, 20, "growth"),  # trained, persistence won
        (True, True, 0, 0, 20, "growth"),
        (True, True, 1, 0, 40, "growth"),
        (True, True, 3, 0, 160, "growth"),
        (True, True, 4, 0, 320, "growth"),
        (True, True, 9, 0, 320, "growth"),  # no longer than 16 times
        (True, False, 1, 0, 100, "first"),  # nothing to lose: of the minimum
        (True, False, 4, 0, 800, "first"),
        (True, True, 0, 2, 5, "drift"),  # a quarter of the usual wait
        (True, False, 0, 8, 5, "drift"),
        (True, True, 2, 8, 20, "drift"),  # failures lengthen that, too
        (True, True, 0, 1, 20, "growth"),  # one of eight series is too few
        (False, False, 0, 8, 50, "first"),
    ],
)
def test_due(concluded: bool, live: bool, failures: int, drifted: int, needed: int, cause: Cause) -> None:
    """A training is due from the very tick on that its circumstances ask for, and asking changes nothing."""
    short, enough = (schedule(g, concluded=concluded, failures=failures, drifted=drifted) for g in (needed - 1, needed))
    for _ in range(2):
        assert short.due(live, 8) is None
        assert enough.due(live, 8) == cause


def test_never() -> None:
    """Where `retrain.every` is 0 no training is due, however much has come or drifted."""
    for concluded in (False, True):
        never = schedule(10**9, concluded=concluded, drifted=8, every=0)
        assert never.due(False, 8) is None
        assert never.due(True, 8) is None


def test_a_stream_without_series_has_no_drift() -> None:
    """None of no series is no share of them."""
    assert schedule(10, drifted=0).due(True, 0) is None


def test_growth_is_that_of_the_series_that_grew_most() -> None:
    """A series that has grown less does not take back what another has."""
    made = schedule(0)
    for ticks in (3, 7, 5):
        made.grow(ticks)
    assert made.growth == 7


def test_what_becomes_of_a_training() -> None:
    """While one is under way none is due, and growth counts anew; failures add up until there is an outcome; a snapshot
    knows nothing of a request."""
    made = schedule(60, concluded=False)
    asked = made.state()
    made.begin("growth")
    assert made.growth == 0
    assert made.state() == asked
    made.grow(10_000)
    assert made.due(True, 1) is None
    made.failed()
    assert (made.failures, made.due(False, 1), made.due(True, 1)) == (1, "first", "growth")
    assert made.state() != asked
    made.begin("growth")
    made.failed()
    assert made.failures == 2
    made.done()
    assert (made.failures, made.growth) == (0, 0)
    made.grow(20)
    assert made.due(False, 1) == "growth"
    made.start_over()
    assert made.due(False, 1) is None
