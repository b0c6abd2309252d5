"""A real mosquitto for tests: fixture `mosquitto`, which can be killed and started again on the same port."""

import asyncio
import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from streamer.config import Mqtt


def free_port() -> int:
    """Below the range that systems take client ports from, lest a client that waits for its server occupy the port."""
    while True:
        port = random.randrange(10_000, 16_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Mosquitto:
    """One broker process on a free port of its own; `settings` add to its configuration file, or replace a default."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._file = folder / f"mosquitto-{self.port}.conf"
        self._log = folder / f"mosquitto-{self.port}.log"
        lines = {
            "listener": f"{self.port} 127.0.0.1",
            "user": getpass.getuser(),  # started by root it would change to a user who cannot read the test's files
            "allow_anonymous": "true",
            "max_inflight_messages": "0",
            "max_queued_messages": "0",
            "persistence": "false",
            "persistence_location": f"{folder}/",
            **settings,
        }
        self._file.write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def config(self, **settings: Any) -> Mqtt:
        """A configuration for this broker, with quick reconnects."""
        return Mqtt(**{"url": self.url, "reconnect_max": 0.2, **settings})

    async def start(self) -> None:
        """Returns when the broker accepts connections."""
        with self._log.open("ab") as log:
            command = (program("mosquitto"), "-c", self._file)
            self._process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        async with asyncio.timeout(10):
            while self._process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return
        raise RuntimeError(f"mosquitto ended at once: {log.name} says why")

    async def stop(self) -> None:
        """Ends it as an administrator would: it says goodbye and saves what it persists."""
        await self._end(kill=False)

    async def kill(self) -> None:
        """Ends it as a power failure would."""
        await self._end(kill=True)

    async def save(self) -> None:
        """Returns when it has written what it persists: sessions, what they have not acknowledged, retained."""
        database = self._folder / "mosquitto.db"
        before = database.stat().st_ino if database.exists() else 0
        self._signal(signal.SIGUSR1)
        await until(lambda: database.exists() and database.stat().st_ino != before)

    async def attempts(self, count: int) -> None:
        """Returns when so many more clients have connected, let in or not."""

        def connections() -> int:
            return self._log.read_text(encoding="utf-8").count("New connection from")

        goal = connections() + count
        await until(lambda: connections() >= goal)

    def reload(self) -> None:
        """Has it read its password file and access list again."""
        self._signal(signal.SIGHUP)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    async def _end(self, *, kill: bool) -> None:
        if self._process is not None and self._process.returncode is None:
            self._signal(signal.SIGKILL if kill else signal.SIGTERM)
            await self._process.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()


class Proxy:
    """A port in front of the broker's whose connections can be cut, frozen, slowed, and made deaf to its answers.

    `trickle`: bytes passed at a time, each time after a millisecond; None for all that is there.
    """

    def __init__(self, port: int) -> None:
        self.port = 0
        self.deaf = False
        self.trickle: int | None = None
        self._broker_port = port
        self._writers: list[asyncio.StreamWriter] = []
        self._frozen: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Ends all connections without a word."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def freeze(self) -> None:
        """The connections that there are stay open and carry nothing any more, as when a router has forgotten them."""
        self._frozen.update(self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._broker_port)
        self._writers += [writer, forth]
        await asyncio.gather(self._copy(reader, forth, answers=False), self._copy(back, writer, answers=True))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        try:
            while data := await reader.read(self.trickle or 65536):
                if writer in self._frozen or (answers and self.deaf):
                    continue
                writer.write(data)
                if self.trickle:
                    await writer.drain()
                    await asyncio.sleep(0.001)
        except ConnectionError:
            pass  # cut
        finally:
            writer.close()


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Waits until the condition holds, where no event says so; raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 # there is no event to wait for
            await asyncio.sleep(0.002)


def write_password(file: Path, user: str, password: str) -> None:
    """A password file of mosquitto's that lets in this user alone."""
    command = [program("mosquitto_passwd", "mosquitto"), "-c", "-b", str(file), user, password]
    subprocess.run(command, check=True, capture_output=True)


def program(name: str, package: str | None = None) -> str:
    """Path of a program that tests drive; without it they fail where CI is set and are skipped elsewhere."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is not None:
        return found
    text = f"{name} is not installed: apt-get install {package or name}"
    if os.environ.get("CI"):
        pytest.fail(text)
    pytest.skip(text)


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    async with Mosquitto(tmp_path) as broker:
        yield broker
