"""The codec, MQTT 3.1.1 and 5, against two other implementations: amqtt's and mqtt5's."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from itertools import pairwise
from typing import Any

import mqtt5
import pytest
from amqtt.adapters import BufferReader
from amqtt.mqtt.connack import ConnackPacket
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.puback import PubackPacket
from amqtt.mqtt.publish import PublishPacket
from amqtt.mqtt.suback import SubackPacket
from amqtt.mqtt.subscribe import SubscribePacket
from amqtt.mqtt.unsuback import UnsubackPacket
from amqtt.mqtt.unsubscribe import UnsubscribePacket
from hypothesis import given
from hypothesis import strategies as st

from streamer.mqtt import encoder
from streamer.mqtt.decoder import Arrived, Decoder
from streamer.mqtt.encoder import Login, Publishes
from streamer.mqtt.packets import Answer, Connack, Disconnect, Refusal
from streamer.mqtt.reasons import Malformed
from streamer.records import Message, Outgoing

NOW = 1000.0
MOST = 300  # bytes of a payload in these tests
FIVE = st.booleans()
MIDS = st.integers(1, 65_535)
TOPICS = st.one_of(
    st.sampled_from(["a", "plant/press-3/temperature", "Gerät/°C", "x" * 600]),
    st.text("aä°/€𝄞 ", min_size=1),
)
PAYLOADS = st.one_of(st.binary(max_size=20), st.sampled_from([bytes(127), bytes(MOST), bytes(MOST + 1), bytes(70_000)]))
MESSAGES = st.builds(
    Message,
    topic=TOPICS,
    payload=PAYLOADS,
    qos=st.integers(0, 1),
    retain=st.booleans(),
    mid=MIDS,
    arrived=st.just(NOW),
    dup=st.booleans(),
).map(lambda message: message if message.qos else replace(message, mid=None, dup=False))
PUBACKS = st.builds(Refusal, MIDS, st.sampled_from([0, 16, 128, 135, 151]))
SUBACKS = st.builds(Answer, MIDS, st.lists(st.sampled_from([0, 1, 128]), min_size=1, max_size=4).map(bytes))
CONNACKS = st.builds(
    Connack,
    session_present=st.booleans(),
    reason=st.sampled_from([0, 134, 135]),
    receive_maximum=MIDS,
    keepalive=st.none() | MIDS,
    largest_packet=st.none() | st.integers(1, 2**32 - 1),
)
DISCONNECTS = st.builds(Disconnect, st.sampled_from([139, 142]))
PACKETS = st.one_of(MESSAGES, PUBACKS, SUBACKS, CONNACKS)
SENT = Message | Refusal | Answer | Connack | Disconnect


def five_bytes(packet: SENT) -> bytes:
    """What a broker of MQTT 5 sends, with properties that nobody asked for."""
    extra: dict[str, Any] = {"user_properties": [("origin", "plant" * 40)]}
    match packet:
        case Message(topic, payload, qos, retain, mid, _, dup):
            flags: dict[str, Any] = {
                "qos": mqtt5.QoS(qos),
                "retain": retain,
                "packet_id": mid or None,
                "duplicate": dup,
            }
            return mqtt5.PublishPacket(topic, payload, **flags, **extra, content_type="text/plain").write()
        case Refusal(mid, reason):
            return mqtt5.PubAckPacket(
                mid, reason_code=mqtt5.PubAckReasonCode(reason), **(extra if mid % 2 else {})
            ).write()
        case Answer(mid, codes):
            return mqtt5.SubAckPacket(mid, [mqtt5.SubAckReasonCode(code) for code in codes], **extra).write()
        case Connack(present, reason, receive_maximum, keepalive, largest):
            limits = {"receive_max": receive_maximum, "server_keep_alive": keepalive, "max_packet_size": largest}
            said = {
                "reason_str": "because",
                "assigned_client_id": "me",
                "session_expiry_interval": 7,
                **limits,
                **extra,
            }
            return mqtt5.ConnAckPacket(
                session_present=present, reason_code=mqtt5.ConnAckReasonCode(reason), topic_alias_max=3, **said
            ).write()
        case Disconnect(reason):
            return mqtt5.DisconnectPacket(reason_code=mqtt5.DisconnectReasonCode(reason), **extra).write()


def three_bytes(packet: SENT) -> bytes:
    """What a broker of MQTT 3.1.1 sends."""
    match packet:
        case Message(topic, payload, qos, retain, mid, _, dup):
            return bytes(PublishPacket.build(topic, payload, mid or None, dup, qos, retain).to_bytes())
        case Refusal(mid, _):
            return bytes(PubackPacket.build(mid).to_bytes())
        case Answer(mid, codes):
            return bytes(SubackPacket.build(mid, list(codes)).to_bytes())
        case Connack(present, reason):
            return bytes(ConnackPacket.build(int(present), {0: 0, 134: 4, 135: 5}[reason]).to_bytes())
        case Disconnect():
            raise AssertionError("not of MQTT 3.1.1")


def expected(packets: Sequence[SENT], *, five: bool) -> Arrived:
    """What the decoder is to make of these packets."""
    arrived = Arrived()
    for packet in packets:
        match packet:
            case Message():
                arrived.messages.append(packet)
            case Refusal(mid, reason) if not five or reason < 128:
                arrived.acknowledged.append(mid)
            case Connack(present, reason) if not five:
                arrived.others.append(Connack(present, reason))
            case Connack(receive_maximum=65_535):  # the default, which is not sent
                arrived.others.append(replace(packet, receive_maximum=None))
            case _:
                arrived.others.append(packet)
    return arrived


def decoded(stream: bytes, cuts: Sequence[int], *, five: bool) -> Arrived:
    """The stream, cut at these places, through one decoder."""
    incoming, arrived = Decoder(five=five, most_payload=MOST), Arrived()
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for begin, end in pairwise(edges):
        some = incoming.feed(stream[begin:end], NOW)
        arrived.messages.extend(some.messages)
        arrived.acknowledged.extend(some.acknowledged)
        arrived.others.extend(some.others)
        assert some.malformed is None
    return arrived


@given(packets=st.lists(PACKETS, max_size=6), cuts=st.lists(st.integers(0, 10**6), max_size=8), five=FIVE)
def test_any_split_gives_the_same_packets(packets: list[SENT], cuts: list[int], five: bool) -> None:
    """Whatever chunks a stream comes in, its packets are those that another implementation put into it."""
    stream = b"".join(five_bytes(packet) if five else three_bytes(packet) for packet in packets)
    whole = expected(packets, five=five)
    arrived = decoded(stream, cuts, five=five)
    assert (arrived.acknowledged, arrived.others) == (whole.acknowledged, whole.others)
    for got, sent in zip(arrived.messages, whole.messages, strict=True):
        if len(sent.payload) <= MOST:
            assert got == sent
        else:
            assert len(got.payload) > MOST
            assert replace(got, payload=b"") == replace(sent, payload=b"")


@given(packet=st.one_of(PACKETS, DISCONNECTS))
def test_a_byte_at_a_time(packet: SENT) -> None:
    """A packet that comes byte by byte is taken with its last byte and not before."""
    stream, incoming = five_bytes(packet)[:500], Decoder(five=True, most_payload=MOST)
    whole = len(stream) == len(five_bytes(packet))
    for i in range(len(stream) - 1):
        assert incoming.feed(stream[i : i + 1], NOW) == Arrived()
    assert (incoming.feed(stream[-1:], NOW) != Arrived()) == whole


@given(chunks=st.lists(st.binary(max_size=40), max_size=8), five=FIVE)
def test_any_bytes_are_taken_or_malformed(chunks: list[bytes], five: bool) -> None:
    """Bytes that are no MQTT are malformed; nothing is raised."""
    incoming = Decoder(five=five, most_payload=MOST)
    for chunk in chunks:
        if incoming.feed(chunk, NOW).malformed is not None:
            break


@given(packet=PACKETS, flips=st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 255)), min_size=1), five=FIVE)
def test_damaged_packets_are_taken_or_malformed(packet: SENT, flips: list[tuple[int, int]], five: bool) -> None:
    """A packet with bytes changed is taken for another one, waited for, or malformed; nothing is raised."""
    stream = bytearray(five_bytes(packet) if five else three_bytes(packet))
    for place, byte in flips:
        stream[place % len(stream)] = byte
    Decoder(five=five, most_payload=MOST).feed(bytes(stream), NOW)


@pytest.mark.parametrize(
    "stream",
    [
        b"\x36\x05\x00\x01a\x00\x01",  # a publish of QoS 3
        b"\x30\x03\x00\x09a",  # a topic longer than its packet
        b"\x30\x02\x00\x00",  # no topic
        b"\x20\x80\x80\x80\x80\x01",  # a length of five bytes
        b"\x20\x00",  # an empty CONNACK
        b"\x40\x01\x00",  # half an identifier
        b"\x10\x00",  # what only clients say
        b"\x90\xff\xff\xff\x7f",  # an answer of 256 MB
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_what_no_broker_says(stream: bytes) -> None:
    """Packets that contradict the standard are malformed; what came before them counts."""
    arrived = Decoder(five=False, most_payload=MOST).feed(b"\x40\x02\x00\x05" + stream + bytes(100_000), NOW)
    assert isinstance(arrived.malformed, Malformed)
    assert (arrived.acknowledged, arrived.messages, arrived.others) == ([5], [], [])


@pytest.mark.parametrize("five", [False, True])
def test_a_huge_payload_is_not_kept(five: bool) -> None:
    """Of 20 MB a chunk or two are kept; the message tells by its length that it is too large; the next one comes."""
    encode = five_bytes if five else three_bytes
    huge = Message("a", bytes(20_000_000), 1, False, 7, NOW)
    stream, incoming = (
        encode(huge) + encode(replace(huge, payload=b"next", mid=8)),
        Decoder(five=five, most_payload=MOST),
    )
    messages = []
    for start in range(0, len(stream), 65_536):
        messages += incoming.feed(stream[start : start + 65_536], NOW).messages
        assert sum(map(len, incoming._incomplete)) <= MOST + 2 * 65_536
    assert [(len(message.payload), message.mid) for message in messages] == [(MOST + 1, 7), (4, 8)]


def test_topics_are_remembered_in_bounds() -> None:
    """The same topic is the same string, and neither direction remembers more topics than it may."""
    incoming = Decoder(five=False, most_payload=MOST, cached_topics=10)
    outgoing = Publishes(five=False, cached_topics=10)
    topics = []
    for i in range(100):
        packet = b"".join(outgoing.encode(Outgoing(f"topic/{i}", b"", 0, False), 0))
        topics += [message.topic for message in incoming.feed(packet + packet, NOW).messages]
        assert topics[-1] is topics[-2]
        assert len(incoming._topics) <= 10
        assert len(outgoing._topics) <= 10
    assert topics[::2] == [f"topic/{i}" for i in range(100)]


LOGINS = st.builds(
    Login,
    client_id=TOPICS,
    keepalive=st.integers(5, 65_535),
    username=st.none() | TOPICS,
    will=st.none() | st.builds(Outgoing, TOPICS, st.binary(max_size=20), st.integers(0, 1), st.booleans()),
    session_expiry=st.sampled_from([0, 3600]),
    receive_maximum=MIDS,
)


@given(login=LOGINS, password=st.none() | TOPICS)
def test_logins(login: Login, password: str | None) -> None:
    """CONNECT reads as it was meant, in both versions."""
    login = replace(login, password=password if login.username else None)
    five, _ = mqtt5.read(memoryview(encoder.connect(login, five=True)))
    assert isinstance(five, mqtt5.ConnectPacket)
    assert (five.client_id, five.keep_alive, five.username) == (login.client_id, login.keepalive, login.username)
    assert five.password == (None if login.password is None else login.password.encode())
    assert (five.session_expiry_interval, five.receive_max) == (login.session_expiry, login.receive_maximum)
    assert five.clean_start == (login.session_expiry == 0)
    will = five.will and (five.will.topic, five.will.payload or b"", int(five.will.qos), five.will.retain)
    assert will == (None if login.will is None else astuple(login.will))
    three = read_amqtt(ConnectPacket, encoder.connect(login, five=False))
    assert (three.client_id, three.keep_alive, three.proto_level) == (login.client_id, login.keepalive, 4)
    assert (three.username, three.password) == (login.username, login.password)
    assert three.clean_session_flag == five.clean_start
    if login.will is not None:
        old = three.will_topic, bytes(three.will_message), three.will_qos, three.will_retain_flag
        assert old == astuple(login.will)


@given(filters=st.lists(TOPICS, min_size=1, max_size=5), mid=MIDS, qos=st.integers(0, 1))
def test_subscriptions(filters: list[str], mid: int, qos: int) -> None:
    """SUBSCRIBE and UNSUBSCRIBE read as they were meant, in both versions."""
    asked, _ = mqtt5.read(memoryview(encoder.subscribe(mid, filters, options=qos, five=True)))
    assert isinstance(asked, mqtt5.SubscribePacket)
    assert [(some.pattern, int(some.max_qos)) for some in asked.topic_filters] == [(name, qos) for name in filters]
    undone, _ = mqtt5.read(memoryview(encoder.unsubscribe(mid, filters, five=True)))
    assert isinstance(undone, mqtt5.UnsubscribePacket)
    assert (undone.patterns, undone.packet_id, asked.packet_id) == (filters, mid, mid)
    old = read_amqtt(SubscribePacket, encoder.subscribe(mid, filters, options=qos, five=False))
    assert (old.payload.topics, old.variable_header.packet_id) == ([(name, qos) for name in filters], mid)
    gone = read_amqtt(UnsubscribePacket, encoder.unsubscribe(mid, filters, five=False))
    assert (gone.payload.topics, gone.variable_header.packet_id) == (filters, mid)


@given(messages=st.lists(MESSAGES, max_size=4))
def test_publishes(messages: list[Message]) -> None:
    """PUBLISH and PUBACK read as they were meant, in both versions, several of them in one write."""
    five, three = Publishes(five=True), Publishes(five=False)
    for message in messages:
        outgoing = Outgoing(message.topic, message.payload, message.qos, message.retain)
        read, _ = mqtt5.read(memoryview(b"".join(five.encode(outgoing, message.mid or 0))))
        assert isinstance(read, mqtt5.PublishPacket)
        assert (read.topic, read.payload, int(read.qos), read.retain) == outgoing_fields(outgoing)
        assert read.packet_id == message.mid
        old = read_amqtt(PublishPacket, b"".join(three.encode(outgoing, message.mid or 0)))
        assert (old.topic_name, old.data, old.qos, old.retain_flag) == outgoing_fields(outgoing)
        assert (old.packet_id or None) == message.mid
    mids = [message.mid for message in messages if message.mid]
    assert encoder.pubacks(mids) == b"".join(mqtt5.PubAckPacket(mid).write() for mid in mids)


def test_properties_in_any_order() -> None:
    """A limit in CONNACK is found behind a property of two strings, whose second looks like a limit itself."""
    connack = b"\x20\x0d\x00\x00\x0a\x26\x00\x01a\x00\x01\x21\x21\x00\x05"
    assert Decoder(five=True, most_payload=MOST).feed(connack, NOW).others == [Connack(False, 0, receive_maximum=5)]


def test_an_unsuback_has_codes_in_mqtt_5_only() -> None:
    """UNSUBACK is understood in both versions."""
    codes = [mqtt5.UnsubAckReasonCode.SUCCESS, mqtt5.UnsubAckReasonCode.NO_SUBSCRIPTION_EXISTED]
    five = Decoder(five=True, most_payload=MOST).feed(mqtt5.UnsubAckPacket(5, codes).write(), NOW)
    three = Decoder(five=False, most_payload=MOST).feed(bytes(UnsubackPacket.build(5).to_bytes()), NOW)
    assert (five.others, three.others) == ([Answer(5, b"\x00\x11")], [Answer(5, b"")])


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0", "x" * 65_536, "\ud800"])
def test_topics_that_no_broker_takes(topic: str) -> None:
    """A topic to publish on is refused where MQTT cannot carry it."""
    with pytest.raises(ValueError):  # noqa: PT011 # an UnicodeEncodeError is one
        Publishes(five=True).encode(Outgoing(topic, b"", 0, False), 0)


def test_a_packet_larger_than_the_broker_takes() -> None:
    """The limit that a broker announces holds for whole packets: what is encoded is within it, the rest is refused."""
    publishes, sizes = Publishes(five=True, largest=1000), list[int]()
    for size in range(900, 1100):
        with suppress(ValueError):
            sizes.append(len(b"".join(publishes.encode(Outgoing("a", bytes(size), 0, False), 0))))
    assert 990 < max(sizes) <= 1000


def outgoing_fields(outgoing: Outgoing) -> tuple[str, bytes, int, bool]:
    return outgoing.topic, outgoing.payload, outgoing.qos, outgoing.retain


def read_amqtt(kind: Any, packet: bytes) -> Any:
    return asyncio.run(kind.from_stream(BufferReader(packet)))
