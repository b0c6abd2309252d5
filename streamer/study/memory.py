"""`streamer study memory`: every cell of CELLS on every task, and parity by weight guessing."""

import statistics
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import torch

from streamer.models.cells import CELLS
from streamer.records import CellName
from streamer.study.guess import guess
from streamer.study.learning import Lessons, learn
from streamer.study.reader import Reader
from streamer.study.report import Report
from streamer.study.scope import Scope
from streamer.study.tasks import tasks
from streamer.study.tasks.contract import ENOUGH, TRIAL, Task

NEURONS = 32
QUICK, FULL = Lessons(steps=400, rate=2e-2), Lessons(steps=2_000, rate=2e-2, every=250)
EXAM = 2_560
"""Fresh sequences of an exam, as for the lecture's figures; a quick one has those of a trial."""
MOST_GUESSES = 200_000


def study(scope: Scope) -> Report:
    """Each cell learns each task; the table has, per exam, mean and range over seeds, and the sequences it took."""
    how, size = (QUICK, TRIAL) if scope.quick else (FULL, EXAM)
    rows = []
    for task in tasks(scope.quick):
        rows += lines(
            task,
            {cell: scope.each(f"{task.name}: {cell}", partial(taught, task, cell, how, size)) for cell in CELLS},
        )
    guesses = scope.each("parity by guessing", guessed)
    return Report(
        ("task", "literature", *CELLS),
        rows,
        (
            f"n = {NEURONS}; at most {how.steps} steps of {how.batch} sequences, Adam, one cycle to {how.rate}, stopped"
            f" once {ENOUGH:.1%} of a trial exam is right; k: thousands of sequences until then.",
            f"Exams have {size} fresh sequences; aⁿbⁿ and aⁿbⁿcⁿ are examined on every n, and stop at the largest one.",
            f"seeds: {', '.join(map(str, scope.seeds))}; worst to best in brackets.",
            *([f"parity of 500 bits by weight guessing: {said(guesses)}"] if guesses else []),
        ),
    )


def taught(task: Task, cell: CellName, how: Lessons, size: int, seed: int) -> dict[str, Any]:
    """Learn a task; the score of each exam, and the sequences seen."""
    torch.manual_seed(seed)
    lessons, trial, exam = (np.random.default_rng([seed, part]) for part in range(3))
    network = Reader(cell, task.d, NEURONS, task.o)

    done = count()

    def loss() -> torch.Tensor:
        batch = task.lesson(lessons, how.batch, next(done) / how.steps)
        return task.loss(network(batch.x)[0], batch)

    steps = learn(network, loss, how, lambda: task.solved(network, trial))
    return {"scores": task.exams(network, exam, size), "sequences": steps * how.batch}


def lines(task: Task, found: dict[CellName, list[dict[str, Any]]]) -> list[list[str]]:
    """A row of the table for every exam of a task; one without figures if it was not measured."""
    measured = [one for some in found.values() for one in some]
    names = list(measured[0]["scores"]) if measured else [task.name]
    return [[name, task.figure, *(cell_of(task, name, some) for some in found.values())] for name in names]


def cell_of(task: Task, exam: str, found: list[dict[str, Any]]) -> str:
    """What stands in the table for one cell and exam."""
    if not found:
        return ""
    scores = sorted(one["scores"][exam] for one in found)
    seen = statistics.fmean(one["sequences"] for one in found) / 1000
    spread = f" ({task.words(scores[0])} to {task.words(scores[-1])})" if scores[0] < scores[-1] else ""
    return f"{task.words(statistics.fmean(scores))}{spread}, {seen:.0f} k"


def guessed(seed: int) -> int | None:
    """Guesses until parity of 500 bits was solved."""
    found = guess(np.random.default_rng(seed), 500, MOST_GUESSES)
    return None if found is None else found.guesses


def said(guesses: list[int]) -> str:
    """The guesses of all seeds, and their mean."""
    return f"{', '.join(f'{some:,}' for some in guesses)} guesses, mean {statistics.fmean(guesses):,.0f}"
