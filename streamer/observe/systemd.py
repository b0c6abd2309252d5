"""What a service manager is told: a line of state in, a datagram to `$NOTIFY_SOCKET` out (sd_notify(3))."""

import os
import socket
from dataclasses import dataclass

READY = "READY=1"
WATCHDOG = "WATCHDOG=1"
STOPPING = "STOPPING=1"


def notify(state: str) -> bool:
    """Tell it, and whether anybody listens; without a service manager nothing happens.

    A manager that is gone, or too busy to take a datagram, is no reason to stop forecasting.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as datagrams:
            datagrams.setblocking(False)
            # A name that begins with @ is in Linux's abstract namespace.
            datagrams.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
    except OSError:
        return False
    return True


@dataclass(slots=True)
class Progress:
    """Whether the fast lane moves: `taken` is the number of batches it had taken when last looked at."""

    taken: int = 0

    def made(self, taken: int, waiting: int) -> bool:
        """Whether it has taken a batch since, or had none to take: `waiting` messages are in its queue now."""
        moved = taken != self.taken or waiting == 0
        self.taken = taken
        return moved
