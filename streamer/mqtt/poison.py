"""Ends of connections in, the topic of the publish that they died on out; no I/O."""

from collections.abc import Sequence

from streamer.records import Outgoing

DEATHS = 3
"""Connections that end on publishes of one topic before it is given up."""
MOST_TOPICS = 1000
"""Topics given up that are remembered."""


class Poison:
    """Which topic a broker hangs up on, among those of its publishes of QoS 1.

    A broker works through publishes in order, so that the oldest in flight is what it was at when it hung up. A topic
    that is suspected goes alone from then on, until the broker has acknowledged it. topics: those given up.
    """

    def __init__(self) -> None:
        self.topics: dict[str, None] = {}
        self._suspect: str | None = None
        self._deaths = 0

    @property
    def suspected(self) -> bool:
        """Whether the oldest message is to go alone."""
        return self._suspect is not None

    def hung_up(self, in_flight: Sequence[Outgoing]) -> str | None:
        """The broker hung up with these in flight, oldest first; the topic that is given up for it, if any."""
        if not in_flight:
            return None
        topic = in_flight[0].topic
        self._deaths = self._deaths + 1 if topic == self._suspect else 1
        self._suspect = topic
        if self._deaths < DEATHS:
            return None
        self._suspect = None
        if len(self.topics) >= MOST_TOPICS:
            del self.topics[next(iter(self.topics))]
        self.topics[topic] = None
        return topic

    def acknowledged(self) -> None:
        """The broker has acknowledged what went alone, or there was nothing left to suspect."""
        self._suspect = None
