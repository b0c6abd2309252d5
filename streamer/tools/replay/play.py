"""Samples in, messages published when they are due out."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from streamer.errors import SourceError
from streamer.tools.replay.sample import Sample, Style, encode

log = logging.getLogger(__name__)


class Publish(Protocol):
    """Publishes one message, after waiting for a broker that does not keep up."""

    def __call__(self, topic: str, payload: bytes, qos: int, *, retain: bool) -> Awaitable[None]:
        """Return when the message has been handed to the connection."""


EARLY = 0.001
"""Seconds by which a sample may be sent early, so that at high rates one sleep serves many samples."""
LATE = 1.0
"""Seconds behind schedule at which the log warns that the replay cannot keep up."""
TURN = 64
"""Samples sent without a sleep until the event loop gets a turn, which cancellation and the network need."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast samples are sent: `rate` per second, or `speed` times as fast as event time; else at full speed."""

    rate: float | None = None
    speed: float | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and self.speed is not None:
            raise SourceError("a replay has a rate or a speed, not both")
        for value in (self.rate, self.speed):
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise SourceError(f"rate and speed must be above 0, not {value}")

    @property
    def limited(self) -> bool:
        return self.rate is not None or self.speed is not None

    def due(self, count: int, event_seconds: float) -> float:
        """Seconds from the start at which sample `count` (from 0), `event_seconds` after the first, is due."""
        if self.rate is not None:
            return count / self.rate
        return event_seconds / self.speed if self.speed is not None else 0.0


@dataclass(frozen=True, slots=True)
class Form:
    """Topic, payload style, qos and retain of samples that do not have their own; topic None: all have their own."""

    topic: str | None = None
    style: Style = "json"
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """A clock, in seconds, and the sleep that follows it."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Summary:
    """Number of samples published, seconds taken, and seconds of event time that they span."""

    samples: int
    seconds: float
    event_seconds: float


async def play(
    samples: Iterable[Sample],
    publish: Publish,
    pace: Pace,
    form: Form,
    progress: Callable[[Summary], None] | None = None,
    timing: Timing | None = None,
) -> Summary:
    """Publish every sample when it is due, at most 1 ms early; late samples follow as fast as `publish` takes them.

    Deadlines count from the start, so that delays do not add up. `progress` is called about once a second, and at the
    end, whether by success or by an error. Raises SourceError if a sample has no topic or the source is malformed.
    """
    run = _Run(pace, timing or Timing(), progress)
    try:
        for sample in samples:
            topic = sample.topic or form.topic
            if topic is None:
                raise SourceError("the source names no topics: give one with --topic")
            await run.until_due(sample.time)
            await publish(
                topic,
                encode(sample, form.style),
                form.qos if sample.qos is None else sample.qos,
                retain=form.retain if sample.retain is None else sample.retain,
            )
            run.count += 1
    finally:
        summary = run.report()
    return summary


class _Run:
    """Progress of a replay: samples published, event time reached, last report."""

    def __init__(self, pace: Pace, timing: Timing, progress: Callable[[Summary], None] | None) -> None:
        self.pace, self.timing, self.progress = pace, timing, progress
        self.count = 0
        self.first = self.newest = math.nan
        self.begun = self.reported = timing.clock()
        self.told_late = False

    async def until_due(self, event_time: float) -> None:
        """Wait until the next sample is due.

        A long sleep is divided into seconds, so that progress is reported during it.
        """
        if self.count == 0:
            self.first = self.newest = event_time
        # A recording may step back in time; the schedule must not, or all later samples would count as late.
        self.newest = max(self.newest, event_time)
        due = self.begun + self.pace.due(self.count, self.newest - self.first)
        now = self.tick()
        if due - now > EARLY:
            while now < due:
                await self.timing.sleep(min(due - now, 1.0))
                now = self.tick()
        elif self.count % TURN == 0:
            await self.timing.sleep(0)
        if self.pace.limited and now - due > LATE and not self.told_late:
            self.told_late = True
            log.warning(
                "cannot keep up: %.1f s behind after %d samples (%.0f samples/s); going on as fast as possible",
                now - due,
                self.count,
                self.count / (now - self.begun),
            )

    def tick(self) -> float:
        """Read the clock, and report progress if the last report is a second old."""
        now = self.timing.clock()
        if now - self.reported >= 1.0:
            self.report()
        return now

    def report(self) -> Summary:
        """Summarise the replay so far and call `progress`."""
        self.reported = self.timing.clock()
        event_seconds = self.newest - self.first if self.count else 0.0
        summary = Summary(self.count, self.reported - self.begun, event_seconds)
        if self.progress is not None:
            self.progress(summary)
        return summary
