"""The broker of a measurement, where mosquitto is not installed."""

import shutil
import socket
from pathlib import Path

import pytest

from streamer.config import Mqtt
from streamer.tools.bench.broker import broker


def test_without_mosquitto_the_embedded_one_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes connections while it is wanted and not afterwards, and says which it is and what it speaks."""
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with broker(tmp_path) as there:
        port = Mqtt(url=there.url).port
        socket.create_connection(("127.0.0.1", port), 5).close()
        assert there.protocol == "3.1.1"
        assert there.name.startswith("embedded")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
