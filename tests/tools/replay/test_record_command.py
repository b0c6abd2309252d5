"""`streamer record` and `streamer replay` as users type them, on a real broker."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streamer.mqtt.publisher import Publisher
from streamer.tools.replay.recording import recording
from streamer.tools.replay.sample import Sample
from tests.broker import Mosquitto, free_port

Fields = tuple[str | None, bytes | None, int | None, bool | None]

SENT: list[tuple[str, bytes, int, bool]] = [
    ("plant/a", b"21.4", 0, False),
    ("plant/b", '{"value": "größer"}'.encode(), 1, False),
    ("plant/state", b"on", 1, True),
    ("lab/raw", bytes(range(256)), 1, False),
    ("lab/state", b"", 0, True),
    ("plant/a", b"21.5", 1, False),
]


class Command:
    """A running `streamer …` and what it says on standard error."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""

    async def says(self, text: str) -> None:
        """Waits for a text."""
        assert self.process.stderr
        async with asyncio.timeout(20):
            while text not in self.said:
                piece = await self.process.stderr.read(1000)
                assert piece, f"never said {text!r}: {self.said}"
                self.said += piece.decode()

    async def end(self) -> tuple[int | None, str]:
        """Its exit code, and what it said last."""
        async with asyncio.timeout(20):
            _, rest = await self.process.communicate()
        self.said += rest.decode()
        return self.process.returncode, self.said.replace("\r", "\n").splitlines()[-1]


@asynccontextmanager
async def command(*arguments: str | Path) -> AsyncIterator[Command]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamer", *map(str, arguments), stderr=subprocess.PIPE
    )
    try:
        yield Command(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def publish(broker: Mosquitto, messages: list[tuple[str, bytes, int, bool]] = SENT) -> None:
    async with Publisher(broker.config()) as publisher:
        for topic, payload, qos, retain in messages:
            await publisher.publish(topic, payload, qos, retain=retain)


def fields(samples: list[Sample]) -> list[Fields]:
    return [(one.topic, one.payload, one.qos, one.retain) for one in samples]


async def test_record_replay_record(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """What is recorded, replayed and recorded again has the same topics, payloads, QoS and retain flags, in order."""
    first, second = tmp_path / "first.jsonl.gz", tmp_path / "second.jsonl"
    for out in (first, second):
        async with command(
            "record",
            "--broker",
            mosquitto.url,
            "--topics",
            "plant/#",
            "--topics",
            "lab/#",
            "--out",
            out,
            "--count",
            "6",
        ) as recorder:
            await recorder.says("0 messages")
            if out == first:
                await publish(mosquitto)
                await publish(mosquitto, [("plant/state", b"", 1, True)])  # retained no more, nor recorded
            else:
                async with command("replay", first, "--broker", mosquitto.url) as player:
                    assert (await player.end())[1].startswith("6 samples published")
            code, last = await recorder.end()
        assert code == 0
        assert last.startswith("6 messages recorded in ")
        assert last.endswith(f" to {out}")
    assert fields(list(recording(first))) == fields(list(recording(second))) == SENT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signals(mosquitto: Mosquitto, tmp_path: Path, number: signal.Signals) -> None:
    """Ended by a signal the file is whole, the exit code 0 and the last line says how many messages it holds."""
    out = tmp_path / "r.jsonl.gz"
    await publish(mosquitto)
    async with command("record", "--broker", mosquitto.url, "--topics", "plant/#", "--out", out) as recorder:
        await recorder.says("1 messages")
        recorder.process.send_signal(number)
        code, last = await recorder.end()
    assert code == 0
    assert last.startswith("1 messages recorded in ")
    assert fields(list(recording(out))) == [("plant/state", b"on", 1, True)]


async def test_for(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """--for ends it by itself; where nothing came the file holds nothing, and it says what may be the cause."""
    out = tmp_path / "r.jsonl"
    async with command("record", "--broker", mosquitto.url, "--topics", "a", "--out", out, "--for", "0.01") as recorder:
        code, last = await recorder.end()
    assert (code, last[:29]) == (0, "0 messages recorded in 0.0 s ")
    assert last.endswith("may this user read them?")
    assert out.read_bytes() == b""


async def test_refuses_a_file_that_is_there(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A file that is there is left as it is, with exit code 73 and one line that names it; --force writes over it."""
    out = tmp_path / "r.jsonl"
    out.write_text("precious")
    arguments = ("record", "--broker", mosquitto.url, "--topics", "a", "--out", out, "--for", "0.01")
    async with command(*arguments) as recorder:
        assert await recorder.end() == (73, f"streamer: {out}: is there already; give another name, or --force")
    assert out.read_text() == "precious"
    async with command(*arguments, "--force") as recorder:
        assert (await recorder.end())[0] == 0
    assert out.read_text() == ""


async def test_no_broker(tmp_path: Path) -> None:
    """Without a broker it ends at once with exit code 69 and one line, and leaves no file."""
    out = tmp_path / "r.jsonl"
    url = f"mqtt://127.0.0.1:{free_port()}"
    async with command("record", "--broker", url, "--topics", "a", "--out", out) as recorder:
        code, last = await recorder.end()
    assert (code, last.startswith("streamer: 127.0.0.1:")) == (69, True)
    assert not out.exists()


async def test_broker_restarts(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A broker that is restarted is recorded on; the gap is told."""
    out = tmp_path / "r.jsonl"
    async with command("record", "--broker", mosquitto.url, "--topics", "#", "--out", out, "--count", "2") as recorder:
        await recorder.says("0 messages")
        await publish(mosquitto, SENT[:1])
        await recorder.says("1 messages")
        await mosquitto.kill()
        await recorder.says("connection lost")
        await mosquitto.start()
        await recorder.says("connected again")
        await publish(mosquitto, SENT[1:2])
        assert (await recorder.end())[0] == 0
    assert fields(list(recording(out))) == SENT[:2]


async def test_leaves_no_trace(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A recorder publishes nothing: another one, recording everything, sees and finds nothing of it."""
    out, other = tmp_path / "r.jsonl", tmp_path / "other.jsonl"
    async with command("record", "--broker", mosquitto.url, "--topics", "#", "--out", out) as observer:
        await observer.says("0 messages")
        async with command(
            "record", "--broker", mosquitto.url, "--topics", "#", "--out", other, "--for", "0.01"
        ) as recorder:
            assert (await recorder.end())[0] == 0
        observer.process.terminate()
        assert (await observer.end())[1].startswith("0 messages recorded")
