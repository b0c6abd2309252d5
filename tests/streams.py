"""A fast lane on a journal of its own, fed with messages by hand."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from streamer.config import Metrics, Stream
from streamer.lanes.fast import FastLane, Kept
from streamer.records import Message, MessageBatch, Outgoing
from streamer.resume.resume import capture, resume
from streamer.store.journal import Journal
from streamer.store.snapshots import write
from streamer.stream.state import StreamState

SMALL: dict[str, Any] = {"m": 8, "k": 3, "p": 2, "n": 6, "cell": "rnn"}
NOW = 1_800_000_000.0
torch.set_num_threads(1)  # as the daemon does: another number of threads adds in another order


def stream(**changes: Any) -> Stream:
    """A stream `plant` of bare numbers with small networks; a message is a tick."""
    fields: dict[str, Any] = {
        "name": "plant",
        "topics": ["plant/#"],
        "baseline": "persistence",
        "model": SMALL,
        "retrain": {"minimum": 30, "window": 200},
    }
    return Stream(**{**fields, **changes})


def timed(**changes: Any) -> Stream:
    """The same with JSON payloads that have a time, one tick per second."""
    return stream(payload={"format": "json", "time": "time"}, interval=1.0, **changes)


def fast_lane(directory: Path, *streams: Stream) -> FastLane:
    """On a directory without a past."""
    journal = Journal.open(directory)
    return FastLane([StreamState(one, Metrics()) for one in streams], journal, 65536, lambda: NOW)


def resumed(directory: Path, *streams: Stream) -> FastLane:
    """As a daemon begins: on what the directory holds."""
    fast = fast_lane(directory, *streams)
    for lane in fast.lanes:
        resume(lane, fast.known(lane, fast.lanes), fast.journal, threading.Event())
    fast.take_over(fast.lanes)
    return fast


def save(fast: FastLane) -> None:
    """A snapshot of all lanes, as the daemon takes them."""
    captured = {lane.stream.name: capture(lane) for lane in fast.lanes}
    for name, snapshot in captured.items():
        write(fast.journal.path.parent, name, snapshot)
    ticks = {one.ident: one.tick for lane in fast.lanes for one in lane.series}
    fast.saved(Kept({name: snapshot.about["version"] for name, snapshot in captured.items()}, ticks))


def message(topic: str, payload: bytes, arrived: float = NOW, *, retain: bool = False) -> Message:
    return Message(topic, payload, 1, retain, 1, arrived)


def sample(topic: str, time: float, value: Any) -> Message:
    return message(topic, json.dumps({"time": time, "value": value}).encode())


def feed(fast: FastLane, messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Process the messages as one batch: the forecasts, as their subscribers read them."""
    return [read(out) for out in fast.process(MessageBatch(list(messages), 1))]


def read(out: Outgoing) -> dict[str, Any]:
    return {"topic": out.topic, **json.loads(out.payload)}
