"""Late messages of a series in, whether its newest time is to be given up out: a clock was ahead, and is set back.

Nothing of it is in a snapshot or in the journal, which knows no message that was rejected: what it leads to is.
"""

from collections.abc import Hashable
from dataclasses import dataclass

LATE = 16
"""Late messages of a series, more than in time, after which their times count and no longer the newest."""
LIVE = 0.5
"""Least share of the seconds between their times in which they must have come: a backlog that is sent again comes
faster."""


@dataclass(slots=True)
class Late:
    """Late messages of one series so far: how many more than in time, time and arrival of the first, newest time."""

    count: int
    first: float
    arrived: float
    newest: float


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
        known = self.late.setdefault(row, Late(0, time, arrived, -1.0))
        if time <= known.newest:
            return False
        known.count, known.newest = known.count + 1, time
        if known.count < LATE:
            return False
        del self.late[row]
        return arrived - known.arrived >= LIVE * (time - known.first)

    def set_back(self) -> None:
        """The newest time of a series was given up."""
        self.sets_back += 1
