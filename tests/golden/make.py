"""Writes a folder of golden files with the code of this checkout: `python -m tests.golden.make FOLDER`."""

import asyncio
import gzip
import json
import random
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from streamer.config import Stream
from streamer.config.loader import load
from streamer.lanes.fast import FastLane
from streamer.records import Message, Outgoing
from streamer.swap.promote import promote
from streamer.tools.replay.recording import recorded, recording
from tests.resume.streams import candidates, messages
from tests.streams import NOW, fast_lane, process, resumed, save

BATCH = 20


def streams() -> list[Stream]:
    return load(Path(__file__).with_name("config.yaml")).streams


def read(path: Path) -> list[Message]:
    """The messages of a recording."""
    return [
        Message(one.topic, one.payload, one.qos or 0, bool(one.retain), 1, one.time)
        for one in recording(path)
        if one.topic is not None and one.payload is not None
    ]


def go_on(fast: FastLane, waiting: Iterable[Message]) -> list[Outgoing]:
    """All messages in batches: what is published."""
    return [out for batch in batches(list(waiting)) for out in process(fast, batch)]


def batches(waiting: list[Message]) -> Iterable[list[Message]]:
    return (waiting[at : at + BATCH] for at in range(0, len(waiting), BATCH))


def end(fast: FastLane) -> dict[str, Any]:
    """How the streams stand, as JSON values; errors that do not exist are null."""
    found = {}
    for stream in fast.streams:
        panel, schedule = stream.panel, stream.schedule
        tables = dict(zip(("rmse", "mae"), panel.scores.by_lead(), strict=True))
        found[stream.name] = {
            "leads": list(panel.leads),
            **{
                name: {
                    model: [None if value != value else value for value in row[panel.shown]]
                    for model, row in zip(panel.models, table, strict=True)
                }
                for name, table in tables.items()
            },
            "series": {one.name: [one.tick, one.time, one.anchor, one.held, one.trained] for one in stream.series},
            "schedule": {"begun": schedule.concluded, "growth": schedule.growth, "failures": schedule.failures},
            "version": stream.promotions.version,
        }
    return found


async def live(directory: Path, waiting: list[Message]) -> list[Message]:
    """A daemon's life in a state directory, ended by SIGKILL: the messages that it has not received."""
    fast = fast_lane(directory, *streams())

    def receive(count: int) -> None:
        for _ in range(count):
            process(fast, waiting[:BATCH])
            del waiting[:BATCH]

    async def swap(which: int, seed: int) -> None:
        stream = fast.streams[which]
        proposed = candidates(stream, seed)
        await promote(stream, proposed, fast.journal, fast.lock, NOW + seed)

    save(fast)
    quarter = len(waiting) // BATCH // 4
    receive(quarter)
    for which in (0, 1, 3):
        await swap(which, 1)
    save(fast)
    receive(quarter)
    for which, seed in ((0, 2), (1, 3), (2, 5), (3, 8)):
        await swap(which, seed)
    receive(4)
    save(fast)
    receive(quarter // 3)
    for which, seed in ((0, 11), (1, 4)):
        await swap(which, seed)
    receive(4)
    fast.journal.close()
    return waiting


def write(path: Path, lines: Iterable[bytes]) -> None:
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.writelines(lines)


def make(folder: Path) -> None:
    folder.mkdir(parents=True)
    rest = asyncio.run(live(folder / "state", messages(random.Random(7), 340)))
    (folder / "state" / "lock").unlink()
    write(folder / "messages.jsonl.gz", (recorded(m.arrived, m.topic, m.payload, m.qos, m.retain) for m in rest))
    shutil.copytree(folder / "state", folder / "copy")
    again = resumed(folder / "copy", *streams())
    sent = go_on(again, read(folder / "messages.jsonl.gz"))
    (folder / "end.json").write_text(json.dumps(end(again), indent=1) + "\n")
    again.journal.close()
    shutil.rmtree(folder / "copy")
    write(folder / "forecasts.jsonl.gz", (recorded(NOW, m.topic, m.payload, m.qos, m.retain) for m in sent))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
