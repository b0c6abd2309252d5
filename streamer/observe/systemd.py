"""Notifies the service manager: a line of state in, a datagram to `$NOTIFY_SOCKET` out (sd_notify(3))."""

import os
import socket
from dataclasses import dataclass

READY = "READY=1"
WATCHDOG = "WATCHDOG=1"
STOPPING = "STOPPING=1"


def notify(state: str) -> bool:
    """Sends the state to the service manager, if there is one; returns whether it was sent.

    Errors are ignored: forecasts go on when the manager is gone, or too busy to take a datagram.
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
    """Watches whether the fast lane makes progress; `worked` is the number of turns it had worked at the last call."""

    worked: int = 0

    def made(self, worked: int, waiting: int) -> bool:
        """Whether the fast lane has worked since the last call, or no message is waiting now."""
        moved = worked != self.worked or waiting == 0
        self.worked = worked
        return moved
