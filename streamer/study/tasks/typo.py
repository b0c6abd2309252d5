"""Random typo: has one symbol of a string of the embedded Reber grammar been replaced? Asked once, at the end."""

import numpy as np

from streamer.study.tasks.contract import Rng, Sequences, Task, last
from streamer.study.tasks.reber import SYMBOLS, coded, grammatical, string


class Typo(Task):
    """Half of the strings have one symbol, at any place but both ends, replaced so that they are grammatical no more.

    Most typos show where they stand and must be kept in mind; one in the second symbol or in its copy shows only when
    the two are compared.
    """

    name = "random typo"
    d = len(SYMBOLS)
    o = 1
    figure = "–"

    def sequence(self, rng: Rng) -> Sequences:
        text = string(rng)[0] + "E"
        wrong = rng.random() < 0.5
        if wrong:
            text = mistyped(text, rng)
        return Sequences(coded(text), np.full((len(text), 1), float(wrong)), last(len(text)))


def mistyped(text: str, rng: Rng) -> str:
    """The string with one symbol replaced, ungrammatical."""
    while True:
        at = int(rng.integers(1, len(text) - 1))
        tried = text[:at] + SYMBOLS[rng.integers(len(SYMBOLS))] + text[at + 1 :]
        if not grammatical(tried):
            return tried
