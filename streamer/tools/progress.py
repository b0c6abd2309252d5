"""How much is done in, a bar with the time left out, on a terminal and where it takes more than two seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE_SECONDS = 2.0

Told = Callable[[int, str], None]
"""Called with how much is done so far, and what is being done besides, or an empty text."""


@contextmanager
def progressing(what: str, total: int | None, console: Console | None = None) -> Iterator[Told]:
    """A bar on standard error; nothing where that is no terminal. total: None where it is not known."""
    console = console or Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, refresh_per_second=4)
    task, begun = bar.add_task(what, total=total), time.monotonic()

    def told(done: int, besides: str) -> None:
        if console.is_terminal and time.monotonic() - begun > PATIENCE_SECONDS:
            bar.start()
        bar.update(task, completed=done, description=f"{what}, {besides}" if besides else what)

    try:
        yield told
    finally:
        if bar.live.is_started:
            bar.stop()
