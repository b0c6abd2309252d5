"""The memory tasks, held against second ways to say what is right."""

import re
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from streamer.models.cells import CELLS
from streamer.records import CellName
from streamer.study.reader import Reader
from streamer.study.tasks import tasks
from streamer.study.tasks.adding import Adding
from streamer.study.tasks.contract import Task, padded
from streamer.study.tasks.counting import Counting
from streamer.study.tasks.order import SYMBOLS as ORDER
from streamer.study.tasks.order import Order
from streamer.study.tasks.parity import Parity
from streamer.study.tasks.reber import SYMBOLS, grammatical, string
from streamer.study.tasks.typo import Typo, mistyped

GRAMMAR = re.compile(
    r"B([TP])B(?:TS*X(?:XT*VP)*(?:S|XT*VV)|PT*V(?:V|P(?:XT*VP)*(?:S|XT*VV)))E\1E"
)  # the grammar's graph, read by hand
ALL: tuple[Task, ...] = tasks(quick=True)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.name)
def test_sequences_have_the_shapes_that_they_promise(task: Task) -> None:
    """Every task draws inputs of d, answers of o, and asks at least once."""
    for _ in range(20):
        one = task.sequence(rng())
        assert one.x.shape[1:] == (task.d,)
        assert one.y.shape == (len(one.x), task.o)
        assert one.asked.shape == (len(one.x),)
        assert one.asked.any()


def test_parity_is_that_of_a_product() -> None:
    """With bits as ±1, the number of ones is odd if the product of minus all bits is -1."""
    draw = rng()
    for _ in range(50):
        one = Parity(1, 9).sequence(draw)
        assert one.y[-1, 0] == (np.prod(-one.x) == -1)
        assert one.asked.tolist() == [0] * (len(one.x) - 1) + [1]


def test_reber_strings_are_those_of_the_grammar() -> None:
    """Drawn strings match the grammar written as a regular expression, and legal symbols are all that ever follow."""
    draw, follow = rng(), dict[str, set[str]]()
    drawn = [string(draw) for _ in range(5_000)]
    for text, _ in drawn:
        assert GRAMMAR.fullmatch(text + "E")
        for i in range(1, 8):
            follow.setdefault(text[:i], set()).add(text[i : i + 1] or "E")
    for text, legal in drawn:
        for i in range(1, 6):
            assert follow[text[:i]] == set(legal[i - 1])


def test_typos_are_ungrammatical() -> None:
    """A mistyped string differs in one symbol and is none of the grammar; both ways to judge agree."""
    draw = rng()
    for _ in range(500):
        text = string(draw)[0] + "E"
        wrong = mistyped(text, draw)
        assert sum(a != b for a, b in zip(text, wrong, strict=True)) == 1
        assert not GRAMMAR.fullmatch(wrong)
        changed = list(text)
        changed[draw.integers(len(text))] = SYMBOLS[draw.integers(7)]
        assert grammatical("".join(changed)) == bool(GRAMMAR.fullmatch("".join(changed)))


def test_half_of_the_strings_have_a_typo() -> None:
    """The answer is that of the grammar, and neither answer is right most of the time."""
    draw, said = rng(), []
    for _ in range(400):
        one = Typo().sequence(draw)
        text = "".join(SYMBOLS[i] for i in one.x.argmax(1))
        said.append(one.y[-1, 0])
        assert said[-1] == (GRAMMAR.fullmatch(text) is None)
    assert 0.4 < np.mean(said) < 0.6


def test_adding_sums_what_is_marked() -> None:
    """The answer is 0.5 + a quarter of the sum of the marked values; a marked first value does not count."""
    draw = rng()
    for _ in range(200):
        one = Adding(20).sequence(draw)
        value, marker = one.x.T
        assert one.y[-1, 0] == pytest.approx(0.5 + value[marker == 1].sum() / 4)
        assert (marker == 1).sum() + (value[0] == 0) == 2
        assert np.flatnonzero(marker == 1).max() < 9


def test_order_is_read_from_the_symbols() -> None:
    """Of XX, XY, YX and YY, the answer is the one that a string search finds among the distractors."""
    draw = rng()
    for _ in range(100):
        one = Order(20).sequence(draw)
        text = "".join(ORDER[i] for i in one.x.argmax(1))
        found = re.fullmatch(r"E[abcd]+([XY])[abcd]+([XY])[abcd]+B", text)
        assert found
        assert one.y[-1].tolist() == [pair == found.groups() for pair in product("XY", "XY")]


@pytest.mark.parametrize(("task", "shortest"), [(Adding(100), 6), (Order(100), 10)], ids=["adding", "order"])
def test_lessons_grow(task: Task, shortest: int) -> None:
    """The first lesson is as short as can be; later ones are drawn up to the whole length, and no exam is shorter."""
    draw = rng()

    def longest(part: float) -> int:
        return max(task.lesson(draw, 2, part).x.shape[1] for _ in range(60))

    assert shortest <= longest(0) <= shortest + 1
    assert 40 < longest(0.3) < 70
    assert longest(0.9) > 85
    assert task.draw(draw, 4).x.shape[1] >= 100


class Counter(Reader):
    """Counts letters exactly, but says for n > `most` that the next letter may go on: s = [n of a, n of b, n of c]."""

    def __init__(self, letters: str, most: int) -> None:
        super().__init__("rnn", 1 + len(letters), 1, len(letters) + 1)
        self.letters, self.most = len(letters), most

    def zero_state(self, b: int) -> Tensor:
        return torch.zeros(b, self.letters)

    def step(self, x: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        s = s + x[:, 1:]
        y = -torch.ones(len(x), self.letters + 1)
        for row, counts in zip(y, s.int().tolist(), strict=True):
            n = counts[0]
            index = max((i for i, count in enumerate(counts) if count), default=-1)
            if index <= 0:
                row[: index + 2] = 1
            else:
                row[index + (counts[index] == n and n <= self.most)] = 1
        return y, s


@pytest.mark.parametrize("letters", ["ab", "abc"])
@pytest.mark.parametrize("most", [1, 7, 12])
def test_counting_is_examined_on_every_n(letters: str, most: int) -> None:
    """The exam, which branches off one run of a's, finds the n up to which a counter is right, as do whole strings."""
    task, counter = Counting(letters, 5, 12), Counter(letters, most)
    assert list(task.exams(counter, rng(), 0).values()) == [most]
    draw, long = rng(), Counting(letters, 12, 12)
    for _ in range(30):
        batch, s, said = padded([long.sequence(draw)]), counter.zero_state(1), []
        for at in batch.x.unbind(1):
            y, s = counter.step(at, s)
            said.append(y)
        n = (batch.x.shape[1] - 1) // len(letters)
        assert bool(task.right(torch.stack(said, 1), batch)[0]) == (n <= most)


@pytest.mark.parametrize("cell", CELLS)
def test_a_reader_runs_as_it_steps(cell: CellName) -> None:
    """Answers along sequences are those of single steps of the cell and of the predictor on its visible state."""
    torch.manual_seed(0)
    network, x = Reader(cell, 3, 5, 2), torch.randn(4, 6, 3)
    s, said = network.zero_state(4), []
    for at in x.unbind(1):
        s = network.F(at, s)
        said.append(network.F.visible(s) @ network.P.weight.T + network.P.bias)
        y, stepped = network.step(at, s)
        assert y.shape == (4, 2)
        assert stepped.shape == s.shape
    y, last = network(x)
    torch.testing.assert_close(y, torch.stack(said, 1))
    torch.testing.assert_close(last, s)
