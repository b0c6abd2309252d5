"""Tasks that ask what a network remembers: sequences in, yes or no (or a number) out; one file a task."""

from streamer.study.tasks.adding import Adding
from streamer.study.tasks.contract import Task
from streamer.study.tasks.counting import Counting
from streamer.study.tasks.order import Order
from streamer.study.tasks.parity import Parity
from streamer.study.tasks.reber import Reber
from streamer.study.tasks.typo import Typo


def tasks(quick: bool) -> tuple[Task, ...]:
    """All tasks, in the lecture's sizes or, `quick`, in sizes that take seconds."""
    return (
        Parity(1, 10, Parity(50, 60)) if quick else Parity(1, 50, Parity(500, 600)),
        Reber(),
        Counting("ab", 10, 100 if quick else 1000),
        Counting("abc", 10, 100 if quick else 1000),
        Adding(20 if quick else 100),
        Adding(50 if quick else 1000),
        Order(20 if quick else 100),
        Typo(),
    )
