"""A million damaged MQTT streams through the decoder: run by hand (pytest -m slow -s). STREAMS: another number."""

import os
import random
from collections import Counter

import pytest

from streamer.mqtt.decoder import Decoder
from streamer.mqtt.packets import Answer, Connack, Disconnect, Refusal
from streamer.records import Message
from tests.mqtt.test_protocol import MOST, NOW, SENT, five_bytes, three_bytes

STREAMS = int(os.environ.get("STREAMS", "1000000"))
PACKETS: list[SENT] = [
    Message("plant/press-3/temperature", b"21.4", 1, False, 7, NOW, False),
    Message("Gerät/°C", bytes(200), 0, True, None, NOW, False),
    Message("x" * 600, bytes(MOST + 1), 1, False, 65_535, NOW, True),
    Refusal(5, 135),
    Refusal(6, 16),
    Answer(9, b"\x00\x01\x80"),
    Connack(True, 0, 20, 60, 2**28),
    Disconnect(142),
]


@pytest.mark.slow
def test_a_million_streams() -> None:
    """Streams of good packets with bytes changed, cut out or put in, in chunks of any size, are taken, waited for or
    malformed; nothing is raised, and what the decoder holds back is bounded by what it was given."""
    rng, found = random.Random(0), Counter[str]()
    five = [five_bytes(packet) for packet in PACKETS]
    three = [three_bytes(packet) for packet in PACKETS if not isinstance(packet, Disconnect)]
    for _ in range(STREAMS):
        newer = rng.random() < 0.5
        stream = bytearray(b"".join(rng.choices(five if newer else three, k=rng.randrange(1, 4))))
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(stream) + 1)
            match rng.randrange(3):
                case 0:
                    stream[at : at + 1] = rng.randbytes(1)
                case 1:
                    del stream[at : at + rng.randrange(1, 9)]
                case _:
                    stream[at:at] = rng.randbytes(rng.randrange(1, 9))
        decoder, at, taken = Decoder(five=newer, most_payload=MOST), 0, 0
        malformed = None
        while at < len(stream) and malformed is None:
            size = rng.choice([1, 7, 100, 2000])
            some = decoder.feed(bytes(stream[at : at + size]), NOW)
            at, malformed = at + size, some.malformed
            taken += len(some.messages) + len(some.acknowledged) + len(some.others)
        assert taken <= len(stream) // 2
        found["malformed" if malformed is not None else "taken"] += 1
        found["packets"] += taken
    print(f"{STREAMS} streams: {dict(found)}")
