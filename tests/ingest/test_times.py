"""Local times and patterns in, instants out."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import Rejected
from streamer.ingest.times import Doubled, clock

BERLIN = ZoneInfo("Europe/Berlin")
GERMAN = ["%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M"]


@given(st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)))  # noqa: DTZ001 # a local time
def test_local_times(at: datetime) -> None:
    """A local time is the instant that the time zone gives it: two in a doubled hour, none in one that is left out."""
    read = clock("auto", "Europe/Berlin")
    first, later = (at.replace(tzinfo=BERLIN, fold=fold).timestamp() for fold in (0, 1))
    if first > later:
        with pytest.raises(Rejected, match="does not exist"):
            read(at.isoformat())
        return
    found = read(at.isoformat())
    assert found == first
    assert isinstance(found, Doubled) == (later > first)
    assert (found.later if isinstance(found, Doubled) else found) == later


def test_the_doubled_hour() -> None:
    """In the night that summer time ends, half past two is two instants, an hour apart."""
    found = clock("auto", "Europe/Berlin")("2026-10-25T02:30:00")
    assert isinstance(found, Doubled)
    assert found.later - found == timedelta(hours=1).total_seconds()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("01.03.2026 13:00:00", 1772366400.0), ("01.03.2026 13:00", 1772366400.0), (" 01.07.2026 14:00 ", 1782907200.0)],
)
def test_patterns(text: str, expected: float) -> None:
    """The first pattern that fits reads the time, summer time or not."""
    assert clock(GERMAN, "Europe/Berlin")(text) == expected


def test_a_pattern_with_an_offset() -> None:
    """A pattern that reads an offset needs no time zone."""
    assert clock("%Y-%m-%d %H:%M %z", None)("2026-03-01 13:00 +0100") == 1772366400.0


@pytest.mark.parametrize("value", ["01.03.26 13:00", "", 1772366400, None, "31.02.2026 13:00"])
def test_what_fits_no_pattern(value: object) -> None:
    """What fits no pattern is no time."""
    with pytest.raises(Rejected) as caught:
        clock(GERMAN, "Europe/Berlin")(value)
    assert caught.value.reason == "time"


def test_a_local_time_without_a_zone() -> None:
    """Without a time zone a local time is rejected, and the remedy is told."""
    for style, text in (("auto", "2026-03-01T12:00:00"), (GERMAN, "01.03.2026 13:00")):
        with pytest.raises(Rejected, match=r"payload\.timezone"):
            clock(style, None)(text)
