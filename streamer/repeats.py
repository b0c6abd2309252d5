"""Events that repeat in, those that are worth a line in the log out: the first, then others now and then."""

from collections.abc import Hashable
from dataclasses import dataclass

FIRST, LONGEST = 60.0, 3600.0
"""Seconds from the first line to the second, and between two lines at most: each pause is twice the one before."""
MOST = 1000
"""Kinds of events that are kept."""


@dataclass(slots=True)
class Kind:
    """Events since the last line, when that was, and seconds to the next."""

    told: float
    pause: float = FIRST
    since: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """A line is due: `count` events since the last one, `seconds` ago; of the first event both are 0."""

    count: int
    seconds: float

    def __str__(self) -> str:
        return f" ({self.count:,} more in {self.seconds:,.0f} s)" if self.count else ""


class Repeats:
    """Counts events by kind; without I/O, seconds are an argument."""

    def __init__(self) -> None:
        self.kinds: dict[Hashable, Kind] = {}

    def again(self, kind: Hashable, now: float, events: int = 1) -> Word | None:
        """Some more events of a kind: the line that is due for them, if any is."""
        known = self.kinds.get(kind)
        if known is None:
            if len(self.kinds) >= MOST:
                return None
            self.kinds[kind] = Kind(now)
            return Word(0, 0.0)
        known.since += events
        if now - known.told < known.pause:
            return None
        word = Word(known.since, now - known.told)
        self.kinds[kind] = Kind(now, min(2 * known.pause, LONGEST))
        return word

    def forget(self) -> None:
        """What comes is new."""
        self.kinds.clear()
