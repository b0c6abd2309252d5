"""Long work on the event loop in, the same cut into turns out: in between, sockets and signals are served."""

import asyncio
import time

TURN_SECONDS = 0.05
"""Time after which work lets the others have their turn. How it is cut must not change what comes of it."""


class Turns:
    """Whoever has much to do calls `end` after every piece of it."""

    def __init__(self) -> None:
        self.begun = time.monotonic()

    @property
    def over(self) -> bool:
        """Whether this turn has taken its time."""
        return time.monotonic() - self.begun > TURN_SECONDS

    async def end(self) -> None:
        """Let the others have their turn, if this one is over."""
        if self.over:
            await asyncio.sleep(0)
            self.begun = time.monotonic()
