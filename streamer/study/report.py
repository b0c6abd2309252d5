"""What a study found, as a table in Markdown, as JSON, and as pictures where they are asked for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Draw = Callable[[Any], None]
"""Draws on a matplotlib Figure."""


@dataclass(frozen=True, slots=True)
class Report:
    """A table of texts, what is to be known with it, and pictures by name."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    pictures: Mapping[str, Draw] = field(default_factory=dict)

    def markdown(self) -> str:
        """The table, and below it the notes as a list."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return (
            "\n\n".join([table, *("\n".join(f"- {note}" for note in notes) for notes in [self.notes] if notes)]) + "\n"
        )

    def draw(self, folder: Path) -> list[Path]:
        """Write every picture as NAME.png and return the paths; it needs matplotlib."""
        from matplotlib.figure import Figure

        paths = []
        for name, draw in self.pictures.items():
            figure = Figure(figsize=(10, 6), layout="constrained")
            draw(figure)
            paths.append(folder / f"{name}.png")
            figure.savefig(paths[-1], dpi=100)
        return paths
