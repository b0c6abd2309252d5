"""The event loop in, how long it has lately been silent out: a socket, a signal or a heartbeat waits as long."""

import asyncio
import time
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.registry import Collector

EVERY = 0.1
"""Seconds between two looks."""
PERIOD = 30.0
"""Seconds after which the longest silence begins to be forgotten: two scrapes fit in."""


class LoopLag(Collector):
    """Watches the loop that `watch` runs on. Other threads may ask."""

    def __init__(self) -> None:
        self.now = self.before = 0.0
        self.begun = time.monotonic()

    def note(self, silent: float, now: float) -> None:
        """It was silent for so many seconds up to now."""
        if now - self.begun > PERIOD:
            self.begun, self.before, self.now = now, self.now, 0.0
        self.now = max(self.now, silent)

    async def watch(self) -> None:
        """Note for ever how late this wakes up."""
        while True:
            slept = time.monotonic()
            await asyncio.sleep(EVERY)
            woken = time.monotonic()
            self.note(max(0.0, woken - slept - EVERY), woken)

    def collect(self) -> Iterator[Gauge]:
        text = "Longest silence of the event loop within the last half to whole minute."
        yield Gauge("streamer_loop_lag_seconds", text, value=max(self.now, self.before))
