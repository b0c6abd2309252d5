"""The studies by name: what each asks, and the module that answers. A study loads torch, this list does not."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.study.report import Report
    from streamer.study.scope import Scope


@dataclass(frozen=True, slots=True)
class Entry:
    """One study: its question in a line, and the module below streamer.study whose `study` runs it."""

    asks: str
    module: str

    def load(self) -> "Callable[[Scope], Report]":
        """The function that runs the study."""
        found: Callable[[Scope], Report] = import_module(f"streamer.study.{self.module}").study
        return found


STUDIES: dict[str, Entry] = {
    "forecasters": Entry(
        "How do time-delay networks, gamma memory, NARX, a Transformer and a soft window forecast?", "forecasters"
    ),
    "fill": Entry("Does an LSTM that also reads backwards fill gaps of past data?", "fill"),
    "alignment": Entry("Who learns where to look: a soft window, a Transformer, or neither?", "alignment"),
    "memory": Entry("How long does each cell remember? Parity, Reber grammar, aⁿbⁿ, adding, order, typo.", "memory"),
}
"""In the order of `streamer study all`."""
