"""A stand-in for a broker that is never the bottleneck: a port in, prepared publishes or bulk acknowledgements out."""

import multiprocessing as mp
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streamer.mqtt.decoder import Decoder
from streamer.mqtt.encoder import Publishes, pubacks
from streamer.records import Outgoing

COUNT = 20_000
TOPICS = [f"plant/line-{i % 10}/press-{i}/temperature" for i in range(1000)]
READING = b"21.437"


@contextmanager
def running() -> Iterator[int]:
    """Yields the port of a stand-in in a process of its own."""
    receiver, sender = mp.Pipe(duplex=False)
    process = mp.get_context("spawn").Process(target=listen, args=(sender,), daemon=True)
    process.start()
    yield receiver.recv()
    process.terminate()
    process.join()


def stream(qos: int, *, five: bool) -> bytes:
    """COUNT readings as a broker sends them."""
    publishes = Publishes(five=five)
    readings = (Outgoing(TOPICS[i % len(TOPICS)], READING, qos, False) for i in range(COUNT))
    return b"".join(b"".join(publishes.encode(reading, i % 65_535 + 1)) for i, reading in enumerate(readings))


def serve(client: socket.socket) -> None:
    """One client: CONNECT, then either a SUBSCRIBE or publishes."""
    connect = client.recv(65_536)
    five = connect[connect.index(b"MQTT") + 4] == 5
    client.sendall(b"\x20\x03\x00\x00\x00" if five else b"\x20\x02\x00\x00")
    decoder = Decoder(five=five, most_payload=65_536)
    while data := client.recv(262_144):
        if data[0] == 0x82:
            client.sendall((b"\x90\x04" if five else b"\x90\x03") + data[2:4] + (b"\x00\x01" if five else b"\x01"))
            sending = stream(data[-1] & 3, five=five)
            threading.Thread(target=client.sendall, args=(sending,), daemon=True).start()
            while client.recv(262_144):
                pass
            return
        if mids := [message.mid for message in decoder.feed(data, 0.0).messages if message.mid]:
            client.sendall(pubacks(mids))


def listen(tell: Any) -> None:
    """Serves one client after the other on a free port, which it tells."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        tell.send(listener.getsockname()[1])
        while True:
            client, _ = listener.accept()
            try:
                serve(client)
            except ConnectionError:
                pass  # the client has what it came for
            finally:
                client.close()
