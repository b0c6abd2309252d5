"""What systemd hears, over a real datagram socket."""

import asyncio
import socket
from pathlib import Path

import pytest

from streamer.observe.systemd import READY, Progress, notify
from tests.broker import Mosquitto
from tests.process import configuration, running


@pytest.mark.parametrize("abstract", [False, True])
def test_a_state_arrives_at_the_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    """The service manager receives the line as one datagram, on a socket in the file system or an abstract one."""
    name = f"@streamer-{tmp_path}" if abstract else str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(5)
        manager.bind(name.replace("@", "\0") if abstract else name)
        assert notify(READY)
        assert manager.recv(100) == b"READY=1"


def test_a_manager_that_does_not_listen_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told where there is no service manager, where it is gone, and where its socket is full."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify(READY)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify(READY)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "gone"))
        heard = sum(notify(READY) for _ in range(10_000))
    assert 0 < heard < 10_000


def test_progress_is_a_batch_taken_or_nothing_to_take() -> None:
    """A stream that has taken a batch, or has none to take, moves; one whose queue stands still does not."""
    progress = Progress()
    assert progress.made(worked=0, waiting=0)
    assert progress.made(worked=3, waiting=7)
    assert not progress.made(worked=3, waiting=7)
    assert progress.made(worked=4, waiting=7)
    assert progress.made(worked=4, waiting=0)


async def test_the_daemon_says_when_it_is_ready_moves_and_stops(
    mosquitto: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service manager hears READY after the start, then WATCHDOG, and STOPPING on SIGTERM, in this order."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        async with running(configuration(mosquitto, tmp_path), tmp_path) as daemon:
            assert await asyncio.to_thread(manager.recv, 100) == b"READY=1"
            assert await asyncio.to_thread(manager.recv, 100) == b"WATCHDOG=1"
            assert await daemon.stop() == 0
        manager.setblocking(False)
        heard: list[bytes] = []
        while not heard or heard[-1] != b"STOPPING=1":
            heard.append(manager.recv(100))
        assert set(heard[:-1]) <= {b"WATCHDOG=1"}
