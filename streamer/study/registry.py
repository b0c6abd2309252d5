"""The studies by name: what each asks, and the module that answers. A study loads torch, this list does not."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamer.study.report import Report
    from streamer.study.scope import Scope


@dataclass(frozen=True, slots=True)
class Entry:
    """One study: its question in a line, the module below streamer.study whose `study` runs it, a library it needs."""

    asks: str
    module: str
    needs: str | None = None

    @property
    def missing(self) -> bool:
        """Whether its library is not installed."""
        return self.needs is not None and find_spec(self.needs) is None

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
    "text": Entry("How many bits does a character of text cost each cell, with what a network writes?", "text"),
    "strokes": Entry("Can a network write words with a pen, told what to write?", "strokes", "HersheyFonts"),
}
"""In the order of `streamer study all`."""
