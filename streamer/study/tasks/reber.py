"""The embedded Reber grammar: which symbols may come next? The last but one must repeat the second (H&S 1997, 1)."""

import numpy as np

from streamer.study.tasks.contract import Rng, Sequences, Task

SYMBOLS = "BTPSXVE"
GRAPH: tuple[dict[str, int], ...] = (
    {"T": 1, "P": 2},
    {"S": 1, "X": 3},
    {"T": 2, "V": 4},
    {"X": 2, "S": 5},
    {"P": 3, "V": 5},
)
"""The Reber grammar's states and the state that each legal symbol leads to; state 5 ends with an E."""
END = len(GRAPH)


class Reber(Task):
    """Strings B c B … E c E, c being T or P and … a path of the grammar; asked at every symbol but the last."""

    name = "embedded Reber grammar"
    d = len(SYMBOLS)
    o = len(SYMBOLS)
    figure = "LSTM 97–100 % of networks"

    def sequence(self, rng: Rng) -> Sequences:
        text, legal = string(rng)
        return Sequences(coded(text), np.array([coded(some).sum(0) for some in legal]), np.ones(len(text)))


def string(rng: Rng) -> tuple[str, list[str]]:
    """A string without its last E, and the symbols that may follow each of its symbols."""
    outer = "TP"[rng.integers(2)]
    text, legal, state = f"B{outer}B", ["TP", "B"], 0
    while state != END:
        legal.append("".join(GRAPH[state]))
        text += legal[-1][rng.integers(2)]
        state = GRAPH[state][text[-1]]
    return f"{text}E{outer}", [*legal, "E", outer, "E"]


def coded(text: str) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """A string as unit vectors, [T, 7]."""
    return np.eye(len(SYMBOLS))[[SYMBOLS.index(symbol) for symbol in text]]


def grammatical(text: str) -> bool:
    """Whether a whole string, with its last E, is one of the embedded grammar."""
    if len(text) < 7 or text[0] + text[2] + text[-3] + text[-1] != "BBEE" or text[1] not in "TP" or text[1] != text[-2]:
        return False
    state = 0
    for symbol in text[3:-3]:
        if state == END or symbol not in GRAPH[state]:
            return False
        state = GRAPH[state][symbol]
    return state == END
