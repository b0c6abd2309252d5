"""Decodes a broker's byte stream, MQTT 3.1.1 or 5, given in chunks of any size, into packets; no I/O."""

from dataclasses import dataclass, field

from streamer.mqtt.packets import Packet, decode, read_varint
from streamer.mqtt.reasons import Malformed
from streamer.records import UNREADABLE, Message

CACHED_TOPICS = 65_536
CACHED_BYTES = 512  # longer topics are not cached, so that the cache is bounded in bytes, too
LONGEST_HEAD = 65_552  # bytes, at most, of a PUBLISH's topic, packet identifier and length of the properties


@dataclass(slots=True)
class Arrived:
    """The packets that a chunk completed, each list in the broker's order.

    `acknowledged` has the packet identifiers of successful PUBACKs. Once `malformed` is set, the rest of the stream
    cannot be decoded.
    """

    messages: list[Message] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    others: list[Packet] = field(default_factory=list)
    malformed: Malformed | None = None


class Decoder:
    """Decodes the incoming half of one connection.

    A payload of more than `most_payload` bytes is cut to one byte more than that, so that its length shows that it is
    too long. Whatever the broker sends, memory is bounded by `most_payload` and the size of a chunk.
    """

    __slots__ = ("_cached", "_five", "_incomplete", "_limit", "_longest", "_missing", "_skip", "_topics")

    def __init__(self, *, five: bool, most_payload: int, cached_topics: int = CACHED_TOPICS) -> None:
        self._five = five
        self._cached = cached_topics
        self._limit = most_payload
        self._longest = LONGEST_HEAD + most_payload + 1
        self._topics: dict[bytes, str] = {}
        self._incomplete: list[bytes] = []  # chunks of a packet that is not complete
        self._missing = 0  # bytes that must arrive before that packet can be decoded
        self._skip = 0  # bytes still to be discarded of a packet that is too large

    def feed(self, chunk: bytes, now: float) -> Arrived:
        """The packets that `chunk` completes; `now` is the time of arrival, in seconds since 1970."""
        arrived = Arrived()
        if self._skip:
            chunk, self._skip = chunk[self._skip :], max(0, self._skip - len(chunk))
            if self._skip:
                return arrived
        self._incomplete.append(chunk)
        self._missing -= len(chunk)
        if self._missing > 0:
            return arrived
        data = chunk if len(self._incomplete) == 1 else b"".join(self._incomplete)
        try:
            end = self._scan(data, arrived, now)
        except Malformed as error:
            arrived.malformed = error
            return arrived
        except IndexError:
            arrived.malformed = Malformed("a packet that ends too early")
            return arrived
        self._skip = max(0, end - len(data))
        self._incomplete = [data[end:]] if end < len(data) else []
        return arrived

    def _scan(self, data: bytes, arrived: Arrived, now: float) -> int:
        """Decodes complete packets; returns where the next one begins, which may lie beyond the data."""
        size, at = len(data), 0
        message, received, acknowledged = self._message, arrived.messages.append, arrived.acknowledged.append
        while size - at > 1:
            head, length, start = data[at], data[at + 1], at + 2
            if length > 127:
                if size - at < 5 and data[-1] > 127:
                    break  # the length itself is incomplete
                length, start = read_varint(data, at + 1)
            end = start + length
            stop = end if length <= self._longest else start + self._longest
            if stop > size:
                self._missing = stop - size
                return at
            if head & 0xF0 == 0x30:
                received(message(data, head, start, end, stop, now))
            elif head == 0x40 and (length == 2 or (length > 2 and data[start + 2] < 128)):
                acknowledged(data[start] << 8 | data[start + 1])
            elif stop < end:
                raise Malformed(f"a packet of type {head >> 4} and {length} bytes")
            else:
                arrived.others.append(decode(head, data[start:end], five=self._five))
            at = end
        self._missing = 0
        return at

    def _message(self, data: bytes, head: int, start: int, end: int, stop: int, now: float) -> Message:
        at = start + 2 + (data[start] << 8 | data[start + 1])
        name = data[start + 2 : at]
        topic = self._topics.get(name) or self._topic(name)
        qos, mid = head >> 1 & 3, None
        if qos:
            mid = data[at] << 8 | data[at + 1]
            at += 2
        if self._five:
            length = data[at]
            at += 1
            if length > 127:
                length, at = read_varint(data, at - 1)
            at += length
        if at > end or qos > 1:
            raise Malformed("a publish that contradicts itself, or of a QoS that was not asked for")
        payload = data[at:end] if stop == end else data[start : start + self._limit + 1]
        return Message(topic, payload, qos, head & 1 == 1, mid, now, head & 8 == 8)

    def _topic(self, name: bytes) -> str:
        if not name:
            raise Malformed("a publish without topic")
        try:
            topic = name.decode()
        except UnicodeDecodeError:
            return UNREADABLE  # a broker that passes it on would send it again after every reconnect
        if "\0" in topic:
            return UNREADABLE
        if len(name) <= CACHED_BYTES:
            if len(self._topics) >= self._cached:
                self._topics.clear()
            self._topics[name] = topic
        return topic
