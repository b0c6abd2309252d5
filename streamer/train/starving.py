"""Says when a process at idle priority gets no processor, since others keep all of them busy."""

import time
from collections.abc import Callable
from pathlib import Path

LONGEST_WAIT = 10.0
"""Seconds for which a training may wait for a processor, in all, as long as that is less than MOST of its time."""
MOST = 0.95
PAUSE = 0.5
"""Seconds between two looks."""
SCHEDSTAT = Path("/proc/self/schedstat")
"""Nanoseconds that the process's first thread has run, and that it was ready to run and waited (proc(5))."""


def starving(run: float, wait: float) -> bool:
    """Whether a thread that has run, and has waited for a processor, for so many seconds is not getting on."""
    return wait > LONGEST_WAIT and wait > MOST * (run + wait)


def when_starving(act: Callable[[], None]) -> None:
    """Calls `act` once the first thread of this process starves. Returns at once where the system does not tell."""
    try:
        first = times()
        while not starving(*(now - then for now, then in zip(times(), first, strict=True))):
            time.sleep(PAUSE)
    except (OSError, ValueError):
        return
    act()


def times() -> tuple[float, float]:
    """Seconds that the first thread has run, and has waited for a processor."""
    run, wait, _ = SCHEDSTAT.read_text(encoding="ascii").split()
    return int(run) / 1e9, int(wait) / 1e9
