"""The daemon as a process, for tests: its configuration, its log, its port, its end."""

import asyncio
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.broker import Mosquitto

SIZES = {"m": 20, "k": 5, "p": 2, "n": 12, "cell": "rnn"}


def configuration(broker: Mosquitto, state: Path, **changes: Any) -> dict[str, Any]:
    stream = {
        "name": "waves",
        "topics": ["waves/+"],
        "payload": {"format": "json", "time": "time"},
        "interval": 1.0,
        "max_ahead": None,
        "model": SIZES,
        "publish": {"qos": 1, "retain": False},
        "retrain": {"every": 400, "minimum": 300, "window": 3000},
    }
    return {
        "mqtt": {"url": broker.url, "reconnect_max": 0.2},
        "streams": [{**stream, **changes}],
        "metrics": {"port": 0},
        "state": {"path": str(state / "state")},
        "training": {"epochs": 10, "windows": 1600, "batch": 32, "learning_rate": 5e-3, "device": "cpu"},
    }


class Process:
    """`streamer run` on a configuration, and what it logs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def logged(self, text: str, seconds: float = 120) -> str:
        """The next line that holds the text."""
        assert self.process.stderr
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for line in self.process.stderr:
                    self.lines.append(line.decode())
                    if text in self.lines[-1]:
                        return self.lines[-1]
        raise AssertionError(f"never logged {text!r}:\n{''.join(self.lines)}")

    async def stop(self) -> int:
        """Exit code after SIGTERM; how long a stop takes is the claim of no test that uses this."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            _, rest = await self.process.communicate()
        self.lines += rest.decode().splitlines(keepends=True)
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def running(config: dict[str, Any], folder: Path) -> AsyncIterator[Process]:
    file = folder / "config.yaml"
    YAML().dump(config, file)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamer", "run", str(file), stderr=asyncio.subprocess.PIPE
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def served(daemon: Process) -> str:
    """Base URL of the daemon's own port, once it is subscribed."""
    line = await daemon.logged("metrics on")
    return line.split()[-1].removesuffix("/metrics")


def get(url: str) -> tuple[int, str]:
    """Status and body."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def counter(exposed: str, name: str) -> float:
    """The value of a metric, summed over its labels."""
    return sum(float(line.split()[-1]) for line in exposed.splitlines() if line.startswith((f"{name}{{", f"{name} ")))
