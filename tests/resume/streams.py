"""Streams of every kind, messages for them, and networks that may go live."""

import json
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from streamer.config import Stream
from streamer.models import KINDS, Kind, build
from streamer.records import Candidate, Errors, Message
from streamer.stream.state import StreamState
from streamer.train.weights import dump
from tests.streams import NOW, SMALL, message, sample, timed, untimed

PUBLISH = {"every": 2}
THRESHOLDS = [{"name": "high", "above": 0.9}, {"name": "low", "below": -0.9, "at": 0.6}]


def streams(window: int) -> tuple[Stream, ...]:
    """One of every kind: with a grid, season and short gaps; vectors; bare numbers, each a tick; several a message; on
    change."""
    retrain = {"every": 0, "minimum": 30, "window": window}
    fields: dict[str, Any] = {"retrain": retrain, "max_gap": 4, "thresholds": THRESHOLDS, "surprise": {"in_a_row": 2}}
    vector = {"format": "json", "value": ["value.0", "value.1"], "time": "time"}
    parts = {"format": "json", "fields": "*", "time": "time"}
    return (
        timed(name="grid", topics=["grid/+"], forecasters="auto", season=5, **fields),
        untimed(
            name="grid.2", topics=["two/+"], payload=vector, interval=0.5, model={**SMALL, "cell": "lstm"}, **fields
        ),
        untimed(name="bare", topics=["bare/+"], forecasters="auto", publish=PUBLISH, **fields),
        untimed(
            name="parts",
            topics=["parts/{which}"],
            payload=parts,
            interval=1.0,
            model={**SMALL, "cell": "slstm", "layers": 2},
            **fields,
        ),
        timed(name="quiet", topics=["quiet/+"], fill="last", forecasters="auto", season=5, **{**fields, "max_gap": 12}),
    )


def messages(rng: random.Random, ticks: int) -> list[Message]:
    """Of twelve series: some appear late, ticks are missing, gaps are short or long, some come twice or not at all;
    those that report on change are delayed, too."""
    series = {f"grid/{i}": rng.choice([0, 0, ticks // 3]) for i in range(3)}
    series |= {f"two/{i}": rng.choice([0, ticks // 2]) for i in range(2)}
    series |= {f"bare/{i}": rng.choice([0, ticks // 4]) for i in range(2)} | {"parts/0": 0}
    series |= {f"quiet/{i}": rng.choice([0, ticks // 4]) for i in range(3)}
    away: dict[str, int] = {}
    out = []
    for t in range(ticks):
        for topic in rng.sample(sorted(series), len(series)):
            if t < max(series[topic], away.get(topic, 0)):
                continue
            if rng.random() < 0.04:
                away[topic] = t + rng.choice([1, 2, 4, 5, 6, 30])
            if not topic.startswith("quiet") or topic.endswith("0") or rng.random() < 0.15:
                out.append(said(topic, t, np.sin(t / 3) + rng.gauss(0, 0.1), rng))
            if rng.random() < 0.02:
                out.append(message(topic, b"junk"))
    return out


def said(topic: str, t: int, value: float, rng: random.Random) -> Message:
    """A value of about tick t as its stream wants it."""
    match topic.split("/")[0]:
        case "bare":
            return message(topic, b"%.4f" % value, NOW + t)
        case "parts":
            some = {name: value for name in ("a", "b") if rng.random() < 0.9}
            return message(topic, json.dumps({"time": t + rng.uniform(-0.4, 0.4), **some}).encode())
        case "quiet":
            return sample(topic, t - rng.choice([0, 0, 2.5]) + rng.uniform(-0.4, 0.4), round(value))
        case "two":
            return sample(topic, t / 2 + rng.uniform(-0.2, 0.2), [value, 100 * value])
    return sample(topic, t + rng.uniform(-0.4, 0.4), value)


def candidates(stream: StreamState, seed: int) -> list[Candidate]:
    """Random networks of both kinds, or of one, or of none; some series have a scale of their training."""
    rng = random.Random(seed)
    kinds: Sequence[Kind] = rng.choice([KINDS, KINDS, KINDS[:1], KINDS[1:], ()])
    out = []
    for i, kind in enumerate(kinds):
        torch.manual_seed(2 * seed + i)
        weights = dump(build(kind, stream.config.sizes).state_dict())
        mean, sd = np.full(stream.config.sizes.d, 1 / 3), np.full(stream.config.sizes.d, 0.7)
        scales = {one.ident: (mean, sd) for one in stream.series if rng.random() < 0.5}
        out.append(Candidate(kind, weights, scales, Errors(0.5, 1.0, 0.5)))
    return out
