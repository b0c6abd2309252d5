"""Samples in, messages published at the right moments out."""

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
    """Publishes one message; it waits while the broker does not keep up."""

    def __call__(self, topic: str, payload: bytes, qos: int, *, retain: bool) -> Awaitable[None]:
        """Done when the message is on its way."""


EARLY = 0.001
"""Seconds a sample may be early, so that many share one sleep at high rates."""
LATE = 1.0
"""Seconds behind schedule from which on the source counts as not keeping up."""
TURN = 64
"""Samples after which the event loop gets a turn where nothing sleeps: cancellation and the network need it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`rate` samples per second, or event time times `speed` (1: as recorded), or neither: as fast as possible."""

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
    """What a message has where its sample does not say: topic (None: the source must say), style, qos, retain."""

    topic: str | None = None
    style: Style = "json"
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """The clock in seconds and the sleep that goes with it."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Summary:
    """Samples published, seconds it took, and the event time they span in seconds."""

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
    """Publishes every sample when it is due, up to 1 ms early; what is late goes out as fast as `publish` takes it.

    Deadlines count from the start, so that delays do not add up. `progress` is called about once a second, and at the
    end however it comes. Raises SourceError where a sample has no topic, or the source is malformed.
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
    """Where a replay stands: samples published, event time reached, and what has been told so far."""

    def __init__(self, pace: Pace, timing: Timing, progress: Callable[[Summary], None] | None) -> None:
        self.pace, self.timing, self.progress = pace, timing, progress
        self.count = 0
        self.first = self.newest = math.nan
        self.begun = self.reported = timing.clock()
        self.told_late = False

    async def until_due(self, event_time: float) -> None:
        """Waits for the moment of the next sample.

        Sleeps are cut into seconds, so that progress is told through the longest of them.
        """
        if self.count == 0:
            self.first = self.newest = event_time
        # A recording may step back in time; the schedule does not, or the rest would look late.
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
        """The clock; reports progress where a second has passed since the last report."""
        now = self.timing.clock()
        if now - self.reported >= 1.0:
            self.report()
        return now

    def report(self) -> Summary:
        """The summary up to now, told to the progress callback."""
        self.reported = self.timing.clock()
        event_seconds = self.newest - self.first if self.count else 0.0
        summary = Summary(self.count, self.reported - self.begun, event_seconds)
        if self.progress is not None:
            self.progress(summary)
        return summary
