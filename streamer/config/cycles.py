"""The cycles of a stream: the day and the week, or others in ticks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

DAY, WEEK = 86_400.0, 604_800.0
"""Seconds."""
MOST_SLOTS = 96
"""Slots of a day at most: a quarter of an hour each."""
SHORTEST = 1.0
"""Seconds of the shortest interval at which the day and the week are kept by default."""
HARMONICS = 2
"""Sine and cosine waves by which a network knows a cycle: once and twice in it."""


Season = Literal["auto"] | int | Sequence[int] | None


class Dated(Protocol):
    """What says when the ticks of a stream are: keys of its configuration."""

    @property
    def season(self) -> Season: ...
    @property
    def interval(self) -> float | None: ...
    @property
    def timezone(self) -> str: ...
    @property
    def holidays(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Cycle:
    """A season, cut into slots.

    name: as in the names of forecasters. slots: how many. period: seconds of local civil time, or 0 where a slot is a
    tick.
    """

    name: str
    slots: int
    period: float = 0.0


def cycles_of(season: Season, interval: float | None) -> tuple[Cycle, ...]:
    """The day and the week where the interval, in seconds, makes slots of them, or the cycles given in ticks."""
    match season:
        case None:
            return ()
        case "auto":
            per_day = MOST_SLOTS if interval is None else min(MOST_SLOTS, round(DAY / interval))
            if per_day < 2 or (interval is not None and interval < SHORTEST):
                return ()
            return Cycle("day", per_day, DAY), Cycle("week", 7 * per_day, WEEK)
        case int(ticks):
            return (Cycle(str(ticks), ticks),)
        case several:
            return tuple(Cycle(str(ticks), ticks) for ticks in several)


def known_inputs(season: Season, interval: float | None) -> int:
    """How many known inputs a network has: of each tick that is to come they tell where it lies in each cycle.

    Without an interval the time of ticks to come is not known, and so nothing of the day and the week.
    """
    return 2 * HARMONICS * sum(interval is not None or not cycle.period for cycle in cycles_of(season, interval))
