"""What is shown while something takes long."""

import io

import pytest
from rich.console import Console

from streamer.tools import progress
from streamer.tools.progress import progressing


@pytest.mark.parametrize(
    ("terminal", "patience", "shown"), [(True, 0.0, True), (True, 60.0, False), (False, 0.0, False)]
)
def test_a_bar_where_it_takes_long(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, patience: float, shown: bool
) -> None:
    """On a terminal there is a bar with what is done, besides what, and the time left, once it takes longer than two
    seconds; elsewhere nothing is written."""
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", patience)
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with progressing("messages", 400, console) as told:
        told(100, "")
        told(200, "training waves")
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert ("messages, training waves" in text) == shown
    assert ("200/400" in text) == shown
    assert bool(text) == shown
