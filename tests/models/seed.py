"""Networks that nobody trained, for tests and benchmarks."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import torch

from streamer.config import Stream
from streamer.models import KINDS, build
from streamer.store.journal import Journal
from streamer.store.outcomes import NetworkRow, TrainingOutcome, add_outcome
from streamer.train.weights import dump


def seed(directory: Path, streams: Iterable[Stream]) -> None:
    """Random networks in a journal without samples, live from the start."""
    with closing(Journal.open(directory)) as journal:
        for stream in streams:
            rows = []
            for i, kind in enumerate(KINDS):
                torch.manual_seed(i)
                rows.append(NetworkRow(kind, 1, {}, {}, dump(build(kind, stream.sizes).state_dict())))
            add_outcome(journal, stream.name, stream.sizes, TrainingOutcome(1, 1.0, {}, tuple(rows)))
