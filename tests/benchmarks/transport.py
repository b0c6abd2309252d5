"""CPU time that MQTT clients take per message: `python -m tests.benchmarks.transport`, a table on standard output.

Every figure comes from a process of its own and a broker that is no bottleneck (standin.py). Of the clients measured
for comparison those that are installed are: `pip install aiomqtt==2.5.1 gmqtt==0.8.0 mqtt5==0.8.0`.
"""

import asyncio
import importlib
import logging
import math
import multiprocessing as mp
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

from streamer.config import Mqtt
from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.records import Message, Outgoing
from tests.benchmarks.standin import COUNT, TOPICS, running

FORECAST = 300 * b"x"
WINDOW = 1000  # QoS 1 publishes in flight
AT_ONCE = 256  # publishes between two turns of the event loop


@dataclass(frozen=True)
class Case:
    """What is measured: receive or publish, QoS 0 or 1, MQTT 3.1.1 or 5."""

    direction: str
    qos: int
    five: bool
    port: int = 0


@dataclass
class Stopwatch:
    """CPU seconds of this process from `begin` to the last of COUNT messages."""

    seen: int = 0
    began: float = 0.0
    ended: float = 0.0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        self.began = time.process_time()

    def count(self, number: int = 1) -> None:
        if not self.seen and not self.began:
            self.begin()
        self.seen += number
        if self.seen >= COUNT and not self.ended:
            self.ended = time.process_time()
            self.done.set()

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def config(case: Case) -> Mqtt:
    url, protocol = f"mqtt://127.0.0.1:{case.port}", "5" if case.five else "3.1.1"
    return Mqtt.model_validate({"url": url, "protocol": protocol, "qos": case.qos, "queue": COUNT, "outbox": COUNT})


def forecasts(begin: int, end: int, qos: int) -> list[Outgoing]:
    return [Outgoing(TOPICS[i % len(TOPICS)], FORECAST, qos, False) for i in range(begin, end)]


async def link(case: Case) -> float:
    """What the daemon uses: batches in, each acknowledged, and batches out."""
    watch = Stopwatch()
    async with Link(config(case), ["#"] if case.direction == "receive" else []) as live:
        if case.direction == "receive":
            async for batch in live.batches():
                live.ack(batch)
                watch.count(len(batch.messages))
                if watch.ended:
                    await live.close(flush_seconds=0)  # the stand-in takes no farewell
                    return watch.seconds
        await live.ready()
        watch.begin()
        for start in range(0, COUNT, AT_ONCE):
            live.publish(forecasts(start, min(start + AT_ONCE, COUNT), case.qos))
            await asyncio.sleep(0)
        while live.unsent:  # noqa: ASYNC110 # there is no event to wait for
            await asyncio.sleep(0.001)
        watch.count(COUNT)
    return watch.seconds


async def publisher(case: Case) -> float:
    """What the tools use."""
    watch = Stopwatch()
    async with Publisher(config(case)) as live:
        watch.begin()
        for forecast in forecasts(0, COUNT, case.qos):
            await live.publish(forecast.topic, forecast.payload, case.qos)
        await live.flush()
        watch.count(COUNT)
    return watch.seconds


class Mqtt5(asyncio.Protocol):
    """The codec mqtt5, with the records and the gathered acknowledgements of this project."""

    def __init__(self, watch: Stopwatch) -> None:
        self.codec = importlib.import_module("mqtt5")
        self.watch = watch
        self.progress = asyncio.Event()
        self.in_flight = set[int]()
        self.rest = b""
        self.messages: list[Message] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.codec.ConnectPacket("benchmark", clean_start=True).write())

    def data_received(self, data: bytes) -> None:
        data, now, at, read = self.rest + data, time.time(), 0, self.codec.read
        view = memoryview(data)
        try:
            while at < len(data):
                packet, size = read(view[at:])
                at += size
                self.take(packet, now)
        except IndexError:
            pass  # the last packet is not whole
        self.rest = data[at:]
        if self.messages:
            self.watch.count(len(self.messages))
            acks = [self.codec.PubAckPacket(message.mid).write() for message in self.messages if message.mid]
            self.transport.write(b"".join(acks))
            self.messages.clear()
        self.progress.set()

    def take(self, packet: Any, now: float) -> None:
        if isinstance(packet, self.codec.PublishPacket):
            flags = int(packet.qos), packet.retain, packet.packet_id or 0, now, packet.duplicate
            self.messages.append(Message(packet.topic, packet.payload, *flags))
        elif isinstance(packet, self.codec.PubAckPacket):
            self.in_flight.discard(packet.packet_id)

    def publish(self, mid: int, qos: int) -> bytes:
        topic, level = TOPICS[mid % len(TOPICS)], self.codec.QoS(qos)
        packet: bytes = self.codec.PublishPacket(topic, FORECAST, qos=level, packet_id=mid if qos else None).write()
        return packet


