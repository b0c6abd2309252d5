"""The two queues of the link, without I/O: messages received and not yet taken, messages not yet published."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import replace

from streamer.records import Message, Outgoing


class Inbox:
    """Received messages, oldest first.

    Beyond `limit` the newest of those that the broker delivers again gives way, else the oldest QoS 0 message, never
    another one of QoS 1.
    """

    __slots__ = ("_again", "_kept", "_limit", "_recent", "dropped")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Of a lost connection, older than the others. To drop the oldest of them would let younger ones pass those
        # that come again, which would be late.
        self._again: deque[Message] = deque()
        # An overflow searches `recent` from the left for the oldest QoS 0 message, and moves the QoS 1 messages before
        # it to `kept`. Each message moves at most once, so the amortised cost is O(1), and the order stays.
        self._kept: deque[Message] = deque()
        self._recent: deque[Message] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._again) + len(self._kept) + len(self._recent)

    def extend(self, messages: Sequence[Message]) -> None:
        self._recent.extend(messages)
        for _ in range(len(self) - self._limit):
            self._make_room()

    def _make_room(self) -> None:
        if self._again:
            self.dropped += self._again.pop().qos == 0
            return
        while self._recent:
            oldest = self._recent.popleft()
            if oldest.qos == 0:
                self.dropped += 1
                return
            self._kept.append(oldest)

    def take(self, most: int) -> list[Message]:
        """Removes and returns the oldest messages, at most `most`; those that come again as QoS 0."""
        again = [self._again.popleft() for _ in range(min(most, len(self._again)))]
        taken = [replace(message, qos=0) for message in again]
        if not self._kept and len(taken) + len(self._recent) <= most:
            taken += self._recent
            self._recent.clear()
            return taken
        taken += [self._kept.popleft() for _ in range(min(most - len(taken), len(self._kept)))]
        taken += [self._recent.popleft() for _ in range(min(most - len(taken), len(self._recent)))]
        return taken

    def void(self, *, redelivered: bool) -> None:
        """Makes waiting QoS 1 messages impossible to acknowledge: their identifiers belong to a lost connection.

        If the broker keeps the session, it will deliver them again, unless it was killed and has lost them. So they
        stay, as QoS 0, with the identifier by which a repetition is recognised. Otherwise they lose it.
        """
        waiting = [*self._again, *self._kept, *self._recent]
        for messages in (self._again, self._kept, self._recent):
            messages.clear()
        if redelivered:
            self._again.extend(waiting)
        else:
            self._recent.extend(replace(message, mid=None) if message.qos else message for message in waiting)


class Outbox:
    """Messages to publish, in order.

    It keeps every message until `limit` is exceeded. From then on it keeps the newest of each topic, so that the number
    of topics bounds its size, until it is empty.
    """

    __slots__ = ("_all", "_limit", "_newest", "superseded")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # One of the two is empty: `newest` has messages once the limit was exceeded, until all of them are gone.
        self._all: deque[Outgoing] = deque()
        self._newest: OrderedDict[str, Outgoing] = OrderedDict()
        self.superseded = 0

    def __len__(self) -> int:
        return len(self._newest) or len(self._all)

    def put(self, message: Outgoing) -> None:
        if self._newest:
            self._replace(message)
            return
        self._all.append(message)
        if len(self._all) > self._limit:
            self._thin_out()

    def put_back(self, messages: Sequence[Outgoing]) -> None:
        """Puts messages, which are older than all others, at the front."""
        self._all.extendleft(reversed(messages))
        if self._newest or len(self._all) > self._limit:
            self._thin_out()

    def _thin_out(self) -> None:
        waiting = [*self._all, *self._newest.values()]
        self._all.clear()
        self._newest.clear()
        for message in waiting:
            self._replace(message)

    def _replace(self, message: Outgoing) -> None:
        # A topic keeps its place in the queue: otherwise a busy one might never be sent.
        if message.topic in self._newest:
            self.superseded += 1
        self._newest[message.topic] = message

    def pop(self) -> Outgoing:
        """The next message; raises IndexError on an empty outbox."""
        if not self._newest:
            return self._all.popleft()
        return self._newest.popitem(last=False)[1]

    def unpop(self, message: Outgoing) -> None:
        """Puts back the message that `pop` has just returned."""
        if not self._newest:
            self._all.appendleft(message)
            return
        self._newest[message.topic] = message
        self._newest.move_to_end(message.topic, last=False)
