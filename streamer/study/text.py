"""`streamer study text`: bits per character of each cell, with and without weight noise and dynamic evaluation."""

import copy
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from streamer.models.cells import CELLS
from streamer.records import CellName
from streamer.study.language import (
    SEGMENT,
    Corpus,
    Dynamic,
    bits,
    documentation,
    loss,
    noisy_loss,
    sample,
    xz_bits,
)
from streamer.study.learning import Lessons, learn
from streamer.study.reader import Reader
from streamer.study.report import Report
from streamer.study.scope import Scope

NOISE = 0.03
"""Deviation of the weight noise; Graves has 0.075 for networks thirty times as large."""
RATES = (0.03, 0.1, 0.3)
"""Rates of dynamic evaluation, of which each network takes the best on the text to tune on."""
SHOWN = 300


@dataclass(frozen=True, slots=True)
class Size:
    """Neurons, the training, that of the second half with or without noise, and characters to tune and to test on."""

    n: int
    first: Lessons
    second: Lessons
    tuned: int
    tested: int


QUICK = Size(48, Lessons(150, 32, 2e-2), Lessons(75, 32, 1e-2), 1_000, 2_000)
FULL = Size(96, Lessons(1_000, 32, 2e-2), Lessons(500, 32, 1e-2), 2_000, 10_000)


def study(scope: Scope) -> Report:
    """Every cell learns the text, then once more as long with and without noise on its weights."""
    size = QUICK if scope.quick else FULL
    corpus = documentation(size.tuned, size.tested)
    found = {cell: scope.each(cell, partial(trial, corpus, size, cell)) for cell in CELLS}
    ways = [f"{how}, {evaluated}" for how in ("plain", "noise") for evaluated in ("static", "dynamic")]
    samples = [f"{cell}, drawn: `{some[0]['sample']!r}`" for cell, some in found.items() if some]
    return Report(
        ("cell", *ways),
        [[cell, *(said([one[way] for one in some]) for way in ways)] for cell, some in found.items()],
        (
            f"bits per character of the last {size.tested:,} characters of Python's `help()` topics (pydoc_data.topics,"
            f" {len(corpus.taught):,} to learn from); xz, after all that precedes, needs {xz_bits(corpus):.2f}.",
            f"n = {size.n}; {size.first.steps} steps of {size.first.batch} times {SEGMENT} characters, then"
            f" {size.second.steps} more, without or with noise of deviation {NOISE} on the weights.",
            f"dynamic: the rate of {', '.join(map(str, RATES))} that is best on {size.tuned:,} characters before;"
            f" seeds: {', '.join(map(str, scope.seeds))}, ± is half the range.",
            *samples,
        ),
    )


def trial(corpus: Corpus, size: Size, cell: CellName, seed: int) -> dict[str, Any]:
    """Train a cell both ways; bits per character, static and dynamic, and a sample."""
    torch.manual_seed(seed)
    network, count = Reader(cell, len(corpus.characters), size.n, len(corpus.characters)), size.first.batch
    learn(network, reading(network, corpus.taught, count, 0.0), size.first)
    found: dict[str, Any] = {}
    for how, noise in (("plain", 0.0), ("noise", NOISE)):
        more = copy.deepcopy(network)
        learn(more, reading(more, corpus.taught, count, noise), size.second)
        tuned = {rate: bits(more, corpus.tuned, Dynamic(rate)) for rate in RATES}
        rate = min(tuned, key=tuned.__getitem__)
        found[f"{how}, static"] = bits(more, corpus.tested)
        found[f"{how}, dynamic"] = bits(more, corpus.tested, Dynamic(rate))
        found[f"{how}, rate"] = rate
        if how == "plain":
            found["sample"] = corpus.text(sample(more, int(corpus.taught[0]), SHOWN, seed))
    return found


def reading(network: Reader, text: Tensor, count: int, noise: float) -> Callable[[], Tensor]:
    """The loss on the next segment of `count` parts of the text [T], read side by side again and again."""
    parts = text[: len(text) // count * count].view(count, -1)
    at, s = 0, network.zero_state(count)

    def next_loss() -> Tensor:
        nonlocal at, s
        if at + SEGMENT >= parts.shape[1]:
            at, s = 0, network.zero_state(count)
        segment = parts[:, at : at + SEGMENT + 1]
        found, s = noisy_loss(network, segment, s.detach(), noise) if noise else loss(network, segment, s.detach())
        at += SEGMENT
        return found

    return next_loss


def said(values: list[float]) -> str:
    """The mean over seeds, with half the range."""
    if not values:
        return ""
    return f"{statistics.fmean(values):.3f}" + (f" ± {(max(values) - min(values)) / 2:.3f}" if len(values) > 1 else "")
