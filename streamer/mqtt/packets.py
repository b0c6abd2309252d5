"""Decodes a broker's packets other than PUBLISH: the body of a packet in, a record out.

Layouts are those of chapter 3 of the OASIS standards MQTT 3.1.1 and 5.0.
"""

from dataclasses import dataclass
from typing import Self

from streamer.mqtt.reasons import Malformed, OtherVersion

RECEIVE_MAXIMUM, SERVER_KEEP_ALIVE, MAXIMUM_PACKET_SIZE, USER_PROPERTY = 0x21, 0x13, 0x27, 0x26
MAXIMUM_QOS, RETAIN_AVAILABLE = 0x24, 0x25
# Properties of CONNACK whose value is a number -> its size in bytes; the values of all others are strings.
NUMBERS = {0x24: 1, 0x25: 1, 0x28: 1, 0x29: 1, 0x2A: 1, 0x13: 2, 0x21: 2, 0x22: 2, 0x11: 4, 0x27: 4}
# Return code of MQTT 3.1.1 -> reason code of MQTT 5.
RETURN_CODES = {1: 132, 2: 133, 3: 136, 4: 134, 5: 135}


@dataclass(frozen=True, slots=True)
class Connack:
    """The answer to CONNECT; `reason` is 0 for success, or a reason code of MQTT 5.

    `receive_maximum` is in QoS 1 publishes, `keepalive` in seconds, `largest_packet` in bytes, `retains` is 0 where the
    broker retains nothing. Each is None where the broker does not set it.
    """

    session_present: bool
    reason: int
    receive_maximum: int | None = None
    keepalive: int | None = None
    largest_packet: int | None = None
    most_qos: int | None = None
    retains: int | None = None

    @classmethod
    def of(cls, body: bytes, *, five: bool) -> Self:
        if five and len(body) == 2 and body[1] == 0:
            raise OtherVersion("an answer of MQTT 3.1.1")
        if five and len(body) > 2:
            reason, properties = body[1], _properties(body, 2)
        else:  # MQTT 3.1.1, in which a broker that does not know MQTT 5 refuses it
            reason, properties = RETURN_CODES.get(body[1], body[1]), {}
        names = RECEIVE_MAXIMUM, SERVER_KEEP_ALIVE, MAXIMUM_PACKET_SIZE, MAXIMUM_QOS, RETAIN_AVAILABLE
        return cls(bool(body[0] & 1), reason, *map(properties.get, names))


@dataclass(frozen=True, slots=True)
class Answer:
    """A SUBACK or UNSUBACK: a reason code for each filter; MQTT 3.1.1 has none for UNSUBACK."""

    mid: int
    codes: bytes

    @classmethod
    def of(cls, body: bytes, *, five: bool) -> Self:
        start = 2
        if five:
            length, start = read_varint(body, 2)
            start += length
        return cls(body[0] << 8 | body[1], body[start:])


@dataclass(frozen=True, slots=True)
class Refusal:
    """A PUBACK that refuses a publish; MQTT 5 only."""

    mid: int
    reason: int


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The broker ends the connection; MQTT 5 only."""

    reason: int


@dataclass(frozen=True, slots=True)
class Pong:
    """A PINGRESP: the broker is alive."""


Packet = Connack | Answer | Refusal | Disconnect | Pong


def decode(head: int, body: bytes, *, five: bool) -> Packet:
    """The packet with this first byte and body, any but PUBLISH.

    Raises Malformed, or IndexError where the body is too short.
    """
    kind = head >> 4
    if kind == 2:
        return Connack.of(body, five=five)
    if kind in (9, 11):
        return Answer.of(body, five=five)
    if kind == 4 and five:
        return Refusal(body[0] << 8 | body[1], body[2])
    if kind == 13:
        return Pong()
    if kind == 14 and five:
        return Disconnect(body[0] if body else 0)
    raise Malformed(f"a packet of type {kind}")


def read_varint(data: bytes, start: int) -> tuple[int, int]:
    """A variable byte integer and the offset of its end; raises Malformed, or IndexError where it is incomplete."""
    number = 0
    for shift in (0, 7, 14, 21):
        byte = data[start]
        start += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, start
    raise Malformed("a length of more than four bytes")


def _properties(body: bytes, start: int) -> dict[int, int]:
    """The properties of a CONNACK whose values are numbers; raises Malformed or IndexError where they are cut."""
    length, at = read_varint(body, start)
    end, numbers = at + length, dict[int, int]()
    if end > len(body):
        raise Malformed("properties that end too early")
    while at < end:
        name, at = body[at], at + 1
        if name in NUMBERS:
            numbers[name] = int.from_bytes(body[at : at + NUMBERS[name]])
            at += NUMBERS[name]
            continue
        for _ in range(2 if name == USER_PROPERTY else 1):
            at += 2 + (body[at] << 8 | body[at + 1])
    if at > end:
        raise Malformed("a property that ends too early")
    return numbers
