"""Recordings of what a real broker sends, and files that cannot be written."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streamer.mqtt.link import Link
from streamer.mqtt.publisher import Publisher
from streamer.tools.replay.play import Form, Pace, play
from streamer.tools.replay.record import Limit, Recorded, RecordingError, Writer, record
from streamer.tools.replay.recording import recording
from streamer.tools.replay.sample import Sample
from tests.broker import Mosquitto

KEPT = [("plant/state", b"on", 1, True), ("plant/shift", "Spät".encode(), 0, True)]
LIVE = [("plant/a", b"21.4", 0, False), ("plant/b", bytes(range(256)), 1, False), ("plant/a", b"", 1, False)]


@asynccontextmanager
async def linked(broker: Mosquitto) -> AsyncIterator[Link]:
    async with asyncio.timeout(10), Link(broker.config(client_id="recorder", session_expiry=0), ["plant/#"]) as link:
        await link.ready()
        yield link


async def publish(broker: Mosquitto, messages: list[tuple[str, bytes, int, bool]]) -> None:
    async with Publisher(broker.config()) as publisher:
        for topic, payload, qos, retain in messages:
            await publisher.publish(topic, payload, qos, retain=retain)


def read(path: Path) -> list[tuple[str | None, bytes | None, int | None, bool | None]]:
    return [(one.topic, one.payload, one.qos, one.retain) for one in recording(path)]


@pytest.mark.parametrize("name", ["r.jsonl", "r.ndjson.gz"])
async def test_record(mosquitto: Mosquitto, tmp_path: Path, name: str) -> None:
    """What the broker sends is in the file, verbatim and in its order, at the time at which it came."""
    out = tmp_path / name
    await publish(mosquitto, KEPT)
    async with linked(mosquitto) as link:
        with Writer(out) as writer:
            recorder = asyncio.create_task(record(link, writer, Limit(count=5)))
            await publish(mosquitto, LIVE)
            summary = await recorder
    assert summary.messages == 5
    assert sorted(read(out)[:2], key=str) == sorted(KEPT, key=str)  # a broker sends what is retained in any order
    assert read(out)[2:] == LIVE
    times = [sample.time for sample in recording(out)]
    assert times == sorted(times)


async def test_play_of_a_recording(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A replay publishes each message with its own QoS and retain flag, whatever the command line says of others."""
    original, again, kept = (tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.jsonl"))
    source = [Sample(float(i), (), *message) for i, message in enumerate([*KEPT, *LIVE])]
    async with linked(mosquitto) as link, Publisher(mosquitto.config()) as publisher:
        with Writer(original) as writer:
            recorder = asyncio.create_task(record(link, writer, Limit(count=5)))
            await play(source, publisher.publish, Pace(), Form("other", qos=0))
            await publisher.flush()
            await recorder
    assert [message[:3] for message in read(original)] == [message[:3] for message in [*KEPT, *LIVE]]
    async with linked(mosquitto) as link, Publisher(mosquitto.config()) as publisher:
        with Writer(kept) as writer:  # only what was published to be retained comes first
            await record(link, writer, Limit(count=2))
        with Writer(again) as writer:
            recorder = asyncio.create_task(record(link, writer, Limit(count=5)))
            await play(recording(original), publisher.publish, Pace(), Form())
            await publisher.flush()
            await recorder
    assert sorted(read(kept), key=str) == sorted(KEPT, key=str)
    assert read(again) == read(original)


async def test_count(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """No more than `count` messages are written, however many wait."""
    out = tmp_path / "r.jsonl"
    async with linked(mosquitto) as link:
        await publish(mosquitto, [("plant/a", b"%d" % i, 1, False) for i in range(100)])
        with Writer(out) as writer:
            assert (await record(link, writer, Limit(count=7))).messages == 7
    assert [payload for _, payload, _, _ in read(out)] == [b"%d" % i for i in range(7)]


async def test_seconds(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """After `seconds` it ends; progress is told at the start and at the end, with the summary."""
    told: list[Recorded] = []
    async with linked(mosquitto) as link:
        with Writer(tmp_path / "r.jsonl.gz") as writer:
            summary = await record(link, writer, Limit(seconds=0.01), told.append)
    assert told[0].messages == summary.messages == 0
    assert told[-1] == summary
    assert summary.seconds >= 0.01
    assert gzip.decompress((tmp_path / "r.jsonl.gz").read_bytes()) == b""


async def test_acknowledged_when_written(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """Messages of QoS 1 are acknowledged, those that are written."""
    async with linked(mosquitto) as link:
        with Writer(tmp_path / "r.jsonl") as writer:
            await publish(mosquitto, LIVE)
            await record(link, writer, Limit(count=3))
        assert link.counts.acknowledged == 2


async def test_cancelled(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """A recorder that is cancelled leaves a whole file of what came before."""
    out, begun = tmp_path / "r.jsonl.gz", asyncio.Event()
    async with linked(mosquitto) as link:
        await publish(mosquitto, LIVE)

        async def run() -> None:
            with Writer(out) as writer:
                await record(link, writer, progress=lambda summary: begun.set() if summary.messages else None)

        recorder = asyncio.create_task(run())
        await begun.wait()
        recorder.cancel()
        await asyncio.wait([recorder])
        assert recorder.cancelled()
    assert read(out) == LIVE


def test_existing_file(tmp_path: Path) -> None:
    """A file that is there is left alone, unless force is given."""
    out = tmp_path / "r.jsonl"
    out.write_text("precious")
    with pytest.raises(RecordingError, match=r"r\.jsonl: is there already; .*--force"), Writer(out):
        pass
    assert out.read_text() == "precious"
    with Writer(out, force=True):
        pass
    assert out.read_text() == ""


@pytest.mark.parametrize("name", ["r.txt", "r.jsonl.zst", "r"])
def test_name(tmp_path: Path, name: str) -> None:
    """A name that replay would not take for a recording is refused before anything is written."""
    with pytest.raises(RecordingError, match=r"a recording's name ends in \.jsonl, "), Writer(tmp_path / name):
        pass
    assert not list(tmp_path.iterdir())


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is not there is told with the file's name."""
    out = tmp_path / "no" / "r.jsonl"
    with pytest.raises(RecordingError) as error, Writer(out):
        pass
    assert str(error.value) == f"{out}: No such file or directory"
    assert error.value.exit_code == 73


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
def test_full_disk(tmp_path: Path, name: str) -> None:
    """A disk that is full is told with the file's name, and not as a traceback."""
    out = tmp_path / name
    out.symlink_to("/dev/full")
    with pytest.raises(RecordingError, match=r"r\.jsonl.*: No space left on device"):
        fill(out)


def fill(out: Path) -> None:
    with Writer(out, force=True) as writer:
        writer.write(b"x" * 10_000_000)
        writer.flush()
