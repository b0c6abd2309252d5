"""A fast lane on a journal of its own, fed with messages by hand."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from streamer.config import Metrics, Stream
from streamer.lanes.fast import FastLane
from streamer.records import Message, MessageBatch, Outgoing
from streamer.resume.fold import resume
from streamer.store.journal import Journal
from streamer.store.samples import Limits
from streamer.store.snapshots import write
from streamer.stream.observer import Observer
from streamer.stream.state import StreamState

SMALL: dict[str, Any] = {"m": 8, "k": 3, "p": 2, "n": 6, "cell": "rnn"}
NOW = 1_800_000_000.0
torch.set_num_threads(1)  # as the daemon does: another number of threads adds in another order


def untimed(**changes: Any) -> Stream:
    """A stream `plant` of bare numbers, with persistence and small networks alone; a message is a tick."""
    fields: dict[str, Any] = {
        "name": "plant",
        "topics": ["plant/#"],
        "forecasters": ["memoryless", "traditional"],
        "model": SMALL,
        "retrain": {"minimum": 30, "window": 200},
    }
    return Stream(**{**fields, **changes})


def timed(**changes: Any) -> Stream:
    """The same with JSON payloads that have a time, one tick per second."""
    return untimed(payload={"format": "json", "time": "time"}, interval=1.0, **changes)


def fast_lane(
    directory: Path,
    *streams: Stream,
    availability: str | None = None,
    limits: Limits | None = None,
    observer: Observer | None = None,
) -> FastLane:
    """On a directory without a past."""
    journal = Journal.open(directory, limits=limits)
    return FastLane(
        [StreamState(one, Metrics(), availability, observer) for one in streams], journal, 65536, lambda: NOW
    )


def resumed(directory: Path, *streams: Stream, observer: Observer | None = None) -> FastLane:
    """As a daemon begins: on what the directory holds."""
    fast = fast_lane(directory, *streams, observer=observer)
    for stream in fast.streams:
        resume(stream, fast.known(stream, fast.streams), fast.journal, threading.Event())
    fast.take_over(fast.streams)
    return fast


def save(fast: FastLane) -> None:
    """A snapshot of all streams, as the daemon takes them."""
    captured = fast.snapshots()
    for name, snapshot in captured.items():
        write(fast.journal.path.parent, name, snapshot)
    fast.saved(captured)


def message(topic: str, payload: bytes, arrived: float = NOW, *, retain: bool = False) -> Message:
    return Message(topic, payload, 1, retain, 1, arrived)


def sample(topic: str, time: float, value: Any) -> Message:
    return message(topic, json.dumps({"time": time, "value": value}).encode())


def process(fast: FastLane, messages: Iterable[Message], session: int = 0) -> list[Outgoing]:
    """The forecasts that the messages cause as one batch."""
    return fast.process(MessageBatch(list(messages), 1, session)).forecasts


def feed(fast: FastLane, messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Process the messages as one batch: the forecasts, as their subscribers read them."""
    return [read(out) for out in process(fast, messages)]


def read(out: Outgoing) -> dict[str, Any]:
    return {"topic": out.topic, **json.loads(out.payload)}
