"""The two queues of the link, without I/O: messages received and not yet taken, messages not yet published."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from streamer.records import Message, Outgoing


class Inbox:
    """Received messages, oldest first; beyond `limit` the oldest QoS 0 message is dropped, never one of QoS 1."""

    __slots__ = ("_kept", "_limit", "_recent", "dropped")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # An overflow searches `recent` from the left for the oldest QoS 0 message, and moves the QoS 1 messages before
        # it to `kept`. Each message moves at most once, so the amortised cost is O(1), and the order stays.
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
        """Removes and returns the oldest messages, at most `most`."""
        if not self._kept and len(self._recent) <= most:
            taken = list(self._recent)
            self._recent.clear()
            return taken
        taken = [self._kept.popleft() for _ in range(min(most, len(self._kept)))]
        taken += [self._recent.popleft() for _ in range(min(most - len(taken), len(self._recent)))]
        return taken

    def void(self, *, redelivered: bool) -> None:
        """Makes waiting QoS 1 messages impossible to acknowledge: their identifiers belong to a lost connection.

        If the broker keeps the session, it will deliver them again, unless it was killed and has lost them. So they
        stay, as QoS 0, with the identifier by which a repetition is recognised. Otherwise they lose it.
        """
        for message in self.take(len(self)):
            voided = replace(message, qos=0) if redelivered else replace(message, mid=None)
            self._recent.append(voided if message.qos else message)


class Outbox:
    """Messages to publish, in order.

    It keeps every message until `hold` is called or `limit` is exceeded. From then on it keeps the newest of each
    topic, so that the number of topics bounds its size, until `release` finds it empty.
    """

    __slots__ = ("_all", "_limit", "_newest", "_newest_only", "superseded")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._all: deque[Outgoing] = deque()
        self._newest: OrderedDict[str, Outgoing] = OrderedDict()
        self._newest_only = False
        self.superseded = 0

    def __len__(self) -> int:
        return len(self._newest) if self._newest_only else len(self._all)

    def put(self, message: Outgoing) -> None:
        if self._newest_only:
            self._replace(message)
            return
        self._all.append(message)
        if len(self._all) > self._limit:
            self.hold()

    def hold(self, first: Iterable[Outgoing] = ()) -> None:
        """From now on keeps only the newest of each topic; `first` are older than all others and go before them."""
        waiting = [*first, *(self._newest.values() if self._newest_only else self._all)]
        self._all.clear()
        self._newest.clear()
        self._newest_only = True
        for message in waiting:
            self._replace(message)

    def _replace(self, message: Outgoing) -> None:
        # A topic keeps its place in the queue: otherwise a busy one might never be sent.
        if message.topic in self._newest:
            self.superseded += 1
        self._newest[message.topic] = message

    def pop(self) -> Outgoing:
        """The next message; raises IndexError or KeyError on an empty outbox."""
        if not self._newest_only:
            return self._all.popleft()
        return self._newest.popitem(last=False)[1]

    def unpop(self, message: Outgoing) -> None:
        """Puts back the message that `pop` has just returned."""
        if not self._newest_only:
            self._all.appendleft(message)
            return
        self._newest[message.topic] = message
        self._newest.move_to_end(message.topic, last=False)

    def release(self) -> None:
        """Keeps every message again if the outbox is empty; to be called while connected."""
        if self._newest_only and not self._newest:
            self._newest_only = False