async def mqtt5(case: Case) -> float:
    """The codec of that name under an asyncio.Protocol."""
    watch = Stopwatch()
    transport, client = await asyncio.get_running_loop().create_connection(lambda: Mqtt5(watch), "127.0.0.1", case.port)
    await client.progress.wait()
    if case.direction == "receive":
        everything = client.codec.TopicFilter("#", max_qos=client.codec.QoS(case.qos))
        transport.write(client.codec.SubscribePacket(1, [everything]).write())
    else:
        watch.begin()
        for start in range(0, COUNT, AT_ONCE):
            mids = range(start + 1, min(start + AT_ONCE, COUNT) + 1)
            client.in_flight.update(mids if case.qos else ())
            transport.write(b"".join([client.publish(mid, case.qos) for mid in mids]))
            watch.count(len(mids))
            await asyncio.sleep(0)
            while len(client.in_flight) >= WINDOW:
                client.progress.clear()
                await client.progress.wait()
    await watch.done.wait()
    transport.close()
    return watch.seconds


async def gmqtt(case: Case) -> float:
    """Its callbacks; at QoS 1 acknowledged when the callback returns (MQTT 5) or before it is called (3.1.1)."""
    package, watch = importlib.import_module("gmqtt"), Stopwatch()
    constants = importlib.import_module("gmqtt.mqtt.constants")
    client = package.Client("benchmark", optimistic_acknowledgement=False)

    def received(*_: Any) -> int:
        watch.count()
        return 0

    client.on_message = received
    version = constants.MQTTv50 if case.five else constants.MQTTv311
    await client.connect("127.0.0.1", case.port, version=version)
    if case.direction == "receive":
        client.subscribe("#", case.qos)
    else:
        watch.begin()
        for i in range(COUNT):
            client.publish(TOPICS[i % len(TOPICS)], FORECAST, qos=case.qos)
            watch.count()
            if i % AT_ONCE == 0:
                await asyncio.sleep(0)
    await watch.done.wait()
    await client.disconnect()
    return watch.seconds


async def aiomqtt(case: Case) -> float:
    """Its iterator and its `publish`, on paho-mqtt; QoS 1 acknowledged before the iterator sees it."""
    package, watch = importlib.import_module("aiomqtt"), Stopwatch()
    version = package.ProtocolVersion.V5 if case.five else package.ProtocolVersion.V311
    async with package.Client("127.0.0.1", case.port, protocol=version) as client:
        if case.direction == "receive":
            await client.subscribe("#", case.qos)
            async for _ in client.messages:
                watch.count()
                if watch.ended:
                    break
        else:
            watch.begin()
            for i in range(COUNT):
                await client.publish(TOPICS[i % len(TOPICS)], FORECAST, case.qos)
                watch.count()
    return watch.seconds


CANDIDATES: dict[str, Callable[[Case], Awaitable[float]]] = {
    "Link": link,
    "Publisher": publisher,
    "mqtt5": mqtt5,
    "gmqtt": gmqtt,
    "aiomqtt": aiomqtt,
}


def measure(name: str, case: Case, tell: Any) -> None:
    """Tells CPU microseconds per message."""
    logging.disable()

    async def run() -> float:
        return await CANDIDATES[name](case)

    tell.send(1e6 * asyncio.run(run()) / COUNT)


def figure(name: str, case: Case) -> str:
    """One cell of the table: the best of three runs."""
    if (name == "mqtt5" and not case.five) or (name == "Publisher" and case.direction == "receive"):
        return "–"
    return f"{min(once(name, case) for _ in range(3)):.1f}"


def once(name: str, case: Case) -> float:
    """CPU microseconds per message; infinite where the client is not installed, or failed."""
    receiver, sender = mp.Pipe(duplex=False)
    process = mp.get_context("spawn").Process(target=measure, args=(name, case, sender))
    process.start()
    sender.close()
    try:
        return float(receiver.recv())
    except EOFError:
        return math.inf
    finally:
        process.join()


def main() -> None:
    """Prints the table."""
    with running() as port:
        cases = [
            Case(way, qos, five, port) for way in ("receive", "publish") for qos in (0, 1) for five in (False, True)
        ]
        print("| | " + " | ".join(f"{c.direction} QoS {c.qos}, {'5' if c.five else '3.1.1'}" for c in cases) + " |")
        print("|---" * (1 + len(cases)) + "|")
        for name in sys.argv[1:] or CANDIDATES:
            print(f"| {name} | " + " | ".join(figure(name, case) for case in cases) + " |", flush=True)


if __name__ == "__main__":
    main()
