"""A broker process for the time of a measurement: mosquitto where it is installed, else the embedded broker."""

import asyncio
import multiprocessing as mp
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from streamer.errors import StartError
from streamer.mqtt.broker import embedded_broker

START_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Broker:
    """URL, MQTT version and name of a running broker."""

    url: str
    protocol: Literal["3.1.1", "5"]
    name: str


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """Start a broker on a free port of the loopback address, with unbounded queues. Raises StartError."""
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        with embedded() as port:
            yield Broker(f"mqtt://127.0.0.1:{port}", "3.1.1", "embedded (mosquitto is not installed)")
    else:
        with mosquitto(program, folder) as port:
            yield Broker(f"mqtt://127.0.0.1:{port}", "5", "mosquitto")


@contextmanager
def mosquitto(program: str, folder: Path) -> Iterator[int]:
    """Run mosquitto, and yield its port. Raises StartError."""
    port, file, log = free_port(), folder / "mosquitto.conf", folder / "mosquitto.log"
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "max_inflight_messages 0",
        "max_queued_messages 0",
        "persistence false",
        "set_tcp_nodelay true",  # otherwise small packets wait for others, 40 ms and more
        *(["user root"] if os.geteuid() == 0 else []),  # otherwise it drops root's rights and cannot read the file
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with log.open("wb") as out:
        process = subprocess.Popen([program, "-c", str(file)], stdout=out, stderr=out)  # noqa: S603
    try:
        until_listening(process, port, log)
        yield port
    finally:
        process.terminate()
        process.wait()


def until_listening(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Wait until the port accepts connections. Raises StartError."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise StartError(f"mosquitto does not start: {said[-1] if said else 'it says nothing'}")


@contextmanager
def embedded() -> Iterator[int]:
    """Run the embedded broker in a process of its own, and yield its port. Raises StartError."""
    here, there = mp.Pipe()
    process = mp.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    process.start()
    there.close()
    try:
        yield here.recv()
    except EOFError as error:
        raise StartError("the embedded broker does not start") from error
    finally:
        process.terminate()
        process.join()


def serve(tell: Connection) -> None:
    """Run the embedded broker in this process, for ever, and send its port."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the measurement, which terminates this process

    async def run() -> None:
        async with embedded_broker("127.0.0.1", 0) as port:
            tell.send(port)
            await asyncio.Event().wait()

    asyncio.run(run())


def free_port() -> int:
    """A port of the loopback address on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
