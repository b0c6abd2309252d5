"""What a part of the benchmark is: rows of figures, each told apart from the others by its keys."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamer.records import CellName

Row = dict[str, Any]
"""Keys and figures by name; None where there is no figure."""
Tell = Callable[[str], None]
"""Called with what is being measured now."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What users may choose."""

    series: int = 1000
    cell: CellName = "lstm"
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One table: `keys` and `figures` map names in a row to headings, `note` says what is counted."""

    title: str
    note: str
    keys: Mapping[str, str]
    figures: Mapping[str, str]
    measure: Callable[[Settings, Tell], Sequence[Row]]
