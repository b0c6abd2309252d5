"""Encodes the packets of a client, MQTT 3.1.1 or 5: arguments in, bytes out; no I/O.

Layouts are those of chapter 3 of the OASIS standards MQTT 3.1.1 and 5.0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import pack

from streamer.records import Outgoing

PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"
LARGEST = 268_435_455  # bytes of a packet after its fixed header
LONGEST_STRING = 65_535  # bytes
CACHED_TOPICS = 65_536

CLEAN, WILL, WILL_QOS_1, WILL_RETAIN, PASSWORD, USERNAME = 0x02, 0x04, 0x08, 0x20, 0x40, 0x80
SESSION_EXPIRY, RECEIVE_MAXIMUM = 0x11, 0x21
RETAIN_AS_PUBLISHED = 0x08
"""Subscription option: messages keep the retain flag they were published with (MQTT 5, section 3.8.3.1)."""


@dataclass(frozen=True, slots=True)
class Login:
    """The content of CONNECT, with the will as the broker is to publish it.

    `session_expiry` is in seconds; 0 asks for a clean session. Its value and `receive_maximum` are sent with MQTT 5
    only.
    """

    client_id: str
    keepalive: int
    username: str | None = None
    password: str | None = None
    will: Outgoing | None = None
    session_expiry: int = 0
    receive_maximum: int = 65_535


def varint(number: int) -> bytes:
    """A variable byte integer; raises ValueError beyond `LARGEST`."""
    if number < 128:
        return bytes((number,))
    if number < 16_384:
        return bytes((number & 127 | 128, number >> 7))
    if number > LARGEST:
        raise ValueError(f"{number} bytes are more than an MQTT packet holds")
    return bytes((number & 127 | 128,)) + varint(number >> 7)


def string(text: str) -> bytes:
    """UTF-8 preceded by its length; raises ValueError (UnicodeEncodeError is one) for what MQTT cannot carry."""
    return binary(text.encode())


def binary(data: bytes) -> bytes:
    """Bytes preceded by their length; raises ValueError beyond `LONGEST_STRING`."""
    if len(data) > LONGEST_STRING:
        raise ValueError(f"{len(data)} bytes are more than an MQTT string holds")
    return pack(">H", len(data)) + data


def packet(head: int, *body: bytes) -> bytes:
    """A complete packet: type and flags, length, body."""
    joined = b"".join(body)
    return bytes((head,)) + varint(len(joined)) + joined


def connect(login: Login, *, five: bool) -> bytes:
    """The CONNECT packet."""
    flags, rest = 0 if login.session_expiry else CLEAN, [string(login.client_id)]
    if login.will is not None:
        flags |= WILL | WILL_QOS_1 * login.will.qos | WILL_RETAIN * login.will.retain
        rest += [b"\0" if five else b"", string(login.will.topic), binary(login.will.payload)]
    if login.username is not None:
        flags |= USERNAME
        rest.append(string(login.username))
    if login.password is not None:
        flags |= PASSWORD
        rest.append(string(login.password))
    properties = b""
    if five:
        properties = pack(">BH", RECEIVE_MAXIMUM, login.receive_maximum)
        if login.session_expiry:
            properties += pack(">BI", SESSION_EXPIRY, login.session_expiry)
        properties = varint(len(properties)) + properties
    return packet(0x10, string("MQTT"), pack(">BBH", 5 if five else 4, flags, login.keepalive), properties, *rest)


def subscribe(mid: int, filters: Sequence[str], *, options: int, five: bool) -> bytes:
    """The SUBSCRIBE packet; `options` is the QoS, with MQTT 5 optionally combined with RETAIN_AS_PUBLISHED."""
    head = pack(">H", mid) + (b"\0" if five else b"")
    return packet(0x82, head, *(string(name) + bytes((options,)) for name in filters))


def unsubscribe(mid: int, filters: Sequence[str], *, five: bool) -> bytes:
    """The UNSUBSCRIBE packet."""
    return packet(0xA2, pack(">H", mid) + (b"\0" if five else b""), *map(string, filters))


def pubacks(mids: Sequence[int]) -> bytes:
    """A successful PUBACK for each packet identifier, in order."""
    return pack(f">{len(mids)}I", *[0x40020000 | mid for mid in mids])


class Publishes:
    """Encodes PUBLISH for one connection; a bounded cache holds the topics that are checked and encoded."""

    __slots__ = ("_cached", "_largest", "_properties", "_topics")

    def __init__(self, *, five: bool, largest: int | None = None, cached_topics: int = CACHED_TOPICS) -> None:
        self._cached = cached_topics
        self._topics: dict[str, bytes] = {}
        # The broker counts the fixed header, too: one byte, and at most four for the length.
        self._largest = min(LARGEST, LARGEST if largest is None else largest - 5)
        self._properties = b"\0" if five else b""

    def encode(self, message: Outgoing, mid: int) -> tuple[bytes, ...]:
        """The parts of the packet, to be joined; raises ValueError for a message that the broker does not take.

        `mid` is the packet identifier, used at QoS 1 only.
        """
        topic = self._topics.get(message.topic) or self._encode_topic(message.topic)
        middle = pack(">H", mid) + self._properties if message.qos else self._properties
        size = len(topic) + len(middle) + len(message.payload)
        if size > self._largest:
            raise ValueError(f"{len(message.payload)} bytes of payload are more than the broker takes")
        head = bytes((0x30 | message.qos << 1 | message.retain,))
        return head, varint(size), topic, middle, message.payload

    def _encode_topic(self, topic: str) -> bytes:
        if not topic or any(character in topic for character in "+#\0"):
            raise ValueError("a topic to publish on is not empty and has no wildcard")
        if len(self._topics) >= self._cached:
            self._topics.clear()
        self._topics[topic] = encoded = string(topic)
        return encoded
