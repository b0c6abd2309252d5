"""Keeps the broker's session subscribed to exactly the filters that are wanted."""

import asyncio
import logging
from collections.abc import Iterable

from streamer.mqtt.connection import Connection

log = logging.getLogger("streamer.mqtt")


class Subscriptions:
    """The filters wanted, those granted on this connection, and former ones that the session may still have.

    It outlives connections. `changed` is set from `replace` until `apply` has told the broker.
    """

    def __init__(self, qos: int, filters: Iterable[str], former: Iterable[str]) -> None:
        self.changed = asyncio.Event()
        self._qos = qos
        self._wanted = list(dict.fromkeys(filters))
        self._granted: set[str] = set()
        self._former = list(dict.fromkeys(former))

    @property
    def complete(self) -> bool:
        """Whether the broker has granted every wanted filter."""
        return self._granted.issuperset(self._wanted)

    def replace(self, filters: Iterable[str]) -> None:
        """Changes the wanted filters; `apply` tells the broker."""
        self._former = list(dict.fromkeys([*self._former, *self._wanted]))
        self._wanted = list(dict.fromkeys(filters))
        self.changed.set()

    def forget(self) -> None:
        """Forgets what was granted: the next connection subscribes to every filter again."""
        self._granted = set()

    async def apply(self, connection: Connection) -> None:
        """Subscribes and unsubscribes until the session matches the wanted filters; raises LinkError."""
        while True:
            wanted = self._wanted
            await self._subscribe(connection, [name for name in wanted if name not in self._granted])
            # Unsubscribed last, so that a topic that both an old and a new filter select is never missed.
            gone = [name for name in self._former if name not in wanted]
            await connection.unsubscribe_all(gone)
            if dropped := self._granted.intersection(gone):
                self._granted -= dropped
                log.info("unsubscribed from %s", ", ".join(sorted(dropped)))
            if wanted is self._wanted:
                self.changed.clear()
                return

    async def _subscribe(self, connection: Connection, filters: list[str]) -> None:
        refused = await connection.subscribe_all(filters, self._qos)
        for name, reason in refused.items():
            log.error("subscription to %r refused: %s; grant it in the broker's access list", name, reason)
        self._granted.update(name for name in filters if name not in refused)
        if filters and self._granted.issuperset(filters):
            log.info("subscribed to %s", ", ".join(filters))
