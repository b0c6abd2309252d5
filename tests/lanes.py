"""A fast lane on a journal of its own, fed with messages by hand."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from streamer.config import Metrics, Stream
from streamer.fastlane import FastLane
from streamer.lane import Lane
from streamer.records import Message, MessageBatch, Outgoing
from streamer.store.journal import Journal

SMALL: dict[str, Any] = {"m": 8, "k": 3, "p": 2, "n": 6, "cell": "rnn"}
NOW = 1_800_000_000.0


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
    journal = Journal.open(directory)
    return FastLane([Lane(one, Metrics()) for one in streams], journal, 65536, lambda: NOW)


def message(topic: str, payload: bytes, arrived: float = NOW, *, retain: bool = False) -> Message:
    return Message(topic, payload, 1, retain, 1, arrived)


def sample(topic: str, time: float, value: Any) -> Message:
    return message(topic, json.dumps({"time": time, "value": value}).encode())


def feed(fast: FastLane, messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Process the messages as one batch: the forecasts, as their subscribers read them."""
    return [read(out) for out in fast.process(MessageBatch(list(messages), 1))]


def read(out: Outgoing) -> dict[str, Any]:
    return {"topic": out.topic, **json.loads(out.payload)}
