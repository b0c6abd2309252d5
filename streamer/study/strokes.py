"""`streamer study strokes`: a network learns to write words with a pen, told what to write or not."""

import statistics
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from streamer.study.handwriting import Hand
from streamer.study.learning import Lessons, learn
from streamer.study.pen import Pen, coded, lines
from streamer.study.report import Report
from streamer.study.scope import Scope
from streamer.train.weights import parse

BIAS = 1.0
"""Of what is drawn: neat, as in Graves' figure 15."""
WORDS = ("the", "it", "sold", "tree", "hello", "carton")
TESTS = 200


@dataclass(frozen=True, slots=True)
class Size:
    """Neurons of each cell, components of the mixture, letters of a word, and the training."""

    n: int
    components: int
    letters: tuple[int, int]
    how: Lessons


QUICK = Size(48, 5, (1, 2), Lessons(150, 16, 1e-2))
FULL = Size(96, 10, (1, 3), Lessons(1_500, 32, 1e-2))


def study(scope: Scope) -> Report:
    """Nats per move on fresh words, with the text and without; the picture shows what is written."""
    size, pen = QUICK if scope.quick else FULL, Pen()
    found = {
        name: scope.each(name, partial(trial, pen, size, reads, scope))
        for name, reads in (("without the text", False), ("with the text", True))
    }
    rows = [[name, said(some)] for name, some in found.items()]
    gaussian = one_gaussian(pen, size)
    weights = scope.store.weights_path("with the text, seed 0")
    return Report(
        ("what the network knows", "nats per move"),
        [["nothing: one Gaussian, one rate of lifts", f"{gaussian:.3f}"], *rows],
        (
            f"words of {size.letters[0]} to {size.letters[1]} letters, moves in units of 0.15 heights; tested on"
            f" {TESTS} fresh words.",
            f"n = {size.n} twice, {size.components} components, {size.how.steps} steps of {size.how.batch} words;"
            f" seeds: {', '.join(map(str, scope.seeds))}.",
        ),
        {"strokes": partial(picture, pen, size, weights)} if weights.exists() else {},
    )


def trial(pen: Pen, size: Size, reads: bool, scope: Scope, seed: int) -> float:
    """Train a network, keep its weights, and measure it on fresh words."""
    torch.manual_seed(seed)
    hand, rng = Hand(size.n, size.components, reads), np.random.default_rng(seed)
    learn(hand, lambda: hand.nats(pen.batch(rng, size.how.batch, *size.letters)), size.how)
    scope.store.keep_weights(f"{'with' if reads else 'without'} the text, seed {seed}", dict(hand.state_dict()))
    with torch.no_grad():
        return float(hand.nats(pen.batch(np.random.default_rng(1_000_000), TESTS, *size.letters)))


def one_gaussian(pen: Pen, size: Size) -> float:
    """Nats per move of the Gaussian and the rate of lifts that fit the fresh words best."""
    some = pen.batch(np.random.default_rng(1_000_000), TESTS, *size.letters)
    moves = some.x[:, 1:][some.real].double().numpy()
    lift = moves[:, 2].mean()
    _, spread = np.linalg.slogdet(2 * np.pi * np.e * np.cov(moves[:, :2].T, bias=True))
    return float(spread / 2 - lift * np.log(lift) - (1 - lift) * np.log(1 - lift))


def picture(pen: Pen, size: Size, weights: Any, figure: Any) -> None:
    """WORDS in the font, as the network was shown them, and three times as it writes them."""
    hand = Hand(size.n, size.components)
    hand.load_state_dict(parse(weights.read_bytes()))
    axes = figure.subplots(len(WORDS), 5)
    for row, word in zip(axes, WORDS, strict=True):
        shown = pen.written(word, np.random.default_rng(0))
        c = coded([word], len(word))
        own = [hand.write(c, len(word), BIAS, seed).double().numpy() for seed in range(3)]
        for axis, strokes in zip(row, [pen.strokes(word), lines(shown), *map(lines, own)], strict=True):
            for stroke in strokes:
                axis.plot(*stroke.T, color="black", lw=1)
            axis.set_aspect("equal")
            axis.axis("off")
    for axis, title in zip(axes[0], ("font", "shown", "written", "written", "written"), strict=True):
        axis.set_title(title, fontsize=9)


def said(values: list[float]) -> str:
    """The mean over seeds, with half the range."""
    if not values:
        return ""
    return f"{statistics.fmean(values):.3f}" + (f" ± {(max(values) - min(values)) / 2:.3f}" if len(values) > 1 else "")
