"""How long the event loop was silent."""

import asyncio
import time
from contextlib import suppress

from streamer.observe.lag import PERIOD, LoopLag


def lag(watched: LoopLag) -> float:
    (family,) = watched.collect()
    return float(family.samples[0].value)


async def test_a_silence_is_seen() -> None:
    """What keeps the loop for 0.3 s is told as 0.2 to 0.3 s and more."""
    watched = LoopLag()
    task = asyncio.create_task(watched.watch())
    await asyncio.sleep(0.01)
    time.sleep(0.3)  # noqa: ASYNC251
    await asyncio.sleep(0.05)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert lag(watched) >= 0.15


def test_a_silence_is_forgotten() -> None:
    """It is told for one to two periods."""
    watched = LoopLag()
    watched.note(2.0, watched.begun + 1)
    watched.note(0.1, watched.begun + PERIOD + 1)
    assert lag(watched) == 2.0
    watched.note(0.1, watched.begun + PERIOD + 1)
    assert lag(watched) == 0.1
