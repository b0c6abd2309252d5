"""The sections of the benchmark: each gives rows of figures, identified by keys."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamer.records import CellName

Row = dict[str, Any]
"""Keys and figures by name; None is a figure that does not exist."""
Tell = Callable[[str], None]
"""Called with a description of what is being measured now."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of `streamer bench`."""

    series: int = 1000
    cell: CellName = "lstm"
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """One table: `keys` and `figures` map names in a row to headings, `note` explains the figures."""

    title: str
    note: str
    keys: Mapping[str, str]
    figures: Mapping[str, str]
    measure: Callable[[Settings, Tell], Sequence[Row]]
