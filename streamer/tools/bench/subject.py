"""What is measured: a stream of N series whose networks are live from the first sample on."""

import struct
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from streamer.config import Stream
from streamer.models import KINDS, build
from streamer.records import CellName
from streamer.store.journal import Journal, Source
from streamer.store.outcomes import NetworkRow, TrainingOutcome, add_outcome
from streamer.tools.replay.signals import Signal
from streamer.train.weights import dump

NAME = "bench"
START = 1_700_000_000.0
"""Seconds since 1970 of the first sample in a journal: before any that is sent now."""


def topic(series: int) -> str:
    """Where the samples of a series are sent."""
    return f"{NAME}/hall-{series % 10}/sensor-{series}"


def settings(series: int, cell: CellName, d: int = 1, **model: int) -> dict[str, Any]:
    """A stream as the configuration has it: JSON payloads with a time of their own, and no trainings."""
    return {
        "name": NAME,
        "topics": [f"{NAME}/#"],
        "payload": {"format": "json", "time": "time", "array": None if d == 1 else d},
        "max_series": series,
        "model": {"cell": cell, **model},
        "retrain": {"every": 0},
    }


def stream(series: int, cell: CellName, d: int = 1, **model: int) -> Stream:
    """The same, parsed."""
    return Stream.model_validate(settings(series, cell, d, **model))


def seed(directory: Path, of: Stream) -> None:
    """Networks with random weights, live, in a state directory."""
    rows = []
    for i, kind in enumerate(KINDS):
        torch.manual_seed(i)
        rows.append(NetworkRow(kind, 1, {}, {}, dump(build(kind, of.sizes).state_dict())))
    with closing(Journal.open(directory)) as journal:
        add_outcome(journal, of.name, of.sizes, TrainingOutcome(1, START, {}, tuple(rows)))


def fill(directory: Path, of: Stream, series: Iterable[int], ticks: int) -> None:
    """Samples of the paper's sine (d = 1), so many of each series, in a state directory."""
    values = [struct.pack("<d", x) for x in Signal().noisy(ticks, seed=0).tolist()]
    with closing(Journal.open(directory)) as journal, journal.transaction():
        for number in series:
            ident = number + 1
            journal.add_series([(ident, Source.of(of), topic(number), "")])
            journal.append((ident, tick, START + tick, x) for tick, x in enumerate(values))
            journal.anchor([(START, ident)])
