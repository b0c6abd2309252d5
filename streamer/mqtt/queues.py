"""The two queues of the link, pure: what was received and not yet taken, what is to be published and not yet sent."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from streamer.records import Message, Outgoing


class Inbox:
    """Received messages, oldest first; beyond `limit` the oldest of QoS 0 goes, QoS 1 always stays."""

    __slots__ = ("_kept", "_limit", "_recent", "dropped")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # An overflow looks for the oldest QoS 0 message from the left of `recent` and moves the QoS 1 messages it
        # passes to `kept`: each moves once at most, so that each costs O(1) in the mean, and order is kept.
        self._kept: deque[Message] = deque()
        self._recent: deque[Message] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._kept) + len(self._recent)

    def extend(self, messages: Sequence[Message]) -> None:
        self._recent.extend(messages)
        for _ in range(len(self) - self._limit):
            self._make_room()

    def _make_room(self) -> None:
        while self._recent:
            oldest = self._recent.popleft()
            if oldest.qos == 0:
                self.dropped += 1
                return
            self._kept.append(oldest)

    def take(self, most: int) -> list[Message]:
        """At most `most` messages, the oldest, removed from the queue."""
        if not self._kept and len(self._recent) <= most:
            taken = list(self._recent)
            self._recent.clear()
            return taken
        taken = [self._kept.popleft() for _ in range(min(most, len(self._kept)))]
        taken += [self._recent.popleft() for _ in range(min(most - len(taken), len(self._recent)))]
        return taken

    def void(self, *, redelivered: bool) -> None:
        """What waits is of a dead connection, where packet identifiers meant something else: none is acknowledged.

        QoS 1 messages that the broker is to deliver again stay all the same, as QoS 0 with their identifier by which
        the repetition is known: a broker that was killed may have forgotten them. Others lose their identifier.
        """
        for message in self.take(len(self)):
            gone = replace(message, qos=0) if redelivered else replace(message, mid=None)
            self._recent.append(gone if message.qos else message)


class Outbox:
    """Messages to publish, in order; once `hold` is called or `limit` passed, only the newest of each topic.

    It keeps every message again as soon as it has run empty. Held back, its size is bounded by the number of topics.
    """

    __slots__ = ("_all", "_limit", "_newest", "_squeezed", "superseded")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._all: deque[Outgoing] = deque()
        self._newest: OrderedDict[str, Outgoing] = OrderedDict()
        self._squeezed = False
        self.superseded = 0

    def __len__(self) -> int:
        return len(self._newest) if self._squeezed else len(self._all)

    def put(self, message: Outgoing) -> None:
        if self._squeezed:
            self._replace(message)
            return
        self._all.append(message)
        if len(self._all) > self._limit:
            self.hold()

    def hold(self, first: Iterable[Outgoing] = ()) -> None:
        """From now on only the newest of each topic; `first` are older than all others and go before them."""
        waiting = [*first, *(self._newest.values() if self._squeezed else self._all)]
        self._all.clear()
        self._newest.clear()
        self._squeezed = True
        for message in waiting:
            self._replace(message)

    def _replace(self, message: Outgoing) -> None:
        # A topic keeps its place in the queue, so that a busy one is not put off again and again.
        if message.topic in self._newest:
            self.superseded += 1
        self._newest[message.topic] = message

    def pop(self) -> Outgoing:
        """The next message; raises IndexError or KeyError on an empty outbox."""
        if not self._squeezed:
            return self._all.popleft()
        return self._newest.popitem(last=False)[1]

    def unpop(self, message: Outgoing) -> None:
        """Puts back what `pop` has just given."""
        if not self._squeezed:
            self._all.appendleft(message)
            return
        self._newest[message.topic] = message
        self._newest.move_to_end(message.topic, last=False)

    def release(self) -> None:
        """Keeps every message again if the outbox is empty; to be called on a working connection."""
        if self._squeezed and not self._newest:
            self._squeezed = False
