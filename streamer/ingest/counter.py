"""Totals of a counter in, what it has counted since the one before out.

A total that falls is a reset, or another meter: it gives no value, and counting begins anew from it. A single 0 is a
glitch: it is left out unless the next total is lower too.
"""

from streamer.config.quantity import Difference
from streamer.errors import Ignored, Rejected
from streamer.ingest.ongoing import Ongoing, Values

SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}


class Counter:
    """interval: seconds of a tick, by which `at` counts; None where `at` is a time. longest: ticks of a gap that is
    spread over: after a longer one counting begins anew.
    """

    def __init__(self, difference: Difference, interval: float | None, longest: int) -> None:
        self.wrap, self.interval, self.longest = difference.wrap, interval, longest
        self.per = None if difference.per is None else SECONDS[difference.per]

    def count(self, state: Ongoing, total: Values, at: float) -> Values:
        """What was counted per tick, or at the rate asked for, up to this total. Raises Ignored, Rejected (reset)."""
        before, elapsed = state.total, at - state.at
        if before is None or elapsed <= 0 or (self.interval is not None and elapsed > self.longest):
            self.begin(state, total, at)
            raise Ignored("the first total of a counter, or after a long gap")
        change = tuple([self.change(old, new) for old, new in zip(before, total, strict=True)])
        if min(change) < 0:
            if not state.fell and any(new == 0 < old for old, new in zip(before, total, strict=True)):
                state.fell = True
                raise Rejected("reset", "the total is 0: left out, unless the next one is lower than before too")
            self.begin(state, total, at)
            raise Rejected("reset", "the total has fallen: counting begins anew")
        self.begin(state, total, at)
        share = self.share(elapsed)
        return change if share == 1.0 else tuple([one * share for one in change])

    def change(self, old: float, new: float) -> float:
        """What was counted from one total to the next; past the end of the counter if that is less than half of it."""
        if new >= old or self.wrap is None:
            return new - old
        past = new - old + self.wrap
        return past if 0 <= past < self.wrap / 2 else new - old

    def share(self, elapsed: float) -> float:
        """Factor of a change over so many ticks, or seconds where there are none."""
        if self.interval is None:
            return 1.0 if self.per is None else self.per / elapsed
        return 1 / elapsed if self.per is None else self.per / (elapsed * self.interval)

    def begin(self, state: Ongoing, total: Values, at: float) -> None:
        """Count from this total on."""
        state.total, state.at, state.fell = total, at, False
