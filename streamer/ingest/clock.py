"""Late messages of a series in, whether its newest time is to be given up out: a clock was ahead, and is set back.

Nothing of it is in a snapshot or in the journal, which knows no message that was rejected: what it leads to is.
"""

from collections.abc import Hashable
from dataclasses import dataclass

LATE = 16
"""Late messages of a series, more than in time, after which their times count and no longer the newest."""
LIVE = 0.5
"""Least share of the seconds between their times that they waited for each other: a backlog that is sent again comes
faster. A wait counts at most as long as the times are apart, since a broker's pause makes no backlog live."""


@dataclass(slots=True)
class Late:
    """Late messages of one series so far: how many more than in time; time and arrival of the newest one; seconds that
    they are apart, by their times and as they came."""

    count: int
    newest: float
    arrived: float
    apart: float = 0.0
    waited: float = 0.0


class Clocks:
    """The series of a stream, by row or by source and part, whose newest messages were late: an entry for each of them.

    sets_back: how often the newest time of a series was given up.
    """

    def __init__(self) -> None:
        self.sets_back = 0
        self.late: dict[Hashable, Late] = {}

    def agree(self, row: Hashable) -> None:
        """A message of a series was in time."""
        if self.late and (known := self.late.get(row)):
            known.count -= 1
            if not known.count:
                del self.late[row]

    def disagree(self, row: Hashable, time: float, arrived: float) -> bool:
        """One of this time was late: whether it is to be accepted all the same, and the newest time given up.

        That is once so many later and later ones have come as they would live. One message that comes again and again
        counts once.
        """
        known = self.late.get(row)
        if known is None:
            self.late[row] = Late(1, time, arrived)
            return False
        if (step := time - known.newest) <= 0:
            return False
        known.apart += step
        known.waited += min(step, arrived - known.arrived)
        known.count, known.newest, known.arrived = known.count + 1, time, arrived
        if known.count < LATE:
            return False
        del self.late[row]
        return known.waited >= LIVE * known.apart

    def set_back(self) -> None:
        """The newest time of a series was given up."""
        self.sets_back += 1
