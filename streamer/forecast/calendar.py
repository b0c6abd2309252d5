"""Times and ticks in, slots of the day, the week and other cycles out: pure functions of time."""

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from streamer.compiled import compiled
from streamer.config.cycles import DAY, WEEK, Cycle, Dated, cycles_of
from streamer.records import Floats, Ints

if TYPE_CHECKING:
    from holidays import HolidayBase

QUARTER = 900
"""Seconds after which the offset of a time zone may change."""
LAST = 281_500_000
"""A quarter in the year 9997: what comes later has its offset, since Python's calendar ends soon after."""
LAST_DAY = date(9997, 1, 1).toordinal()
MONDAY = 4 * DAY
"""1970-01-01 was a Thursday: a week began so many seconds later."""
SUNDAY = 6
"""Days after Monday."""
FIRST_MONDAY = date(1970, 1, 5).toordinal()


class Calendar:
    """The cycles of a stream, in its time zone; `holidays` is the country whose holidays are Sundays, None for none."""

    def __init__(self, config: Dated) -> None:
        self.cycles = cycles_of(config.season, config.interval)
        self.zone, self.holidays = config.timezone, config.holidays

    def fit(self) -> list[Any]:
        """What the slots depend on, as JSON values."""
        rules = self.zone if self.holidays is None else f"{self.zone}, holidays of {self.holidays}"
        return [[[cycle.name, cycle.slots, cycle.period] for cycle in self.cycles], rules]

    def slots(self, tick: Ints, time: Floats) -> list[Ints]:
        """For each cycle the slot of these ticks and times, arrays of any one shape."""
        local = self.local(time) if any(cycle.period for cycle in self.cycles) else time
        slots = [slot_of(cycle, tick, local) for cycle in self.cycles]
        if self.holidays is not None:
            for i, cycle in enumerate(self.cycles):
                if cycle.period == WEEK:
                    slots[i] = self.on_sundays(slots[i], cycle, local)
        return slots

    def phases(self, tick: Ints, time: Floats) -> list[Floats]:
        """For each cycle how much of it has passed at these ticks and times, from 0 to 1."""
        local = self.local(time) if any(cycle.period for cycle in self.cycles) else time
        return [
            (local % cycle.period) / cycle.period if cycle.period else (tick % cycle.slots) / cycle.slots
            for cycle in self.cycles
        ]

    def on_sundays(self, slot: Ints, week: Cycle, local: Floats) -> Ints:
        """The slots of a week, those of holidays as if they were of a Sunday."""
        assert self.holidays is not None
        per_day = week.slots // 7
        days, at = np.unique(np.floor(local / DAY + 0.5 / per_day).astype(np.int64), return_inverse=True)
        free = np.array([is_holiday(self.holidays, day) for day in days.tolist()])
        return np.where(free[at].reshape(slot.shape), SUNDAY * per_day + slot % per_day, slot)

    def local(self, time: Floats) -> Floats:
        """Seconds since the beginning of a week, in local civil time."""
        if self.zone == "UTC":
            return time - MONDAY
        quarters, at = np.unique(np.floor(time / QUARTER).astype(np.int64), return_inverse=True)
        ahead = np.array([offset(self.zone, quarter) for quarter in quarters.tolist()])
        local: Floats = time - MONDAY + ahead[at].reshape(time.shape)
        return local


def slot_of(cycle: Cycle, tick: Ints, local: Floats) -> Ints:
    """The slot of a tick, or that whose middle is nearest to a local time."""
    if not cycle.period:
        return tick % cycle.slots
    return nearest(local.ravel(), cycle.slots, cycle.period).reshape(local.shape)


@compiled
def nearest(local: Floats, slots: int, period: float) -> Ints:
    """The slots whose middles are nearest to local times [n], of so many in a period."""
    found, per = np.empty(len(local), np.int64), slots / period
    for i in range(len(local)):
        part = np.floor(local[i] * per + 0.5)
        found[i] = np.int64(part - np.floor(part / slots) * slots)  # a tenth of the time of %
    return found


@lru_cache(maxsize=65_536)
def is_holiday(place: str, day: int) -> bool:
    """Whether a day, counted from FIRST_MONDAY on, is a public holiday of a country or one of its subdivisions."""
    return date.fromordinal(min(FIRST_MONDAY + day, LAST_DAY)) in holidays_of(place)


@lru_cache(maxsize=64)
def holidays_of(place: str) -> "HolidayBase":
    """The public holidays of a country (DE) or of one of its subdivisions (US-CA)."""
    from holidays import country_holidays  # an extra

    country, _, subdivision = place.partition("-")
    return country_holidays(country, subdiv=subdivision or None)


@lru_cache(maxsize=65_536)
def offset(zone: str, quarter: int) -> float:
    """Seconds that local civil time is ahead of UTC, in this quarter of an hour since 1970."""
    moment = datetime.fromtimestamp(min(quarter, LAST) * QUARTER, UTC).astimezone(ZoneInfo(zone))
    found = moment.utcoffset()
    assert found is not None
    return found.total_seconds()
