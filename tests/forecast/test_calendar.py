"""Slots of the day and the week, in local civil time."""

import sys
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from holidays import country_holidays
from hypothesis import given
from hypothesis import strategies as st

from streamer.config import Stream
from streamer.config.cycles import Cycle
from streamer.forecast.calendar import Calendar


def stream(**fields: Any) -> Stream:
    return Stream(name="a", topics=["#"], **fields)


@pytest.mark.parametrize(
    ("fields", "slots"),
    [
        ({"interval": 3600.0}, {"day": 24, "week": 168}),
        ({"interval": 300.0}, {"day": 96, "week": 672}),
        ({"interval": 1.0}, {"day": 96, "week": 672}),
        ({"interval": 0.02}, {}),
        ({"interval": 86_400.0}, {}),
        ({"interval": None}, {"day": 96, "week": 672}),
        ({"interval": 3600.0, "season": None}, {}),
        ({"interval": 3600.0, "season": 131}, {"131": 131}),
        ({"season": (5, 30)}, {"5": 5, "30": 30}),
    ],
)
def test_cycles(fields: dict[str, Any], slots: dict[str, int]) -> None:
    """The day and the week have slots of the interval, or of a quarter of an hour; other cycles have one a tick."""
    assert {cycle.name: cycle.slots for cycle in Calendar(stream(**fields)).cycles} == slots


@given(
    st.integers(2200, 24_000).flatmap(lambda day: st.integers(0, 95).map(lambda part: 96 * day + part)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
)
def test_slots_are_of_local_civil_time(quarters: int, zone: str) -> None:
    """The slot of the day is the quarter of an hour on a local clock, summer time and odd offsets included; the week
    begins on Monday. The oracle is the standard library's calendar."""
    local = datetime.fromtimestamp(quarters * 900, UTC).astimezone(ZoneInfo(zone))
    day, week = Calendar(stream(timezone=zone)).slots(np.array([0]), np.array([quarters * 900.0]))
    quarter = local.hour * 4 + local.minute // 15
    assert day.tolist() == [quarter]
    assert week.tolist() == [local.weekday() * 96 + quarter]


@given(st.integers(96 * 2200, 96 * 24_000), st.sampled_from([("DE", "Europe/Berlin"), ("US-CA", "US/Pacific")]))
def test_a_holiday_is_a_sunday(quarter: int, place: tuple[str, str]) -> None:
    """In the week a public holiday of the country has the slots of a Sunday, by local date; days keep theirs."""
    holidays, zone = place
    local = datetime.fromtimestamp(quarter * 900, UTC).astimezone(ZoneInfo(zone))
    country, _, subdivision = holidays.partition("-")
    free = local.date() in country_holidays(country, subdiv=subdivision or None)
    at = np.array([0]), np.array([quarter * 900.0])
    day, week = Calendar(stream(timezone=zone, holidays=holidays)).slots(*at)
    assert day.tolist() == Calendar(stream(timezone=zone)).slots(*at)[0].tolist()
    assert week.tolist() == [(6 if free else local.weekday()) * 96 + local.hour * 4 + local.minute // 15]


def test_the_eve_of_a_holiday() -> None:
    """Slots around midnight are of the date that they are nearest to; 3 October 2025, a Friday, is free in Germany."""
    midnight = datetime(2025, 10, 3, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    made = Calendar(stream(interval=3600.0, timezone="Europe/Berlin", holidays="DE"))
    week = made.slots(np.zeros((2, 2), np.int64), midnight + np.array([[-3600.0, -10.0], [3600.0, 86_400.0]]))[1]
    assert week.tolist() == [[3 * 24 + 23, 6 * 24], [6 * 24 + 1, 5 * 24]]


def test_far_holidays() -> None:
    """Days beyond those that the calendar of holidays knows are ordinary ones."""
    made = Calendar(stream(holidays="DE"))
    for slots in made.slots(np.zeros(2, np.int64), np.array([2.5e11, 3.5e11])):
        assert (slots >= 0).all()


def test_holidays_that_there_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A country that nobody knows, a stream without a week, and a missing package are errors that name the key."""
    with pytest.raises(ValueError, match=r"holidays\n.*knows no 'DE-ZZ'; write DE or US-CA"):
        stream(holidays="DE-ZZ")
    with pytest.raises(ValueError, match=r"holidays\n.*count as Sundays of the week, which there is with season: auto"):
        stream(holidays="DE", season=24)
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(ValueError, match=r"pip install 'streamer\[holidays\]'"):
        stream(holidays="DE")


def test_holidays_change_the_fit_of_the_seasons() -> None:
    """Usual values that were learned with other holidays are not gone on with; without holidays the fit is as ever."""
    assert Calendar(stream()).fit()[1] == "UTC"
    assert Calendar(stream(holidays="DE")).fit() != Calendar(stream(holidays="US-CA")).fit()


def test_slots_of_ticks() -> None:
    """Without a calendar the slot is the tick, modulo the cycle; times do not matter."""
    (slots,) = Calendar(stream(season=7)).slots(np.array([[0, 6], [7, 20]]), np.full((2, 2), np.nan))
    assert slots.tolist() == [[0, 6], [0, 6]]


def test_a_sample_that_comes_a_little_early() -> None:
    """Slots are around their times: jitter does not move a sample into the slot before."""
    early, late = Calendar(stream(interval=3600.0)).slots(np.array([0, 0]), np.array([7199.0, 7201.0]))[0]
    assert early == late == 2


def test_far_times() -> None:
    """A device whose clock jumps makes forecasts reach beyond Python's calendar: there are slots all the same."""
    for slots in Calendar(stream(timezone="Europe/Berlin")).slots(np.zeros(2, np.int64), np.array([2.5e11, 3.5e11])):
        assert (slots >= 0).all()


def test_an_unknown_zone() -> None:
    """A time zone that there is not is an error that names the key."""
    with pytest.raises(ValueError, match=r"timezone\n.*'Mars/Olympus' is no IANA time zone"):
        stream(timezone="Mars/Olympus")


def test_names() -> None:
    """A cycle is what its name says."""
    assert Cycle("day", 24, 86_400.0).period == 86_400.0
