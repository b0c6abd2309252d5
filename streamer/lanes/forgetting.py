"""Series that are no more in, the running daemon without them out: those that somebody names, and those too old."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from streamer.errors import StateBlocked
from streamer.ingest.grid import Series
from streamer.ingest.topics import selects
from streamer.lanes.reload import Reloader
from streamer.records import Outgoing
from streamer.store.requests import take
from streamer.stream.state import StreamState

log = logging.getLogger("streamer.store")

LOOK_SECONDS = 1.0
"""Between two looks for a request."""
AGE_SECONDS = 60.0
"""Between two looks at the age of series."""


async def forgetting(reloader: Reloader, directory: Path, publish: Callable[[Sequence[Outgoing]], None]) -> None:
    """Forget what is asked for in the state directory, and what is too old, for ever.

    `publish` takes the messages that take back what the broker keeps. Raises StateError.
    """
    looked = -AGE_SECONDS
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        pattern = take(directory)
        if pattern is None and time.monotonic() - looked < AGE_SECONDS:
            continue
        looked = time.monotonic()
        gone = [*named(reloader.fast.streams, pattern), *old(reloader.fast.streams, time.time())]
        if gone:
            try:
                await reloader.forget(gone, publish)
            except StateBlocked as blocked:
                log.error("nothing is forgotten: %s", blocked)


def named(streams: Sequence[StreamState], pattern: str | None) -> Iterator[Series]:
    """The series that a pattern selects."""
    for stream in streams if pattern else ():
        for series in stream.series:
            if selects(pattern or "", series.topic, series.part):
                log.warning("forgets stream=%s series=%r: asked for", stream.name, series.name)
                yield series


def old(streams: Sequence[StreamState], now: float) -> Iterator[Series]:
    """The series without a sample for longer than `forget_after`, while others of their stream had some.

    Ages count to the newest sample of the stream: an outage ages nobody, and nor does a recording that is replayed.
    They count at most to the clock: a sample that is dated ahead ages nobody either.
    """
    for stream in streams:
        after, sampled = stream.config.forget_after, [one for one in stream.series if one.tick >= 0]
        if after is None or not sampled:
            continue
        newest = min(now, max(one.time for one in sampled))
        for series in sampled:
            if newest - series.time > after:
                log.warning(
                    "forgets stream=%s series=%r: silent for %.0f s", stream.name, series.name, newest - series.time
                )
                yield series
