"""What is known of a series within its tick: one object for each, which can be written down as JSON and read back."""

from collections import deque
from typing import Any

Values = tuple[float, ...]

REMEMBERED = 64
"""Times of the newest readings of a tick: a late one that is older than all of them cannot be told from a repeated."""


class Ongoing:
    """The open tick of a series, and the total that its counter had at the tick before.

    window: number of the tick since 1970. count: its readings, 0 where it is closed. values: what they make so far.
    newest, oldest: times of readings. times: of the newest ones, as far as they have a time of their own. due: when the
    clock closes the tick. total, at: of the counter, None at first, and the tick or the time it was at. fell: a reading
    was 0 where the total was more, once. back: the clock of its readings was set back, and the tick is an earlier one.
    """

    __slots__ = ("at", "back", "count", "due", "fell", "newest", "oldest", "times", "total", "values", "window")
    SAVED = ("at", "back", "count", "fell", "newest", "oldest", "times", "total", "values", "window")

    def __init__(self) -> None:
        self.window, self.count, self.values = -1, 0, ()
        self.newest = self.oldest = self.due = self.at = 0.0
        self.times: deque[float] = deque(maxlen=REMEMBERED)
        self.total: Values | None = None
        self.fell = self.back = False

    window: int
    values: Values

    def saved(self) -> dict[str, Any]:
        """All that decides the future, as JSON has it."""
        return {name: list(one) if isinstance(one := getattr(self, name), deque) else one for name in self.SAVED}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> "Ongoing":
        """The same from what was saved."""
        made = cls()
        for name in ("at", "count", "fell", "newest", "oldest", "window", "back"):
            setattr(made, name, saved[name])
        made.times.extend(saved["times"])
        made.values = tuple(saved["values"])
        made.total = None if saved["total"] is None else tuple(saved["total"])
        return made
